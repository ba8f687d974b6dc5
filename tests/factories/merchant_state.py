"""Merchants that are not active, brought there the only way there is: proposed and approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from foundation.models import Approval
from merchants.models import Merchant
from merchants.services import merchant_state as states
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory

AT = datetime(2026, 1, 1, tzinfo=UTC)
_ACTIONS = {
    "FROZEN": states.FREEZE,
    "RESTRICTED": states.RESTRICT,
    "ACTIVE": states.RESTORE,
    "CLOSING": states.CLOSE,
    "CLOSED": states.END,
}


def propose(action: str, *merchant_nos: str, at: datetime = AT, **fields: object) -> Approval:
    """Return an open proposal by a new person."""
    given: dict[str, object] = {"reason": "risk", "document": "letter 1", "maker": UserFactory()}
    return states.propose(  # type: ignore[arg-type]
        action=action, merchant_nos=merchant_nos, at=at, **(given | fields)
    )


def move(action: str, merchant_nos: Sequence[str], *, at: datetime = AT) -> Approval:
    """Propose and approve one move of a list."""
    return approve(propose(action, *merchant_nos, at=at), at=at)


def stand(merchant_id: int, status: str) -> None:
    """Bring a merchant to a state by one move."""
    move(_ACTIONS[status], [Merchant.objects.get(id=merchant_id).merchant_no])

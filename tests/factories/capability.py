"""Merchants from which something was taken: proposed by one person, approved by another."""

from __future__ import annotations

from datetime import datetime

from foundation.models import Approval
from merchants.models import Capability
from merchants.selectors import capability as selectors
from merchants.services import capability as capabilities
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.payout import NOON


def propose(
    merchant_id: int, *taken: Capability, reason: str = "under review", at: datetime = NOON
) -> Approval:
    """Propose that a merchant may do everything but this."""
    return capabilities.propose(
        merchant_id=merchant_id,
        allowed=set(Capability) - set(taken),
        reason=reason,
        maker=UserFactory(),
        at=at,
    )


def leave(merchant_id: int, *taken: Capability, at: datetime = NOON) -> None:
    """Bring it about that a merchant may do everything but this."""
    now = {one.capability for one in selectors.taken(merchant_id=merchant_id)}
    if now != set(taken):
        approve(propose(merchant_id, *taken, at=at), at=at)

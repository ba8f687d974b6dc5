"""Closing a merchant for good: only when nothing is left of it (offboarding)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation.models import Approval, User
from foundation.services.attachment import NewAttachment
from merchants.models import Merchant
from merchants.services import merchant_state as states
from settlement.selectors import closing
from settlement.services import standing_instruction as instructions


class NotClosable(DomainError):
    """Something stands against closing this merchant; the message names every reason."""

    code = "merchant_not_closable"


def propose_end(
    *,
    merchant: Merchant,
    reason: str,
    document: str,
    maker: User,
    at: datetime,
    attachments: Sequence[NewAttachment] = (),
) -> Approval:
    """
    Propose to close a merchant for good; another person decides.

    Raises: NotClosable; else as merchant_state.propose. Rule: MST-8.
    """
    _require_nothing_left(merchant.pk)
    return states.propose(
        action=states.END,
        merchant_nos=[merchant.merchant_no],
        reason=reason,
        document=document,
        maker=maker,
        at=at,
        attachments=attachments,
    )


def on_merchants_ending(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Refuse to close while something is left, with the merchants locked; then end their standing
    instructions in the same transaction. Raises NotClosable. Rule: MST-8, MST-9.
    """
    for merchant_id in merchant_ids:
        if event == states.ENDING:
            _require_nothing_left(merchant_id)
        elif event == "merchants.closed":
            instructions.end_all(merchant_id=merchant_id, at=payload["at"])


def _require_nothing_left(merchant_id: int) -> None:
    against = [
        reason.title if reason.amount is None else f"{reason.title} ({reason.amount})"
        for reason in closing.reasons(merchant_id=merchant_id)
    ]
    if against:
        raise NotClosable(
            _("This merchant cannot be closed yet: %(reasons)s.") % {"reasons": "; ".join(against)}
        )

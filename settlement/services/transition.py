"""The only code that writes the status of a withdrawal or of an attempt, with its history."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, NotFound
from foundation import actor
from foundation.registries import WebhookEvent
from foundation.services import outbox
from ledger.services import hold as holds
from merchants.services import webhook_delivery as webhooks
from merchants.services.webhook_delivery import News
from settlement.models import PayoutAttempt, PayoutTransition, Withdrawal, WithdrawalTransition
from settlement.models.payout import TRANSITIONS as PAYOUT_TRANSITIONS
from settlement.models.withdrawal import TRANSITIONS as WITHDRAWAL_TRANSITIONS

EVENT: Final = WebhookEvent("withdrawal.changed", gettext_lazy("the state of a withdrawal changed"))
PAY: Final = "settlement.pay_withdrawal"
CHANGED: Final = "settlement.withdrawal_changed"  # told to whoever waits for the end of it
_NEWS: Final = frozenset(Withdrawal.Status) - {
    Withdrawal.Status.REVIEW,
    Withdrawal.Status.HELD,
    Withdrawal.Status.PAYING,
}


class IllegalTransition(DomainError):
    """The thing cannot go from where it is to where it was asked to go."""

    code = "illegal_transition"


def born_withdrawal(withdrawal: Withdrawal, *, at: datetime) -> None:
    """Write the first step of a withdrawal that was just inserted."""
    _step(withdrawal, "", str(withdrawal.status), "", at)


def move_withdrawal(
    withdrawal: Withdrawal, to: Withdrawal.Status, *, at: datetime, reason: str = "", **fields: Any
) -> None:
    """
    Move a locked withdrawal along the table, with its history and further `fields`.

    Raises: IllegalTransition. Rule: WD-3 (docs/rules/withdrawals.md).
    """
    before = Withdrawal.Status(withdrawal.status)
    if to not in WITHDRAWAL_TRANSITIONS[before]:
        raise _illegal(withdrawal.number, before, to)
    withdrawal.status, withdrawal.sequence = to, withdrawal.sequence + 1
    _save(withdrawal, fields)
    _step(withdrawal, str(before), str(to), reason, at)
    _tell(withdrawal, at)
    if to in _NEWS:
        outbox.add(
            CHANGED,
            merchant_id=withdrawal.merchant_id,
            payload=_ids(withdrawal),
            key=f"{withdrawal.number}:{withdrawal.sequence}",
        )


def lock_withdrawal(*, merchant_id: int, withdrawal_id: int) -> Withdrawal:
    """Return the withdrawal, locked until the transaction ends. Raises NotFound."""
    found = Withdrawal.objects.select_for_update().filter(merchant_id=merchant_id, id=withdrawal_id)
    withdrawal = found.first()
    if withdrawal is None:
        raise NotFound(_("There is no such withdrawal."))
    return withdrawal


def release_withdrawal(
    withdrawal: Withdrawal, to: Withdrawal.Status, *, at: datetime, reason: str
) -> None:
    """End a locked withdrawal without payment: give the hold back, then move."""
    if withdrawal.hold_id is None:
        raise LookupError(f"{withdrawal.number} has no hold")
    holds.release(merchant_id=withdrawal.merchant_id, hold_id=withdrawal.hold_id)
    move_withdrawal(withdrawal, to, at=at, reason=reason, closed_at=at)


def queue_withdrawal(withdrawal: Withdrawal) -> None:
    """Promise to pay a HELD withdrawal, once, after this transaction."""
    outbox.add(
        PAY,
        merchant_id=withdrawal.merchant_id,
        payload=_ids(withdrawal),
        key=withdrawal.number,
    )


def born_attempt(attempt: PayoutAttempt, *, at: datetime) -> None:
    """Write the first step of an attempt that was just inserted."""
    _attempt_step(attempt, "", str(attempt.status), "", at)


def move_attempt(
    attempt: PayoutAttempt,
    to: PayoutAttempt.Status,
    *,
    at: datetime,
    reason: str = "",
    **fields: Any,
) -> None:
    """
    Move a locked attempt along the table, with its history and further `fields`.

    Raises: IllegalTransition. Rule: PO-4 (docs/rules/payouts.md).
    """
    before = PayoutAttempt.Status(attempt.status)
    if to not in PAYOUT_TRANSITIONS[before]:
        raise _illegal(attempt.number, before, to)
    attempt.status, attempt.sequence = to, attempt.sequence + 1
    _save(attempt, fields)
    _attempt_step(attempt, str(before), str(to), reason, at)


def _save(row: Withdrawal | PayoutAttempt, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=["status", "sequence", *fields])


def _ids(withdrawal: Withdrawal) -> dict[str, int]:
    return {"merchant_id": withdrawal.merchant_id, "withdrawal_id": withdrawal.id}


def _tell(withdrawal: Withdrawal, at: datetime) -> None:
    """Tell the merchant's own programs where it stands now (WHK-1, docs/rules/webhooks.md)."""
    news = News(
        withdrawal.merchant_id,
        EVENT.name,
        withdrawal.number,
        str(withdrawal.status),
        withdrawal.amount,
    )
    webhooks.tell([news], at=at)


def _step(withdrawal: Withdrawal, before: str, after: str, reason: str, at: datetime) -> None:
    by = actor.current()
    WithdrawalTransition.objects.create(
        merchant_id=withdrawal.merchant_id,
        withdrawal=withdrawal,
        sequence=withdrawal.sequence,
        from_status=before,
        to_status=after,
        reason=reason[:500],
        at=at,
        actor=by.name,
        request_id=by.request_id,
    )


def _attempt_step(
    attempt: PayoutAttempt, before: str, after: str, reason: str, at: datetime
) -> None:
    by = actor.current()
    PayoutTransition.objects.create(
        merchant_id=attempt.merchant_id,
        attempt=attempt,
        sequence=attempt.sequence,
        from_status=before,
        to_status=after,
        reason=reason[:500],
        at=at,
        actor=by.name,
        request_id=by.request_id,
    )


def _illegal(number: str, before: str, after: str) -> IllegalTransition:
    return IllegalTransition(
        _("%(number)s is %(before)s and cannot become %(after)s.")
        % {"number": number, "before": before, "after": after}
    )

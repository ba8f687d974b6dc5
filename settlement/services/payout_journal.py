"""The journal entries of payouts: worked flows of the rules, nothing else (PO-5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from foundation import sql
from foundation.money import Money
from ledger.models import JournalEntry
from ledger.services import account as accounts
from ledger.services import journal
from ledger.services.journal import NewPosting, credit, debit
from settlement.models import PayoutAttempt, PayoutFeeRule, Withdrawal

PAID: Final = "payout_paid"
RETURNED: Final = "payout_returned"
LATE: Final = "payout_late"
RESOLVED: Final = "payout_resolved"


def in_transit(attempt: PayoutAttempt) -> int:
    """Return the account of money on its way through this attempt's channel."""
    return accounts.open_slice(
        merchant_id=attempt.merchant_id,
        kind="payout_in_transit",
        currency=attempt.currency,
        ref_kind="channel",
        ref_id=attempt.channel.code,
    )


def paid(withdrawal: Withdrawal, attempt: PayoutAttempt) -> int:
    """Capture the hold: Dr merchant_available A+F; Cr payout_in_transit A; Cr fee_income F."""
    postings = [
        debit(
            _own(attempt, "merchant_available"),
            "withdraw",
            withdrawal.total.minor,
            withdrawal.hold_id,
        ),
        credit(in_transit(attempt), "submit", withdrawal.amount_minor),
    ]
    if withdrawal.fee_minor:
        postings.append(credit(_own(attempt, "fee_income"), "earn", withdrawal.fee_minor))
    return _post(attempt, PAID, attempt.number, postings)


def returned(withdrawal: Withdrawal, attempt: PayoutAttempt) -> Money:
    """
    Give the money back to the merchant: Dr payout_in_transit A; Cr what he owes, then available.

    The fee goes back only where its rule says so. Returns the fee that stays taken.
    """
    gives_fee = (
        withdrawal.fee_rule is not None
        and withdrawal.fee_rule.fee_on_return == PayoutFeeRule.OnReturn.RETURNED
    )
    fee = withdrawal.paid_fee_minor if gives_fee else 0
    postings = [debit(in_transit(attempt), "return", withdrawal.amount_minor)]
    if fee:
        postings.append(debit(_own(attempt, "fee_income"), "give_back", fee))
    postings += _to_merchant(attempt, withdrawal.amount_minor + fee)
    _post(attempt, RETURNED, attempt.number, postings)
    return Money(withdrawal.paid_fee_minor - fee, withdrawal.currency)


def late_success(attempt: PayoutAttempt) -> int:
    """Book money that left after the hold was given back: our claim until somebody decided."""
    postings = [
        debit(_own(attempt, "disputed_receivable"), "park", attempt.amount_minor),
        credit(in_transit(attempt), "submit", attempt.amount_minor),
    ]
    return _post(attempt, LATE, _step(attempt), postings)


def collect(attempt: PayoutAttempt) -> int:
    """It was paid, after the hold was released: Dr merchant_debt A; Cr disputed_receivable A."""
    postings = [
        debit(_own(attempt, "merchant_debt"), "owe", attempt.amount_minor),
        credit(_own(attempt, "disputed_receivable"), "resolve", attempt.amount_minor),
    ]
    return _post(attempt, RESOLVED, _step(attempt), postings)


def late_return(attempt: PayoutAttempt) -> int:
    """It was paid and came back: Dr payout_in_transit A; Cr disputed_receivable A."""
    postings = [
        debit(in_transit(attempt), "return", attempt.amount_minor),
        credit(_own(attempt, "disputed_receivable"), "resolve", attempt.amount_minor),
    ]
    return _post(attempt, RESOLVED, _step(attempt), postings)


def never_paid(withdrawal: Withdrawal, attempt: PayoutAttempt) -> None:
    """Undo the payment that two persons found never to have happened, fee and all."""
    entry = _entry(attempt, PAID, attempt.number)
    if entry is not None:
        _reverse(attempt, entry)
        return
    postings = [
        debit(in_transit(attempt), "return", withdrawal.paid_minor),
        *_to_merchant(attempt, withdrawal.paid_minor),
    ]
    _post(attempt, RESOLVED, _step(attempt), postings)


def not_late(attempt: PayoutAttempt) -> None:
    """Undo the newest late success: two persons found that nothing was paid."""
    entry = (
        JournalEntry.objects.filter(
            merchant_id=attempt.merchant_id,
            source_kind=LATE,
            source_id__startswith=f"{attempt.number}:",
            reversed_by=None,
        )
        .order_by("-id")
        .first()
    )
    if entry is None:
        raise LookupError(f"{attempt.number} has no late success")
    _reverse(attempt, entry)


def _to_merchant(attempt: PayoutAttempt, amount_minor: int) -> list[NewPosting]:
    """Credit the merchant: his debt first, at once, the rest is available (design section 3)."""
    available, debt = _own(attempt, "merchant_available"), _own(attempt, "merchant_debt")
    all_at_once = [available, debt, in_transit(attempt), _own(attempt, "fee_income")]
    locked = sql.rows("SELECT id, balance FROM public.ledger_lock(%s::bigint[])", [all_at_once])
    owed = next(row["balance"] for row in locked if row["id"] == debt)
    repaid = min(owed, amount_minor)
    postings = []
    if repaid:
        postings.append(credit(debt, "repay", repaid))
    if amount_minor > repaid:
        postings.append(credit(available, "return", amount_minor - repaid))
    return postings


def _reverse(attempt: PayoutAttempt, entry: JournalEntry) -> None:
    journal.reverse(
        merchant_id=attempt.merchant_id,
        entry_id=entry.id,
        source_id=f"{entry.source_kind}:{entry.source_id}",
        memo=attempt.number,
    )


def _entry(attempt: PayoutAttempt, kind: str, source_id: str) -> JournalEntry | None:
    return JournalEntry.objects.filter(
        merchant_id=attempt.merchant_id,
        source_kind=kind,
        source_id=source_id,
        reversed_by=None,
    ).first()


def _own(attempt: PayoutAttempt, kind: str) -> int:
    return accounts.open_slice(
        merchant_id=attempt.merchant_id, kind=kind, currency=attempt.currency
    )


def _step(attempt: PayoutAttempt) -> str:
    return f"{attempt.number}:{attempt.sequence}"


def _post(attempt: PayoutAttempt, kind: str, source_id: str, postings: Sequence[NewPosting]) -> int:
    return journal.post(
        merchant_id=attempt.merchant_id,
        source_kind=kind,
        source_id=source_id,
        postings=postings,
        memo=attempt.number,
    )

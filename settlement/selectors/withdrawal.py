"""Reads of withdrawals that doors, reports and checks share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Now

from foundation.money import Money
from settlement.models import PayoutAttempt, Withdrawal

# The condition of the partial index over what has not ended.
OPEN: Final = Q(status__in=["REVIEW", "HELD", "PAYING", "DISPUTED"])
PATIENCE: Final = timedelta(minutes=30)  # a payout leaves within seconds when all is well
_NOT_SENT: Final = PayoutAttempt.objects.filter(
    merchant=OuterRef("merchant"), withdrawal=OuterRef("pk"), status__in=["READY", "SENDING"]
)
# Should have left long ago: no worker, no broker, a channel switched off, or an error of ours.
UNSENT: Final = (
    OPEN
    & Q(requested_at__lt=Now() - PATIENCE)
    & (Q(status="HELD") | (Q(status="PAYING") & Q(Exists(_NOT_SENT))))
)


@dataclass(frozen=True, slots=True)
class PaidOut:
    """What was paid out of one balance and not given back, and the fees kept for it."""

    merchant_id: int
    paid_out: Money
    fees: Money


@dataclass(frozen=True, slots=True)
class Step:
    """One moment in a withdrawal's life, for its timeline."""

    at: datetime
    what: str
    status: str
    reason: str


def paid_out(*, merchant_id: int | None = None) -> list[PaidOut]:
    """Return what was paid per merchant and currency, as `balances` shows it."""
    found = Withdrawal.objects.filter(Q(paid_minor__gt=0) | Q(paid_fee_minor__gt=0))
    if merchant_id is not None:
        found = found.filter(merchant_id=merchant_id)
    rows = (
        found.values("merchant_id", "currency")
        .annotate(paid=Sum("paid_minor"), fees=Sum("paid_fee_minor"))
        .order_by("merchant_id", "currency")
    )
    return [
        PaidOut(
            row["merchant_id"],
            Money(row["paid"], row["currency"]),
            Money(row["fees"], row["currency"]),
        )
        for row in rows
    ]


def of_merchant(*, merchant_id: int) -> QuerySet[Withdrawal]:
    """Return a merchant's withdrawals, newest first (index withdrawal_newest)."""
    return (
        Withdrawal.objects.filter(merchant_id=merchant_id)
        .select_related("bank_account")
        .order_by("-requested_at", "-id")
    )


def older(*, merchant_id: int, below: tuple[datetime, int] | None = None) -> QuerySet[Withdrawal]:
    """Return a merchant's withdrawals, newest first, below a position (time of asking, id)."""
    found = of_merchant(merchant_id=merchant_id)
    if below is None:
        return found
    at, row_id = below
    return found.filter(
        Q(requested_at__lt=at) | Q(requested_at=at, id__lt=row_id), requested_at__lte=at
    )


def numbered(*, merchant_id: int, number: str) -> Withdrawal | None:
    """Return a merchant's withdrawal by its number, None if it is not his."""
    return of_merchant(merchant_id=merchant_id).filter(number=number).first()


def timeline(*, withdrawal: Withdrawal) -> list[Step]:
    """Return every step of a withdrawal and of its attempts, in order of time."""
    own = [
        Step(step.at, withdrawal.number, step.to_status, step.reason)
        for step in withdrawal.transitions.filter(merchant_id=withdrawal.merchant_id)
    ]
    attempts = PayoutAttempt.objects.filter(
        merchant_id=withdrawal.merchant_id, withdrawal=withdrawal
    )
    sent = [
        Step(step.at, attempt.number, step.to_status, step.reason)
        for attempt in attempts
        for step in attempt.transitions.filter(merchant_id=withdrawal.merchant_id)
    ]
    return sorted([*own, *sent], key=lambda step: step.at)

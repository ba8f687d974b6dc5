"""Cases: what the machine leaves to people."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor
from foundation.services import audit
from settlement.models import PayoutAttempt, PayoutCase, Withdrawal

log = logging.getLogger(__name__)

Kind = PayoutCase.Kind
_ENDS_BY_ITSELF: Final = (Kind.UNKNOWN_ALARM, Kind.UNKNOWN_TOO_LONG, Kind.NOT_FOUND)


class OutcomeMissing(DomainError):
    """A case is closed with what came of it."""

    code = "outcome_missing"
    http_status = 400


def open_case(
    *,
    merchant_id: int,
    kind: PayoutCase.Kind,
    subject: str,
    detail: str,
    at: datetime,
    attempt: PayoutAttempt | None = None,
) -> bool:
    """Open a case and raise the alarm, unless the same matter is open; return whether it is new."""
    known = PayoutCase.objects.filter(
        merchant_id=merchant_id, kind=kind, subject=subject[:100], closed_at=None
    )
    if known.exists():
        return False
    made = PayoutCase.objects.bulk_create(
        [
            PayoutCase(
                merchant_id=merchant_id,
                kind=kind,
                subject=subject[:100],
                attempt=attempt,
                amount_minor=None if attempt is None else attempt.amount_minor,
                currency="" if attempt is None else attempt.currency,
                detail=detail,
                opened_at=at,
            )
        ],
        ignore_conflicts=True,  # two at once: the unique key keeps one
    )
    log.error("payout case: %s %s", kind, subject)
    return bool(made)


def close(*, merchant_id: int, case_id: int, outcome: str, at: datetime) -> PayoutCase:
    """Close a case with what came of it, audited. Raises NotFound, OutcomeMissing."""
    if not outcome.strip():
        raise OutcomeMissing(_("Say what came of it."), field="outcome")
    with transaction.atomic():
        case = (
            PayoutCase.objects.select_for_update()
            .filter(merchant_id=merchant_id, id=case_id)
            .first()
        )
        if case is None:
            raise NotFound(_("There is no such case."))
        if case.closed_at is None:
            case.closed_at, case.closed_by, case.outcome = at, actor.current().name, outcome
            case.save(update_fields=["closed_at", "closed_by", "outcome"])
            audit.record(
                merchant_id=merchant_id,
                action="payout_case.close",
                object_kind="payout_case",
                object_id=str(case.id),
                after={"outcome": outcome},
            )
    return case


def ended(attempt: PayoutAttempt, *, at: datetime) -> None:
    """Close the cases that only asked for a result, now that it is there."""
    PayoutCase.objects.filter(
        merchant_id=attempt.merchant_id, attempt=attempt, kind__in=_ENDS_BY_ITSELF, closed_at=None
    ).update(closed_at=at, closed_by=actor.current().name, outcome=f"{attempt.status}")


def not_payable(
    withdrawal: Withdrawal, *, detail: str, at: datetime, attempt: PayoutAttempt | None = None
) -> None:
    """Tell people why this withdrawal is not paid now."""
    open_case(
        merchant_id=withdrawal.merchant_id,
        kind=Kind.NOT_PAYABLE,
        subject=withdrawal.number,
        detail=detail,
        at=at,
        attempt=attempt,
    )


def payable(withdrawal: Withdrawal, *, at: datetime) -> None:
    """Close the case that said this withdrawal could not be paid, now that it can or need not."""
    PayoutCase.objects.filter(
        merchant_id=withdrawal.merchant_id,
        kind=Kind.NOT_PAYABLE,
        subject=withdrawal.number,
        closed_at=None,
    ).update(closed_at=at, closed_by=actor.current().name, outcome=f"{withdrawal.status}")

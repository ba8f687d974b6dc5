"""Tries and messages of a factor, counted under lock over all verification requests of a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation.models import User
from foundation.services import audit
from foundation.verification import FactorLocked
from merchants.models import FactorCount
from merchants.models.one_time_code import MAX_FAILURES

LOCKED_FOR: Final = timedelta(hours=1)
MAX_SENT_IN_AN_HOUR: Final = 10
_HOUR: Final = timedelta(hours=1)


class SentTooOften(DomainError):
    """So many messages went to this person within the hour that no more do."""

    code = "codes_sent_too_often"
    http_status = 429


def take(*, merchant_id: int, user: User, factor: str, at: datetime) -> int:
    """
    Take one try, before anything is compared, and return how many are left after it.

    It commits by itself and counts as wrong until `right` says otherwise: however many come at
    once, no more than MAX_FAILURES are ever compared. The last one locks.

    Raises: FactorLocked. Rule: VER-7 (docs/rules/verification.md).
    """
    with transaction.atomic(durable=True):
        row = _locked(merchant_id, user, factor)
        refusal = _refusal(row, at)
        if refusal is None:
            row.failed_count = 1 if row.locked_until is not None else row.failed_count + 1
            row.locked_until = at + LOCKED_FOR if row.failed_count >= MAX_FAILURES else None
            row.save(update_fields=["failed_count", "locked_until"])
            if row.locked_until is not None:
                _record(row, "factor.lock")
    if refusal is not None:
        raise refusal
    return MAX_FAILURES - row.failed_count


def right(*, merchant_id: int, user: User, factor: str) -> None:
    """Begin the count anew: the proof was right."""
    with transaction.atomic(durable=True):
        FactorCount.objects.filter(merchant_id=merchant_id, user=user, factor=factor).update(
            failed_count=0, locked_until=None
        )


def give_back(*, merchant_id: int, user: User, factor: str) -> None:
    """Take a try back that nobody could judge; a lock that it caused ends."""
    with transaction.atomic(durable=True):
        row = _locked(merchant_id, user, factor)
        if row.failed_count:
            row.failed_count, row.locked_until = row.failed_count - 1, None
            row.save(update_fields=["failed_count", "locked_until"])


def require_unlocked(*, merchant_id: int, user: User, factor: str, at: datetime) -> None:
    """Raise FactorLocked while the factor is locked."""
    row = FactorCount.objects.filter(merchant_id=merchant_id, user=user, factor=factor).first()
    refusal = None if row is None else _refusal(row, at)
    if refusal is not None:
        raise refusal


def count_sent(*, merchant_id: int, user: User, factor: str, at: datetime) -> None:
    """
    Count one message, inside the transaction that promises it; the row stays locked until its end.

    Raises: FactorLocked, SentTooOften. Rule: VER-8.
    """
    row = _locked(merchant_id, user, factor)
    refusal = _refusal(row, at)
    if refusal is not None:
        raise refusal
    if row.sent_from is None or at >= row.sent_from + _HOUR:
        row.sent_from, row.sent_count = at, 0
    if row.sent_count >= MAX_SENT_IN_AN_HOUR:
        raise SentTooOften(
            _("Too many codes were sent; the next one from %(until)s on.")
            % {"until": _clock(row.sent_from + _HOUR)}
        )
    row.sent_count += 1
    row.save(update_fields=["sent_from", "sent_count"])


def _locked(merchant_id: int, user: User, factor: str) -> FactorCount:
    FactorCount.objects.bulk_create(
        [FactorCount(merchant_id=merchant_id, user=user, factor=factor)], ignore_conflicts=True
    )
    return FactorCount.objects.select_for_update().get(
        merchant_id=merchant_id, user=user, factor=factor
    )


def _refusal(row: FactorCount, at: datetime) -> FactorLocked | None:
    if row.locked_until is None or at >= row.locked_until:
        return None
    return FactorLocked(
        _("Locked after %(count)s wrong tries, until %(until)s.")
        % {"count": MAX_FAILURES, "until": _clock(row.locked_until)}
    )


def _clock(instant: datetime) -> str:
    """Return an instant as people read it, in the institution's zone."""
    return f"{timezone.localtime(instant):%Y-%m-%d %H:%M}"


def _record(row: FactorCount, action: str) -> None:
    audit.record(
        merchant_id=row.merchant_id,
        action=action,
        object_kind="user",
        object_id=str(row.user_id),
        after={"factor": row.factor},
    )

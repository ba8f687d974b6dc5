"""What beat asks again and again: is anything due to be sent, asked about, or told to people?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from celery import current_app
from django.db.models import Exists, OuterRef, Q
from kombu.exceptions import OperationalError

from foundation import clock
from foundation.models import OutboxMessage
from foundation.services import calendar, outbox
from settlement.models import PayoutAttempt, PayoutCase, Withdrawal
from settlement.services import payee as payees
from settlement.services import payout as payouts
from settlement.services import payout_case as cases
from settlement.services.transition import PAY

Status = PayoutAttempt.Status
QUERY: Final = "settlement.query_payout"
RECOVER: Final = "settlement.recover_payout"
LIMIT: Final = 500
EXPIRES_SECONDS: Final = 60  # an order that waited longer is dropped: the next look finds it again
MESSAGE_LOST_AFTER: Final = timedelta(minutes=1)  # sent to the workers and not seen again
ALARM_AFTER: Final = timedelta(minutes=30)


def look(at: datetime) -> int:
    """
    Hand everything that is due to the workers and return how many; two at once do no harm.

    Rule: PO-7 (docs/rules/payouts.md).
    """
    handed = 0
    for merchant_id, attempt_id in due_to_recover(at, limit=LIMIT):
        handed += _hand(RECOVER, merchant_id=merchant_id, attempt_id=attempt_id)
    for merchant_id, withdrawal_id in due_to_send(at, limit=LIMIT, promised=False):
        handed += _hand(PAY, merchant_id=merchant_id, withdrawal_id=withdrawal_id)
    for merchant_id, attempt_id in due_to_query(at, limit=LIMIT):
        handed += _hand(QUERY, merchant_id=merchant_id, attempt_id=attempt_id)
    return handed


def do(at: datetime) -> int:
    """The same, done here instead of by workers; for the command line and for tests."""
    done = 0
    for merchant_id, attempt_id in due_to_recover(at, limit=LIMIT):
        done += payouts.recover(merchant_id=merchant_id, attempt_id=attempt_id, at=at) is not None
    for merchant_id, withdrawal_id in due_to_send(at, limit=LIMIT):
        sent = payouts.send(merchant_id=merchant_id, withdrawal_id=withdrawal_id, at=at)
        done += sent is not None
    for merchant_id, attempt_id in due_to_query(at, limit=LIMIT):
        done += payouts.query(merchant_id=merchant_id, attempt_id=attempt_id, at=at) is not None
    return done


def due_to_send(at: datetime, *, limit: int, promised: bool = True) -> list[tuple[int, int]]:
    """
    Return (merchant, withdrawal) of what waits to be sent: its message may have been lost. What
    waits for its merchant to be active again is not due and must not crowd out the rest (MST-5).

    Without `promised`, what the outbox still carries is left to it, which waits longer after each
    failure and in the end calls a person: what cannot be sent must not keep the workers busy.
    """
    patience = at - timedelta(seconds=payouts.LEASE_SECONDS)
    payable = Q(merchant__status__in=payees.PAYABLE)
    held = Withdrawal.objects.filter(
        payable, status=Withdrawal.Status.HELD, requested_at__lte=patience
    )
    ready = PayoutAttempt.objects.filter(payable, status=Status.READY, created_at__lte=patience)
    if not promised:
        held = held.exclude(_carried("number", at))
        ready = ready.exclude(_carried("withdrawal__number", at))
    resent = PayoutAttempt.objects.filter(payable, status=Status.SENDING, resend_at__lte=at)
    return [
        *held.order_by("requested_at").values_list("merchant_id", "id")[:limit],
        *ready.values_list("merchant_id", "withdrawal_id")[:limit],
        *resent.values_list("merchant_id", "withdrawal_id")[:limit],
    ]


def _carried(number: str, at: datetime) -> Exists:
    """Whether the outbox waits to send the message, has parked it, or sent it a moment ago."""
    State = OutboxMessage.State
    just_sent = Q(state=State.SENT, next_try_at__gt=at + outbox.RESEND - MESSAGE_LOST_AFTER)
    return Exists(
        OutboxMessage.objects.filter(
            Q(state__in=[State.PENDING, State.PARKED]) | just_sent,
            merchant_id=OuterRef("merchant_id"),
            kind=PAY,
            key=OuterRef(number),
        )
    )


def due_to_query(at: datetime, *, limit: int) -> list[tuple[int, int]]:
    """Return (merchant, attempt) of what is due to be asked about."""
    found = PayoutAttempt.objects.filter(
        status__in=[Status.UNKNOWN, Status.PROCESSING], next_query_at__lte=at
    )
    return list(found.order_by("next_query_at").values_list("merchant_id", "id")[:limit])


def due_to_recover(at: datetime, *, limit: int) -> list[tuple[int, int]]:
    """Return (merchant, attempt) of what a worker left in the middle of sending."""
    return list(payouts.abandoned(at).values_list("merchant_id", "id")[:limit])


def alarm(at: datetime) -> int:
    """Open a case for what is UNKNOWN too long; return how many are new. Rule: PO-9."""
    opened = 0
    unknown = PayoutAttempt.objects.filter(
        status=PayoutAttempt.Status.UNKNOWN, unknown_since__lte=at - ALARM_AFTER
    )
    for attempt in unknown.iterator():
        opened += _open(attempt, PayoutCase.Kind.UNKNOWN_ALARM, at)
        if _business_day_is_over(attempt, at):
            opened += _open(attempt, PayoutCase.Kind.UNKNOWN_TOO_LONG, at)
    return opened


def _business_day_is_over(attempt: PayoutAttempt, at: datetime) -> bool:
    if attempt.unknown_since is None:
        return False
    started = clock.business_date(attempt.unknown_since)
    try:
        return clock.business_date(at) > calendar.add_business_days(started, 1)
    except calendar.CalendarYearNotLoaded:
        return at - attempt.unknown_since > timedelta(days=2)


def _open(attempt: PayoutAttempt, kind: PayoutCase.Kind, at: datetime) -> bool:
    return cases.open_case(
        merchant_id=attempt.merchant_id,
        kind=kind,
        subject=attempt.number,
        detail=f"unknown since {attempt.unknown_since}, asked {attempt.queries} times",
        at=at,
        attempt=attempt,
    )


def _hand(kind: str, **ids: int) -> int:
    try:
        current_app.send_task(kind, kwargs=ids, expires=EXPIRES_SECONDS, retry=False)
    except OperationalError:  # the broker is down: nothing is lost, the next look comes
        return 0
    return 1

"""What beat asks again and again: is anything due to be sent, asked about, or told to people?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from celery import current_app
from kombu.exceptions import OperationalError

from foundation import clock
from foundation.services import calendar
from settlement.models import PayoutAttempt, PayoutCase
from settlement.services import payout as payouts
from settlement.services import payout_case as cases
from settlement.services.transition import PAY

QUERY: Final = "settlement.query_payout"
RECOVER: Final = "settlement.recover_payout"
LIMIT: Final = 500
EXPIRES_SECONDS: Final = 60  # an order that waited longer is dropped: the next look finds it again
ALARM_AFTER: Final = timedelta(minutes=30)


def look(at: datetime) -> int:
    """
    Hand everything that is due to the workers and return how many; two at once do no harm.

    Rule: PO-7 (docs/rules/payouts.md).
    """
    handed = 0
    for merchant_id, attempt_id in payouts.due_to_recover(at, limit=LIMIT):
        handed += _hand(RECOVER, merchant_id=merchant_id, attempt_id=attempt_id)
    for merchant_id, withdrawal_id in payouts.due_to_send(at, limit=LIMIT, promised=False):
        handed += _hand(PAY, merchant_id=merchant_id, withdrawal_id=withdrawal_id)
    for merchant_id, attempt_id in payouts.due_to_query(at, limit=LIMIT):
        handed += _hand(QUERY, merchant_id=merchant_id, attempt_id=attempt_id)
    return handed


def do(at: datetime) -> int:
    """The same, done here instead of by workers; for the command line and for tests."""
    done = 0
    for merchant_id, attempt_id in payouts.due_to_recover(at, limit=LIMIT):
        done += payouts.recover(merchant_id=merchant_id, attempt_id=attempt_id, at=at) is not None
    for merchant_id, withdrawal_id in payouts.due_to_send(at, limit=LIMIT):
        sent = payouts.send(merchant_id=merchant_id, withdrawal_id=withdrawal_id, at=at)
        done += sent is not None
    for merchant_id, attempt_id in payouts.due_to_query(at, limit=LIMIT):
        done += payouts.query(merchant_id=merchant_id, attempt_id=attempt_id, at=at) is not None
    return done


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

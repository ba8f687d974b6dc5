"""Celery entry points of `settlement`."""

from __future__ import annotations

from celery import shared_task

from foundation import clock
from settlement.services import payout as payouts
from settlement.services import payout_watch
from settlement.services import run as runs
from settlement.services import standing_instruction as instructions


@shared_task(name="settlement.settle_range")
def settle_range(*, run_id: int, part: int, **_: object) -> None:
    """Settle one range of merchants of a run; safe to deliver any number of times."""
    runs.settle_part(run_id=run_id, part=part, at=clock.now())


@shared_task(name="settlement.settle_due")
def settle_due(**_: object) -> None:
    """Settle what is due today: T1 after the cut-off, T0 in cycles through the day; hourly."""
    now = clock.now()
    runs.settle_due(run_date=clock.business_date(now), at=now)


@shared_task(name="settlement.pay_withdrawal", time_limit=45, soft_time_limit=40)
def pay_withdrawal(*, merchant_id: int, withdrawal_id: int, **_: object) -> None:
    """Send one withdrawal's payout, once; safe to deliver any number of times."""
    payouts.send(merchant_id=merchant_id, withdrawal_id=withdrawal_id, at=clock.now())


@shared_task(name="settlement.query_payout", time_limit=45, soft_time_limit=40)
def query_payout(*, merchant_id: int, attempt_id: int, **_: object) -> None:
    """Ask what became of one payout, if it is due; safe to deliver any number of times."""
    payouts.query(merchant_id=merchant_id, attempt_id=attempt_id, at=clock.now())


@shared_task(name="settlement.recover_payout", time_limit=45, soft_time_limit=40)
def recover_payout(*, merchant_id: int, attempt_id: int, **_: object) -> None:
    """Take over a payout whose sender vanished; it is asked about, never sent again."""
    payouts.recover(merchant_id=merchant_id, attempt_id=attempt_id, at=clock.now())


@shared_task(name="settlement.withdrawal_changed")
def withdrawal_changed(*, merchant_id: int, withdrawal_id: int, **_: object) -> None:
    """Close the settlement item whose withdrawal has ended; safe to deliver any number of times."""
    instructions.withdrawal_ended(
        merchant_id=merchant_id, withdrawal_id=withdrawal_id, at=clock.now()
    )


@shared_task(name="settlement.watch_payouts")
def watch_payouts(**_: object) -> None:
    """Hand out what is due to be sent or asked about; every few seconds."""
    payout_watch.look(clock.now())


@shared_task(name="settlement.alarm_payouts")
def alarm_payouts(**_: object) -> None:
    """Open cases for payouts whose result is unknown too long; every minute."""
    payout_watch.alarm(clock.now())

"""Celery entry points of `settlement`."""

from __future__ import annotations

from celery import shared_task

from foundation import clock
from settlement.services import run as runs


@shared_task(name="settlement.settle_range")
def settle_range(*, run_id: int, part: int, **_: object) -> None:
    """Settle one range of merchants of a run; safe to deliver any number of times."""
    runs.settle_part(run_id=run_id, part=part, at=clock.now())


@shared_task(name="settlement.settle_due")
def settle_due(**_: object) -> None:
    """Settle what is due today: T1 after the cut-off, T0 in cycles through the day; hourly."""
    now = clock.now()
    runs.settle_due(run_date=clock.business_date(now), at=now)

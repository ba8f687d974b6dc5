"""Celery entry points of `channels`: ids only, safe when delivered any number of times."""

from __future__ import annotations

from celery import shared_task

from channels.services import clearing
from foundation import clock


@shared_task(name="channels.clear_pending")
def clear_pending(**_: object) -> None:
    """Clear what was taken in and is not booked yet; many calls are booked together."""
    clearing.clear_all(at=clock.now())

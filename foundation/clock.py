"""The one clock. Only entry points (views, tasks, commands) read it and pass `at=` on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings


def now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def zone() -> ZoneInfo:
    """Return the institution's zone."""
    return ZoneInfo(settings.TIME_ZONE)


def cut_off() -> time:
    """Return the institution's cut-off as a local time; 00:00 unless configured."""
    return time.fromisoformat(settings.CUT_OFF)


def business_date(instant: datetime) -> date:
    """
    Return the business day an instant belongs to: [cut-off of D, cut-off of D+1) in the
    institution's zone.

    Rule: money-safety "Numbers and dates"; the result is stored with the fact and never computed
    again.
    """
    local = instant.astimezone(zone()).replace(tzinfo=None)
    start = cut_off()
    return (local - timedelta(hours=start.hour, minutes=start.minute, seconds=start.second)).date()


def begins(day: date) -> datetime:
    """Return the instant at which a business day begins: its cut-off, in UTC."""
    return datetime.combine(day, cut_off(), zone()).astimezone(UTC)

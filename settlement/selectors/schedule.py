"""Which schedule holds on a day, and the due date it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from django.utils.translation import gettext as _

from foundation import clock
from foundation.services import calendar
from merchants.models.industry import SAME_DAY, SAME_DAY_PRODUCT
from settlement.models import Schedule
from settlement.models.schedule import CODE_PATTERN, DEFAULT_CODE


def is_code(code: str) -> bool:
    """Return whether `code` names a schedule: T1, D3, WEEKLY:5, MONTHLY:15, MANUAL."""
    return re.fullmatch(CODE_PATTERN, code) is not None


def in_force(*, merchant_id: int, day: date) -> str:
    """Return the code that holds for facts of that business date; T1 where none was set (SCH-1)."""
    row = (
        Schedule.objects.filter(merchant_id=merchant_id, effective_from__lte=day)
        .order_by("-effective_from", "-version")
        .first()
    )
    return row.code if row else DEFAULT_CODE


def conflicts(merchant_id: int, products: frozenset[str]) -> Iterator[str]:
    """
    Say that a merchant is settled the same day although its products do not say so: a change of
    the merchant leaves its schedule as it is (APP-16).
    """
    code = in_force(merchant_id=merchant_id, day=clock.business_date(clock.now()))
    if code in SAME_DAY and SAME_DAY_PRODUCT not in products:
        yield _(
            "It stays settled the same day (%(schedule)s), which these products do not include:"
            " its schedule has to be changed as well."
        ) % {"schedule": code}


def due_date(code: str, day: date) -> date | None:
    """
    Return the due date of a fact of business date `day`; None when it is settled by hand.

    The twin of the SQL function `settlement_due_date`. Raises CalendarYearNotLoaded.
    Rule: SCH-2 to SCH-6 (docs/rules/schedules.md).
    """
    if code == "MANUAL":
        return None
    if code.startswith("T"):
        return calendar.add_business_days(day, int(code[1:]))
    if code.startswith("D"):
        return day + timedelta(days=int(code[1:]))
    kind, number = code.split(":")
    if kind == "WEEKLY":
        return day + timedelta(days=(int(number) - day.isoweekday() - 1) % 7 + 1)
    first = day.replace(day=1)
    if day.day >= int(number):
        first = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=int(number))

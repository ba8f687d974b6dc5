"""Schedules: the first one of a new merchant, and the next one of an old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from config.errors import Malformed
from foundation import actor, clock, sql
from merchants.models import Capability
from merchants.selectors import capability as capabilities
from settlement.models import Schedule
from settlement.models.schedule import DEFAULT_CODE, SAME_DAY
from settlement.selectors import schedule as schedules

ALWAYS: Final = date(1970, 1, 1)  # the first schedule holds for everything that came before it too


class ScheduleRefused(Malformed):
    """The schedule or its surcharge is none that exists."""

    code = "schedule_refused"


_FIRST: Final = """
INSERT INTO settlement_schedule (merchant_id, effective_from, version, code, actor, request_id)
SELECT m.merchant_id, %(always)s, 1, coalesce(nullif(m.schedule, ''), %(default_code)s), %(actor)s,
  %(request_id)s
FROM merchants_intake_merchant m
WHERE m.call_id = %(call_id)s AND m.merchant_id = ANY (%(merchants)s)
ORDER BY m.merchant_id
ON CONFLICT (merchant_id, effective_from, version) DO NOTHING
"""


def on_new_merchants(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Give merchants their first schedule: those that a file brought in set-based, one that was
    approved by what its application asked for (SCH-1).
    """
    if event == "merchant.approved":
        for merchant_id in merchant_ids:
            change(merchant_id=merchant_id, code=payload["schedule"], effective_from=ALWAYS)
    if event != "merchants_imported":
        return
    by = actor.current()
    sql.execute(
        _FIRST,
        {
            "always": ALWAYS,
            "default_code": DEFAULT_CODE,
            "call_id": payload["call_id"],
            "merchants": list(merchant_ids),
            "actor": by.name,
            "request_id": by.request_id,
        },
    )


def on_capability(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
    """
    Settle a merchant from which the same day was taken T1, from the day on which that was decided,
    and on every later day for which the same day was agreed. Rule: SCH-8, CAP-3.
    """
    if event != "merchants.capability" or Capability.SAME_DAY not in payload["taken"]:
        return
    today = clock.business_date(payload["at"])
    for merchant_id in merchant_ids:
        later = Schedule.objects.filter(merchant_id=merchant_id, effective_from__gt=today)
        days = {today, *later.values_list("effective_from", flat=True)}
        for day in sorted(days):
            if schedules.in_force(merchant_id=merchant_id, day=day) in SAME_DAY:
                change(merchant_id=merchant_id, code=DEFAULT_CODE, effective_from=day)


def change(
    *,
    merchant_id: int,
    code: str,
    effective_from: date,
    surcharge_percent: Decimal = Decimal(0),
    surcharge_fixed_minor: int = 0,
) -> Schedule:
    """
    Add a schedule that holds for facts of `effective_from` and later.

    Dates that are computed already stay as they are. `surcharge_percent` is per hundred of what is
    advanced, `surcharge_fixed_minor` in minor units of the currency settled; only T0 and D0 may
    have them. Raises ScheduleRefused, CapabilityTaken.
    Rule: SCH-1, SCH-7, SCH-8 (docs/rules/schedules.md).
    """
    if not schedules.is_code(code):
        raise ScheduleRefused(_("%(code)s is no schedule.") % {"code": code}, code=code)
    if code not in SAME_DAY and (surcharge_percent or surcharge_fixed_minor):
        raise ScheduleRefused(_("Only T0 and D0 have a surcharge."), code=code)
    if code in SAME_DAY:
        capabilities.require(Capability.SAME_DAY, merchant_id=merchant_id)
    if not 0 <= surcharge_percent <= 100 or surcharge_fixed_minor < 0:
        raise ScheduleRefused(_("The surcharge is out of range."), code=code)
    by = actor.current()
    with transaction.atomic():
        sql.rows(  # one change of a merchant's schedule at a time
            "SELECT pg_advisory_xact_lock(hashtextextended('settlement.schedule', %s))",
            [merchant_id],
        )
        former = Schedule.objects.filter(merchant_id=merchant_id, effective_from=effective_from)
        version = (former.aggregate(last=Max("version"))["last"] or 0) + 1
        return Schedule.objects.create(
            merchant_id=merchant_id,
            effective_from=effective_from,
            version=version,
            code=code,
            surcharge_percent=surcharge_percent,
            surcharge_fixed_minor=surcharge_fixed_minor,
            actor=by.name,
            request_id=by.request_id,
        )

"""When a merchant's money is due, and how that day was found (X13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from foundation import sql
from foundation.money import Money
from foundation.services import calendar
from settlement.models import Due
from settlement.models.due import Explanation

MOST_WAITING: Final = 200  # merchants that one page of what waits for release shows

# Payments of the schedule MANUAL without a date, and the refunds that take their dates; the partial
# index due_without_date is walked merchant by merchant.
_WAITING: Final = """
SELECT d.merchant_id, m.merchant_no, m.name, d.currency,
       count(*) FILTER (WHERE d.source_kind = 'payment') AS payments,
       sum(d.amount_minor)::bigint AS amount_minor, min(d.business_date) AS since
  FROM settlement_due d JOIN merchants_merchant m ON m.id = d.merchant_id
 WHERE d.due_date IS NULL AND (d.merchant_id, d.currency) > (%(after)s, %(currency)s)
   AND (d.explanation = 'manual' OR d.explanation = 'own_payment' AND EXISTS (
         SELECT FROM settlement_due p
          WHERE p.merchant_id = d.merchant_id AND p.source_kind = 'payment'
            AND p.source_id = d.origin_id AND p.due_date IS NULL AND p.explanation = 'manual'))
 GROUP BY d.merchant_id, m.merchant_no, m.name, d.currency
 ORDER BY d.merchant_id, d.currency LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a merchant that is settled by hand has waiting in one currency, net of its refunds."""

    merchant_id: int
    merchant_no: str
    name: str
    currency: str
    payments: int
    amount: Money
    since: date  # the earliest business date


def waiting_for_release(
    *, after: int = 0, currency: str = "", limit: int = MOST_WAITING
) -> list[Waiting]:
    """
    Return what waits for a person's release, in order of merchants and currencies after those
    given. Rule: SCH-6.
    """
    rows = sql.rows(_WAITING, {"after": after, "currency": currency, "limit": limit})
    return [
        Waiting(
            row["merchant_id"],
            row["merchant_no"],
            row["name"],
            row["currency"],
            row["payments"],
            Money(row["amount_minor"], row["currency"]),
            row["since"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Explained:
    """A due date with the sentences that lead to it, in the reader's language."""

    due_date: date | None
    sentences: tuple[str, ...]


def explain(due: Due) -> Explained:
    """
    Return how the due date of an amount was found, step by step; the stored date is never
    computed again: where the calendar was changed since, the sentences say so. Rule: DUE-6.
    """
    first = _("Business date %(date)s.") % {"date": due.business_date.isoformat()}
    return Explained(due.due_date, (first, *_reasons(due)))


def _reasons(due: Due) -> list[str]:
    if due.explanation == Explanation.AT_ONCE:
        return [
            _("Its payment is settled already or used up: due at once, with the next settlement.")
        ]
    if due.explanation == Explanation.OWN_PAYMENT:
        return [_("A refund out of its own payment is due with that payment.")]
    if due.explanation == Explanation.MANUAL:
        if due.due_date is None:
            return [_("This merchant is settled by hand: it waits for a person.")]
        return [_("Settled by hand, released for %(date)s.") % {"date": due.due_date.isoformat()}]
    return _by_schedule(due)


def _by_schedule(due: Due) -> list[str]:
    kind, _colon, number = due.schedule_code.partition(":")
    if due.due_date is None:
        words = {"code": due.schedule_code}
        return [_("Schedule %(code)s: it waits until the calendar year is loaded.") % words]
    if kind == "WEEKLY":
        day = WEEKDAYS[int(number) - 1]
        return [_("Settled weekly: the next %(day)s after it.") % {"day": day}]
    if kind == "MONTHLY":
        return [_("Settled monthly: the next day %(day)s of a month after it.") % {"day": number}]
    days = int(kind[1:])
    if kind.startswith("D"):
        return [
            _("Schedule %(code)s: %(days)s calendar days later.") % {"code": kind, "days": days}
        ]
    counted = calendar.explain(due.business_date, days)
    lines = [
        _("Schedule %(code)s: %(days)s working days later.") % {"code": kind, "days": days},
        *map(str, counted.steps),
    ]
    if counted.result != due.due_date:
        lines.append(
            _("The calendar was changed since; the date of then stays: %(date)s.")
            % {"date": due.due_date.isoformat()}
        )
    return lines

"""When a merchant's money is due, and how that day was found (X13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from foundation.services import calendar
from settlement.models import Due
from settlement.models.due import Explanation


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

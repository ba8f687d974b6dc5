"""Business days: T+n, in words too, and the loading of a new year's notice."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db import transaction
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed
from foundation import registries, sql
from foundation.models import BusinessDay

COLUMNS: Final = ["date", "is_business_day", "name"]
_MARKS: Final = {"yes": True, "no": False}


class CalendarYearNotLoaded(DomainError):
    """The calendar does not reach that far: load the year's notice. Nothing is guessed (CAL-3)."""

    code = "calendar_year_not_loaded"

    def __init__(self, year: int) -> None:
        self.year = year
        super().__init__(
            _("The business calendar of %(year)s is not loaded.") % {"year": year}, year=year
        )


class CalendarYearRefused(Malformed):
    """The file is not a whole, plausible year; `rows` names every bad row and why."""

    code = "calendar_year_refused"

    def __init__(self, rows: Sequence[BadRow]) -> None:
        self.rows = list(rows)
        super().__init__("\n".join(map(str, self.rows)), rows=self.rows)


@dataclass(frozen=True, slots=True)
class BadRow:
    """What is wrong in one row of the file; row 1 is the header."""

    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        words = {"row": self.row, "column": self.column, "value": repr(self.value)}
        return _("Row %(row)s, %(column)s %(value)s: ") % words + self.reason


@dataclass(frozen=True, slots=True)
class YearLoaded:
    """The year, and how many of its days are new, changed or were known."""

    year: int
    new: int
    changed: int
    known: int


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step of a count, a day or a run of days off; `str()` is a sentence in the reader's language.
    """

    kind: str  # START, OFF or COUNTED
    first: date
    last: date
    name: str = ""
    number: int = 0
    of: int = 0

    def __str__(self) -> str:
        words = {
            "day": f"{self.first.isoformat()} ({WEEKDAYS[self.first.weekday()]})",
            "days": f"{self.first.isoformat()} – {self.last.isoformat()}",
            "name": _(self.name) if self.name else _("weekend"),
            "number": self.number,
            "of": self.of,
        }
        if self.kind == "START":
            return _("%(day)s: counting starts here.") % words
        if self.kind == "OFF" and self.first == self.last:
            return _("%(day)s: %(name)s, not counted.") % words
        if self.kind == "OFF":
            return _("%(days)s: %(name)s, not counted.") % words
        if self.of == 0:
            return _("%(day)s: the first working day.") % words
        if self.name:
            return (
                _("%(day)s: working day made up for %(name)s, number %(number)s of %(of)s.") % words
            )
        return _("%(day)s: working day number %(number)s of %(of)s.") % words


@dataclass(frozen=True, slots=True)
class Explanation:
    """A date and how it was computed (X13)."""

    start: date
    days: int
    result: date
    steps: tuple[Step, ...]


def add_business_days(start: date, days: int) -> date:
    """
    Return the `days`-th business day after `start`; for 0 `start` itself, or the next business day.

    A negative number counts back. Raises CalendarYearNotLoaded. Rule: CAL-1 to CAL-3.
    """
    found = sql.rows("SELECT public.foundation_add_business_days(%s, %s) AS day", [start, days])
    day: date | None = found[0]["day"]
    if day is None:
        raise CalendarYearNotLoaded(_missing_year(start, days))
    return day


def next_business_day(day: date) -> date:
    """Return the first business day after `day`. Raises CalendarYearNotLoaded."""
    return add_business_days(day, 1)


def is_business_day(day: date) -> bool:
    """Return whether banks work on `day`. Raises CalendarYearNotLoaded."""
    found = BusinessDay.objects.filter(date=day).first()
    if found is None:
        raise CalendarYearNotLoaded(day.year)
    return found.is_business_day


def explain(start: date, days: int) -> Explanation:
    """
    Return T+`days` of `start` with every step that leads there, for `days` >= 0.

    Raises CalendarYearNotLoaded, ValueError for a count backwards. Rule: CAL-4.
    """
    if days < 0:
        raise ValueError("only counts forward are explained")
    result = add_business_days(start, days)
    first = start if days == 0 else start + timedelta(days=1)
    calendar = BusinessDay.objects.filter(date__range=(first, result)).order_by("date")
    return Explanation(start, days, result, tuple(_steps(start, days, calendar)))


def set_day(day: date, *, is_business_day: bool, name: str, source: str) -> None:
    """
    Change one loaded day; dates that are computed and stored already stay as they are (CAL-5).

    Raises CalendarYearNotLoaded, CalendarYearRefused when an exception to the week has no name.
    """
    _require_name(0, day, is_business_day, name)
    if not BusinessDay.objects.filter(date=day).update(
        is_business_day=is_business_day, name=name, source=source
    ):
        raise CalendarYearNotLoaded(day.year)


def load_year(lines: Iterable[str], *, source: str, replace: bool = False) -> YearLoaded:
    """
    Load one year from CSV lines (`date,is_business_day,name`; yes or no), all or nothing.

    The same year again changes nothing; other content is refused unless `replace`. Announces
    "calendar_year_loaded" to the lifecycle listeners, who fill the dates that waited for it.
    Raises CalendarYearRefused naming every bad row. Rule: CAL-6.
    """
    days = _read(lines)
    year = days[0].date.year
    with transaction.atomic():
        known = {
            day.date: day for day in BusinessDay.objects.select_for_update().filter(date__year=year)
        }
        changed = [day for day in days if day.date in known and _differs(day, known[day.date])]
        if known and changed and not replace:
            raise CalendarYearRefused(
                [
                    BadRow(
                        days.index(day) + 2,
                        "date",
                        str(day.date),
                        _("is loaded with other content"),
                    )
                    for day in changed
                ]
            )
        for day in (*days, *known.values()):
            day.source = source
        if not known:
            _require_neighbour(year)
            BusinessDay.objects.bulk_create(days)
        else:
            BusinessDay.objects.bulk_update(changed, ["is_business_day", "name", "source"])
        registries.announce("calendar_year_loaded", merchant_ids=[], payload={"year": year})
    new = 0 if known else len(days)
    return YearLoaded(year, new, len(changed), len(days) - new - len(changed))


def _steps(start: date, days: int, calendar: Iterable[BusinessDay]) -> Iterator[Step]:
    yield Step("START", start, start)
    run: Step | None = None
    number = 0
    for day in calendar:
        if day.is_business_day:
            if run is not None:
                yield run
                run = None
            number += 1
            yield Step("COUNTED", day.date, day.date, day.name, number, days)
        elif run is not None and run.name == day.name:
            run = Step("OFF", run.first, day.date, day.name)
        else:
            if run is not None:
                yield run
            run = Step("OFF", day.date, day.date, day.name)


def _missing_year(start: date, days: int) -> int:
    years = BusinessDay.objects.dates("date", "year")
    loaded = {day.year for day in years}
    if not loaded or start.year not in loaded:
        return start.year
    return min(loaded) - 1 if days < 0 else max(loaded) + 1


def _read(lines: Iterable[str]) -> list[BusinessDay]:
    """Return the days of the file, in order, or raise CalendarYearRefused with every bad row."""
    reader = csv.reader(lines)
    header = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
    if header != COLUMNS:
        raise CalendarYearRefused([BadRow(1, "header", ",".join(header), ",".join(COLUMNS))])
    bad: list[BadRow] = []
    days: list[BusinessDay] = []
    for row, values in enumerate(reader, start=2):
        try:
            days.append(_day(row, values))
        except CalendarYearRefused as refusal:
            bad += refusal.rows
    bad += _not_the_whole_year(days)
    if bad:
        raise CalendarYearRefused(bad)
    return days


def _day(row: int, values: Sequence[str]) -> BusinessDay:
    if len(values) != len(COLUMNS):
        raise CalendarYearRefused([BadRow(row, "row", ",".join(values), _("needs 3 columns"))])
    text, mark, name = values
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CalendarYearRefused([BadRow(row, "date", text, _("is not YYYY-MM-DD"))]) from None
    if mark not in _MARKS:
        raise CalendarYearRefused([BadRow(row, "is_business_day", mark, _("is not yes or no"))])
    if len(name) > 100:
        raise CalendarYearRefused([BadRow(row, "name", name, _("is longer than 100 letters"))])
    _require_name(row, day, _MARKS[mark], name)
    return BusinessDay(date=day, is_business_day=_MARKS[mark], name=name)


def _require_name(row: int, day: date, works: bool, name: str) -> None:
    """Refuse a weekday off or a working weekend that does not say why."""
    if works != (day.weekday() < 5) and not name:
        reason = _("differs from the ordinary week and names no holiday")
        raise CalendarYearRefused([BadRow(row, "name", day.isoformat(), reason)])


def _not_the_whole_year(days: Sequence[BusinessDay]) -> list[BadRow]:
    if not days:
        return [BadRow(1, "date", "", _("the file has no day"))]
    expected, bad = date(days[0].date.year, 1, 1), []
    for row, day in enumerate(days, start=2):
        if day.date != expected:
            bad.append(
                BadRow(
                    row, "date", day.date.isoformat(), _("%(day)s was expected") % {"day": expected}
                )
            )
            expected = day.date
        expected += timedelta(days=1)
    if expected != date(days[0].date.year + 1, 1, 1):
        bad.append(
            BadRow(len(days) + 1, "date", str(days[-1].date), _("the year does not end here"))
        )
    return bad[:20]


def _require_neighbour(year: int) -> None:
    loaded = {day.year for day in BusinessDay.objects.dates("date", "year")}
    if loaded and not {year - 1, year + 1} & loaded:
        raise CalendarYearNotLoaded(max(loaded) + 1 if year > max(loaded) else min(loaded) - 1)


def _differs(day: BusinessDay, known: BusinessDay) -> bool:
    return (day.is_business_day, day.name) != (known.is_business_day, known.name)

"""
`write_calendar_year`: write a year as the library chinesecalendar knows it, to load or to compare.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.services.calendar import COLUMNS


class Command(BaseCommand):
    """The files in `foundation/data` were made by it."""

    help = "Write a year of business days to a CSV file, from the library chinesecalendar."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        day = date(options["year"], 1, 1)
        rows = []
        try:
            while day.year == options["year"]:
                name = chinese_calendar.get_holiday_detail(day)[1] or ""  # type: ignore[no-untyped-call]
                works = chinese_calendar.is_workday(day)  # type: ignore[no-untyped-call]
                rows.append([day.isoformat(), "yes" if works else "no", name])
                day += timedelta(days=1)
        except NotImplementedError as unknown:
            raise CommandError(f"the library does not know {day.year}", returncode=1) from unknown
        with options["file"].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])

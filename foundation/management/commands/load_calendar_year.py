"""`load_calendar_year`: take in the State Council's notice of a year's working days."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.errors import DomainError
from foundation import actor
from foundation.command import JsonCommand
from foundation.services import calendar


class Command(JsonCommand):
    """All or nothing; exit code 1 when refused; the same file again changes nothing."""

    help = "Load a year of business days from a CSV file (date,is_business_day,name)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--source", default="", help="number of the notice; else the file's name"
        )
        parser.add_argument("--replace", action="store_true", help="change days that are loaded")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with actor.acting("system:load_calendar_year"):
                loaded = calendar.load_year(
                    path.read_text(encoding="utf-8-sig").splitlines(),
                    source=options["source"] or path.name,
                    replace=options["replace"],
                )
        except calendar.CalendarYearRefused as refusal:
            if options["json"]:
                self.stdout.write(json.dumps({"errors": [asdict(row) for row in refusal.rows]}))
            raise CommandError(str(refusal), returncode=1) from refusal
        except (DomainError, OSError, UnicodeDecodeError) as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        text = "{year}: {new} days new, {changed} changed, {known} known"
        counts = asdict(loaded)
        self.stdout.write(json.dumps(counts) if options["json"] else text.format(**counts))

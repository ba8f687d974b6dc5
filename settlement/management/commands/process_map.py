"""`process_map`: every stage of every process, who may, what it produces and by when."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from foundation.command import JsonCommand
from settlement.processes import chart as process_map


class Command(JsonCommand):
    """Exit code 0. Reads the code alone."""

    help = "Print the process map (docs/rules/processes.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        charts = process_map.charts()
        if options["json"]:
            found = [asdict(chart) for chart in charts]
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=1, default=sorted))
            return
        for chart in charts:
            self.stdout.write(f"\n{chart.title}")
            for station in chart.stations:
                self._station(station)

    def _station(self, station: process_map.Station) -> None:
        self.stdout.write(f"  {station.title}  ({', '.join(station.rules)})")
        self.stdout.write(f"    {station.duty}")
        for door in (*station.doors, *station.decisions):
            right = f" [{door.right}]" if door.right else ""
            self.stdout.write(f"    {door.name}: {door.who}{right}")
        for title, values in (
            (_("moves"), station.moves),
            (_("data"), station.data),
            (_("within"), (station.deadline,)),
            (_("then"), station.follows),
        ):
            if any(values):
                self.stdout.write(f"    {title}: {'; '.join(values)}")

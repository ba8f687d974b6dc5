"""`watch_papers`: warn of papers that end, and propose what follows."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser

from foundation import actor, clock
from foundation.command import JsonCommand, day
from merchants.services import paper_watch


class Command(JsonCommand):
    """
    Exit code 0 when all is told and proposed, 1 when something could not be proposed or another run
    is at it, 2 for a day that is malformed or still to come. Safe to kill, repeat, run twice.
    """

    help = "Warn of papers that end, and propose what follows; run again it does nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date", type=day, help="as of this day, YYYY-MM-DD; today if left out"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what it would do")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        at = clock.now()
        today = clock.business_date(at)
        on = options["date"] or today
        if on > today and not options["dry_run"]:
            raise CommandError("--date is still to come: only --dry-run looks ahead", returncode=2)
        if options["dry_run"]:
            self._say(on, paper_watch.preview(on_date=on, at=at), options)
            return
        with actor.acting("system:watch_papers"):
            done = paper_watch.run(on_date=on, at=at, notify=self._progress(options))
        self._say(on, done, options)
        if done.failed:
            raise CommandError(f"{len(done.failed)} could not be proposed", returncode=1)

    def _say(self, on: date, done: paper_watch.Outcome, options: dict[str, Any]) -> None:
        if options["json"]:
            answer = {
                "on_date": on.isoformat(),
                "dry_run": options["dry_run"],
                "warned": dict(done.warned),
                "to_restrict": done.to_restrict,
                "to_restore": done.to_restore,
                "withdrawn": done.withdrawn,
                "failed": done.failed,
            }
            self.stdout.write(json.dumps(answer))
            return
        would = "would be " if options["dry_run"] else ""
        told = ", ".join(f"{many} {stage}" for stage, many in done.warned.items()) or "none"
        self.stdout.write(f"{on}: warnings {would}written: {told}")
        for what, merchants in (
            (f"{would}proposed to restrict", done.to_restrict),
            (f"{would}proposed to restore", done.to_restore),
            ("proposals taken back", done.withdrawn),
            ("could not be proposed", done.failed),
        ):
            if merchants:
                self.stdout.write(f"{what}: {len(merchants)}: {', '.join(merchants)}")

    def _progress(self, options: dict[str, Any]) -> paper_watch.Notify:
        shown = sys.stderr.isatty() and not options["json"]

        def notify(done: int) -> None:
            if shown:
                self.stderr.write(f"\r{done} warnings written", str, ending="\n")

        return notify

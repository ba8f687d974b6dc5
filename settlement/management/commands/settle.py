"""`settle`: settle all that is due by a date."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser

from channels.services import clearing
from foundation import actor, clock
from foundation.command import JsonCommand, day
from settlement.selectors import preview
from settlement.selectors import run as runs_seen
from settlement.services import run as runs


class Command(JsonCommand):
    """
    Exit code 0 when everything due is settled (nothing new included), 1 when merchants are held
    back, 2 for a malformed date, 3 when no worker answers. Safe to kill, to repeat, to run twice.
    """

    help = "Settle all that is due by a date; with nothing new nothing is made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", type=day, required=True, help="business date, YYYY-MM-DD")
        parser.add_argument("--inline", action="store_true", help="work here, without workers")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be settled")
        parser.add_argument(
            "--threads",
            type=int,
            default=min(4, os.cpu_count() or 1),
            help="parts worked on at once with --inline",
        )
        parser.add_argument("--part-size", type=int, default=runs.PART_SIZE)
        parser.add_argument("--wait", type=float, default=20.0, help="seconds without any worker")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        run_date: date = options["date"]
        if options["part_size"] < 1:
            raise CommandError("--part-size must be at least 1", returncode=2)
        with actor.acting("system:settle"):
            if options["dry_run"]:
                self._preview(run_date, options)
            else:
                self._settle(run_date, options)

    def _preview(self, run_date: date, options: dict[str, Any]) -> None:
        items = preview.items(run_date=run_date)
        if options["json"]:
            over = preview.passed_over(run_date=run_date)
            found = [asdict(item) | {"passed_over": ""} for item in items]
            found += [asdict(item) | {"passed_over": "FROZEN"} for item in over]
            self.stdout.write(json.dumps(found))
            return
        for item in items:
            self.stdout.write(
                f"{item.merchant_no} {item.currency} net {item.net_minor}, lines {item.line_count},"
                f" to debt {item.to_debt_minor}, surcharge {item.surcharge_minor},"
                f" to available {item.to_available_minor}"
            )
        for item in preview.passed_over(run_date=run_date):
            self.stdout.write(
                f"passed over, its merchant is frozen: {item.merchant_no} {item.currency}"
                f" net {item.net_minor}, lines {item.line_count}"
            )
        self.stdout.write(f"{len(items)} items would be settled")

    def _settle(self, run_date: date, options: dict[str, Any]) -> None:
        at = clock.now()
        cleared = clearing.clear_all(at=at, progress=self._progress(options, "chunks cleared"))
        retried = runs.retry_held_back(at=at)
        done: list[int] = []
        joined = True
        while joined:  # what came while an unfinished run was ended is the next cycle's
            started = runs.start(run_date=run_date, part_size=options["part_size"])
            if started is None:
                break
            joined = not started.new
            done.append(started.run.id)
            self._work(started, options)
        self._report(run_date, done, retried, options)
        if cleared.failed:
            raise CommandError(f"{cleared.failed} chunks could not be cleared", returncode=1)

    def _work(self, started: runs.Started, options: dict[str, Any]) -> None:
        notify, at = self._progress(options, "parts settled"), clock.now()
        if options["inline"]:
            runs.work_inline(run=started.run, at=at, notify=notify, threads=options["threads"])
            return
        try:
            runs.work_by_workers(
                run=started.run, patience_seconds=options["wait"], at=at, notify=notify
            )
        except runs.WorkersSilent as silent:
            raise CommandError(str(silent), returncode=3) from silent

    def _report(
        self, run_date: date, done: list[int], retried: int, options: dict[str, Any]
    ) -> None:
        found, held = runs_seen.summary(run_ids=done), runs_seen.held_back()
        if options["json"]:
            answer = {"run_date": run_date, **asdict(found), "retried": retried}
            answer["held_back"] = [asdict(item) for item in held]
            self.stdout.write(json.dumps(answer, default=str))
        elif not found.items and not retried:
            self.stdout.write(f"nothing new is due by {run_date}")
        else:
            nets = ", ".join(f"{minor} {currency}" for currency, minor in found.net.items())
            self.stdout.write(
                f"settled {found.items} items with {found.lines} lines in {found.batches} batches"
                f" (minor units: {nets or 'none'}); {retried} held back before are settled now"
            )
        for item in held if not options["json"] else []:
            self.stdout.write(
                f"held back: {item.merchant_no} {item.net_minor} {item.currency}: {item.reason}"
            )
        if held:
            raise CommandError(f"{len(held)} items are held back", returncode=1)

    def _progress(self, options: dict[str, Any], what: str) -> runs.Notify:
        shown = sys.stderr.isatty() and not options["json"]

        def notify(done: int, total: int) -> None:
            if shown and total:
                bar = "#" * (30 * done // total)
                end = "\n" if done == total else ""
                self.stderr.write(f"\r[{bar:<30}] {done}/{total} {what}", str, ending=end)

        return notify

"""`demo`: make the data set, do its last business day for real, print what came of it."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation import actor, clock
from foundation.csv_intake import Progress
from foundation.csv_intake.command import ProgressBar
from settlement.demo import applications, data, day, people, registrations, report, traces
from settlement.services.run import WorkersSilent


class Command(BaseCommand):
    """
    Needs a worker, the beat and the channel simulator beside it: `./run demo` starts them all.

    Safe to run again: what is there is known. Exit code 1 when the ledger checks fail or payouts do
    not end, 3 when no worker answers.
    """

    help = "Make the demo's data set, do its last business day for real, and print a summary."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="", help="where the web server answers")

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting("system:demo"), tempfile.TemporaryDirectory() as name:
            try:
                logins = self._work(Path(name))
            except WorkersSilent as silent:
                raise CommandError(str(silent), returncode=3) from silent
            except day.NotFinished as late:
                raise CommandError(str(late), returncode=1) from late
        verdict, broken = self._verify()
        for line in report.lines(verdict):
            self.stdout.write(line)
        self._tell_doors(options["address"], logins)
        if broken:
            sys.exit(1)

    def _work(self, folder: Path) -> list[people.Login]:
        days = day.days()
        self.stdout.write(f"{len(days)} business days, {days[0]} to {days[-1]}")
        data.write(folder, days)
        merchants = day.found_institution(folder, self._bar)
        day.take_in(folder, "before", self._bar)
        day.settle_history(days[:-1], self._bar)
        accounts = people.bank_accounts(merchants, clock.now())
        owner, logins, pin = people.sign_ins(merchants[people.INSTRUCTED], clock.now())
        applications.make(entered_by=people.colleague("operator"), at=clock.now())
        logins.append(people.program_key(merchants[people.INSTRUCTED], clock.now()))
        self.stdout.write(f"the last business day, {days[-1]}, through the workers:")
        day.trouble_ahead(merchants)
        day.take_in(folder, "last_day", self._bar)
        day.settle_by_workers(days[-1], self._bar)
        day.withdraw(owner, pin, accounts[people.INSTRUCTED], clock.now())
        day.wait_for_payouts(self._bar)
        day.bank_lines(clock.now())
        traces.make(merchants, at=clock.now())
        registrations.make(merchants, by=people.colleague("operator"), at=clock.now())
        return logins

    def _verify(self) -> tuple[str, bool]:
        said = io.StringIO()
        try:
            call_command("verify", stdout=said)
        except SystemExit:
            return said.getvalue(), True
        return said.getvalue(), False

    def _bar(self, name: str) -> Progress:
        self.stdout.write(f"  {name}")
        self.stdout.flush()
        return ProgressBar() if sys.stderr.isatty() else lambda done, total: None

    def _tell_doors(self, address: str, logins: list[people.Login]) -> None:
        self.stdout.write("")
        for login in logins:
            self.stdout.write(
                f"  {address}{login.door:<9} {login.name:<16} {login.password}  ({login.note})"
            )

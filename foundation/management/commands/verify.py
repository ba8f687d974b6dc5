"""`verify`: every invariant by name; exit code 1 at the first missing fen."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection, transaction

from foundation.command import JsonCommand
from foundation.registries import Finding, invariant_checks

LISTED = 20  # findings of one check that are printed for a person; --json lists up to ten thousand
_LISTED_JSON = 10_000


class Command(JsonCommand):
    """Check every registered invariant (I1 to I10 and what packages add) in one snapshot."""

    help = "Check every invariant by name. Exit code 0: all hold; 1: one is broken; 2: usage."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--only", nargs="*", metavar="NAME", help="check only these")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = [name for name in options["only"] or () if name not in invariant_checks]
        if unknown:  # a misspelt name must not read as "all hold"
            known = ", ".join(sorted(name for name, _check in invariant_checks.items()))
            message = f"no such check: {', '.join(unknown)}; there are {known}"
            raise CommandError(message, returncode=2)
        found = self._check(options["only"])
        broken = sum(len(findings) for findings in found.values())
        if options["json"]:
            checks = {
                name: [dataclasses.asdict(finding) for finding in findings[:_LISTED_JSON]]
                for name, findings in found.items()
            }
            self.stdout.write(json.dumps({"ok": not broken, "broken": broken, "checks": checks}))
        else:
            self._print(found)
        if broken:
            sys.exit(1)

    def _check(self, only: list[str] | None) -> dict[str, list[Finding]]:
        # One snapshot for all checks; on a read replica or beside writers the sums still agree.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
            return {
                name: list(check())
                for name, check in invariant_checks.items()
                if not only or name in only
            }

    def _print(self, found: dict[str, list[Finding]]) -> None:
        for name, findings in sorted(found.items()):
            verdict = self.style.SUCCESS("ok") if not findings else self.style.ERROR("BROKEN")
            self.stdout.write(f"{name:<24} {verdict}")
            for finding in findings[:LISTED]:
                self.stdout.write(
                    f"    merchant {finding.merchant_id} {finding.currency} {finding.subject}:"
                    f" expected {finding.expected}, found {finding.found}. {finding.message}"
                )
            if len(findings) > LISTED:
                self.stdout.write(f"    and {len(findings) - LISTED} more")

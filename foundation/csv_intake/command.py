"""
The habit of every import command: FILE, --json, --encoding, a progress bar, exit codes 0, 1, 2.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from foundation import actor
from foundation.command import JsonCommand
from foundation.csv_intake.report import BadRow, FileRefused, Progress
from foundation.csv_intake.source import Source
from foundation.csv_intake.staging import ENCODINGS

SHOWN: Final = 50  # bad rows on a screen; --json has more
_REFUSED: Final = 1
_USAGE: Final = 2
_UNFINISHED: Final = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What an import did: rows stored now, rows known before; `more` is what else it has to say, and
    a number of `failed` in it says that what is stored could not all be worked on.
    """

    new: int
    known: int
    sha256: str
    more: dict[str, Any] = field(default_factory=dict)


class ImportCommand(JsonCommand):
    """
    The frame of an import command: a subclass names `actor_name` and does the work in `take_in`.

    Exit codes: 0 stored or known, 1 refused (every bad row is named, nothing is stored), 2 usage,
    3 stored, but not all of it could be booked.
    """

    actor_name: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help=_("a .csv or .csv.gz file with a header row"))
        parser.add_argument("--json", action="store_true", help=_("print one JSON object"))
        parser.add_argument("--encoding", choices=sorted(ENCODINGS), default="utf-8")

    def take_in(self, source: Source, encoding: str, progress: Progress | None) -> Outcome:
        """Import the file. Raises FileRefused."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        words = {"path": path}
        try:
            source = Source.from_path(path)
            if not path.is_file():  # a pipe cannot be read twice, as a bad file is
                raise CommandError(_("%(path)s is not a file.") % words, returncode=_USAGE)
            with path.open("rb"):
                pass
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}", returncode=_USAGE) from None
        bar = ProgressBar() if sys.stderr.isatty() and not options["json"] else None
        with actor.acting(f"system:{self.actor_name}"):
            try:
                outcome = self.take_in(source, options["encoding"], bar)
            except FileRefused as refusal:
                self._refuse(path, refusal, as_json=options["json"])
        self._tell(path, outcome, as_json=options["json"])
        if outcome.more.get("failed"):
            raise CommandError(_("Stored, but not all of it was booked."), returncode=_UNFINISHED)

    def _tell(self, path: Path, outcome: Outcome, *, as_json: bool) -> None:
        if as_json:
            counts = {"new": outcome.new, "known": outcome.known, "sha256": outcome.sha256}
            self._print({"file": str(path), **counts, "bad": [], "bad_rows": 0, **outcome.more})
            return
        words = {"file": path.name, "new": outcome.new, "known": outcome.known}
        self.stdout.write(_("%(file)s: new %(new)s, known %(known)s") % words)
        for name, value in outcome.more.items():
            self.stdout.write(f"  {name}: {value}")

    def _refuse(self, path: Path, refusal: FileRefused, *, as_json: bool) -> None:
        if as_json:
            self._print(
                {
                    "file": str(path),
                    "new": 0,
                    "known": 0,
                    "bad": [row.as_dict() for row in refusal.bad],
                    "bad_rows": refusal.count,
                    "bad_not_listed": refusal.not_listed,
                }
            )
        else:
            for line in table(refusal.bad[:SHOWN]):
                self.stderr.write(line)
            words = {"file": path.name, "count": refusal.count}
            self.stderr.write(
                _("%(file)s: refused, %(count)s bad rows, nothing was stored.") % words
            )
        sys.exit(_REFUSED)

    def _print(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer, ensure_ascii=False))


def table(bad: tuple[BadRow, ...] | list[BadRow]) -> list[str]:
    """Return bad rows as the lines of a table for people."""
    head = (_("row"), _("column"), _("value"), _("reason"))
    cells = [head, *((str(row.row), row.column, _short(row.value), row.message) for row in bad)]
    widths = [max(len(line[place]) for line in cells) for place in range(3)]
    return [
        "  ".join(
            [*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[3]]
        )
        for line in cells
    ]


def _short(value: str) -> str:
    """Make a value harmless on a terminal: what cannot be printed is escaped, the rest cut."""
    seen = "".join(char if char.isprintable() else repr(char)[1:-1] for char in value)
    return seen if len(seen) <= 40 else seen[:39] + "…"


class ProgressBar:
    """A bar on the error stream, drawn at most ten times a second."""

    def __init__(self) -> None:
        self._drawn_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        last, moment = done >= total, time.monotonic()
        if not last and moment - self._drawn_at < 0.1:
            return
        self._drawn_at = moment
        share = min(done / total, 1.0) if total else 1.0
        bar = ("█" * int(share * 30)).ljust(30, "░")
        sys.stderr.write(f"\r{bar} {share:4.0%}" + ("\n" if last else ""))
        sys.stderr.flush()

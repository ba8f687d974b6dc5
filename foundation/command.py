"""The frame of every command with `--json`: a program that reads its output always gets JSON."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentTypeError
from datetime import date
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.utils.translation import gettext as _

from config.errors import DomainError

# What an exit code means when no rule has a name of its own for it (docs/runbooks/nights.md).
_CODES: Final = {2: "usage", 3: "unfinished"}
_REFUSED: Final = 1
_USAGE: Final = 2
_UNREAD: Final = 141  # what a shell says of a program that a closed pipe ended


class _Answer(OutputWrapper):
    """Standard output that knows whether an answer was begun."""

    begun = False

    def write(self, msg: str = "", *args: Any, **options: Any) -> None:  # type: ignore[override]
        self.begun = True
        super().write(msg, *args, **options)


class JsonCommand(BaseCommand):
    """
    A command whose `--json` holds for its errors too.

    With `--json` a refusal, a usage error among them, is one object `{"error": CODE, "message":
    TEXT}` on standard output, unless the command has given its answer there already; the text goes
    to standard error as well. Exit codes: 0 done, 1 refused or something is left for people, 2
    usage, 3 not finished.
    """

    _for_program = False

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as the command line asks."""
        self._for_program = "--json" in argv[2:]
        if self._for_program:
            self.stdout = _Answer(sys.stdout)
        try:
            super().run_from_argv(argv)
            sys.stdout.flush()
        except BrokenPipeError:  # who read the output has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor may the last flush fail
            sys.exit(_UNREAD)
        except CommandError as error:  # of the parser: all others have become an exit code
            usage = CommandError(str(error).removeprefix("Error: "), returncode=_USAGE)
            self._say_refusal(usage)
            self.stderr.write(str(usage))
            sys.exit(_USAGE)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Make a parser that raises what it would print, where a program is listening."""
        if self._for_program:
            self._called_from_command_line = False
        return super().create_parser(prog_name, subcommand, **kwargs)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, and say every refusal where a program looks for it."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            self._say_refusal(error)
            raise
        except DomainError as refusal:
            refused = CommandError(str(refusal), returncode=_REFUSED)
            refused.__cause__ = refusal
            self._say_refusal(refused)
            raise refused from refusal

    def _say_refusal(self, error: CommandError) -> None:
        if not isinstance(self.stdout, _Answer) or self.stdout.begun:
            return
        code = _CODES.get(error.returncode, DomainError.code)
        if isinstance(error.__cause__, DomainError):
            code = error.__cause__.code
        said = {"error": code, "message": str(error)}
        self.stdout.write(json.dumps(said, ensure_ascii=False))


def day(text: str) -> date:
    """Read a day of the command line. Raises ArgumentTypeError, which is a usage error."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        words = {"text": text}
        raise ArgumentTypeError(_("%(text)r is not a day like 2026-01-31") % words) from None

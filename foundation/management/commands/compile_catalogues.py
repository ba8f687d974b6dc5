"""`compile_catalogues`: make .mo files of the .po files, without GNU gettext."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    """Compiles what is newer than its result; safe to run again, and several at once."""

    help = "Compile the message catalogues of every package."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="compile everything anew")

    def handle(self, *args: Any, **options: Any) -> None:
        compiled = 0
        for folder in settings.LOCALE_PATHS:
            for source in sorted(Path(folder).glob("*/LC_MESSAGES/*.po")):
                try:
                    compiled += _compile(source, force=options["force"])
                except OSError as error:
                    message = f"{source.parent} cannot be written ({error.strerror})"
                    raise CommandError(message) from error
        if options["verbosity"]:
            self.stdout.write(f"{compiled} catalogues compiled.")


def _compile(source: Path, *, force: bool) -> int:
    """Compile one catalogue and return 1, or 0 when its result is as new as the source."""
    result = source.with_suffix(".mo")
    if not force and result.exists() and result.stat().st_mtime >= source.stat().st_mtime:
        return 0
    with source.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    new = result.with_suffix(f".mo.{os.getpid()}")
    with new.open("wb") as file:
        write_mo(file, catalogue)
    new.rename(result)  # nobody ever reads half a catalogue
    return 1

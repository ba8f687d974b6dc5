"""`purge_idempotency_keys`: forget keys that are older than we promised to remember."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from foundation import clock
from foundation.command import JsonCommand
from foundation.services import idempotency


class Command(JsonCommand):
    """Safe to run any number of times; also called daily by the beat."""

    help = "Delete idempotency keys older than --keep-hours (at least 24)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--keep-hours", type=int, default=idempotency.KEEP_HOURS)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            gone = idempotency.purge(at=clock.now(), keep_hours=options["keep_hours"])
        except ValueError as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        self.stdout.write(json.dumps({"purged": gone}) if options["json"] else f"purged {gone}")

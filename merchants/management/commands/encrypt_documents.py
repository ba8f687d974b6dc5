"""`encrypt_documents [--check] [--json]`: papers from before are encrypted; all can be proved."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.errors import DomainError
from foundation import actor, clock
from foundation.command import JsonCommand
from merchants.services import document_part


class Command(JsonCommand):
    """Goes on where it stopped; exit code 1 while papers lie plain, or are damaged."""

    help = "Encrypt papers that still lie as they came; --check reads and proves every paper."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="prove all papers, encrypt none")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        encrypted, damaged = 0, []
        with actor.acting("system:encrypt_documents"):
            if options["check"]:
                damaged = document_part.damaged(at=clock.now())
            else:
                encrypted = self._encrypt(options)
        left, names = document_part.plain().count(), [str(paper.uuid) for paper in damaged]
        if options["json"]:
            told = {"encrypted": encrypted, "plain": left, "damaged": names}
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(f"{encrypted} encrypted, {left} plain, {len(names)} damaged")
            self.stdout.writelines(f"damaged: {name}\n" for name in names)
        if left or damaged:
            raise CommandError("some papers lie plain, or are damaged", returncode=1)

    def _encrypt(self, options: dict[str, Any]) -> int:
        show = None if options["json"] else self._show
        try:
            return document_part.encrypt_all(progress=show)
        except DomainError as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal

    def _show(self, done: int, total: int) -> None:
        self.stderr.write(f"{done} of {total}")

"""`rotate_keys`: write every encrypted value again with the first key of FIELD_KEYS."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.errors import DomainError
from foundation import actor
from foundation.command import JsonCommand
from foundation.services import key_rotation


class Command(JsonCommand):
    """Goes on where it stopped; exit code 1 while values of another key are left."""

    help = "Rotate the keys of encrypted fields; --check only counts what is left."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="count, change nothing")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        rotated = key_rotation.Rotated(0, 0)
        if not options["check"]:
            try:
                with actor.acting("system:rotate_keys"):
                    rotated = key_rotation.rotate(progress=self._show(options))
            except DomainError as refusal:
                raise CommandError(str(refusal), returncode=1) from refusal
        left = {
            f"{field.model._meta.label}.{field.name}": key_rotation.waiting(field)
            for field in key_rotation.encrypted_fields()
        }
        left["mfa.Authenticator.data"] = key_rotation.secrets_waiting()
        if options["json"]:
            told = {"written": rotated.written, "left": left, "damaged": rotated.damaged}
            self.stdout.write(json.dumps(told))
        else:
            lines = [f"{name}: {count} left" for name, count in left.items()]
            lines += [f"{name}: damaged, left as it is" for name in rotated.damaged]
            self.stdout.write("\n".join([f"{rotated.written} written", *lines]))
        if any(left.values()):
            raise CommandError("some values still have another key", returncode=1)

    def _show(self, options: dict[str, Any]) -> Any:
        if options["json"]:
            return None
        return lambda done, total: self.stderr.write(f"{done} of {total}")

"""`roles`: make the groups of staff equal to the table of roles, and show it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from foundation import actor, owner, roles
from foundation.command import JsonCommand


class Command(JsonCommand):
    """Exit code 0. Safe to run again; each `migrate` does the same."""

    help = "Make the groups of staff equal to the table of roles (docs/rules/roles.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting("system:roles"), owner.connected(), transaction.atomic():
            actor.stamp_transaction()
            held = roles.sync()
        if options["json"]:
            self.stdout.write(json.dumps(held))
            return
        for name, role in roles.ROLES.items():
            self.stdout.write(f"{name:<10} {held[name]:>4}  {role.title}: {role.purpose}")
            for permission in role.may:
                self.stdout.write(f"{'':<15}  {permission}")

"""The habit of the `create_...` commands: --json, secrets shown once, safe to run again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from foundation import actor
from foundation.command import JsonCommand
from merchants.models import Merchant


class CreateCommand(JsonCommand):
    """
    The frame of a command that makes one thing for a first user, as an operator's act.

    Exit codes: 0 made or there already, 1 refused by a rule, 2 usage. What is there already is left
    as it is and said so; secrets are printed once, when they are made (or with --rotate).
    """

    actor_name: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help=_("print one JSON object"))

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Make the thing and return what to print. Raises DomainError for a refusal."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        with actor.acting(f"system:{self.actor_name}"):
            answer = self.make(options)
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        made = _("made") if answer.pop("created") else _("there already, left as it is")
        if any(name in answer for name in ("password", "payment_password", "token")):
            made += "; " + _("note the secrets below, they are not shown again")
        self.stdout.write(made)
        for name, value in answer.items():
            self.stdout.write(f"  {name}: {value}")


def merchant_named(merchant_no: str) -> Merchant:
    """Return the merchant of that number. Raises CommandError (exit 2)."""
    found = Merchant.objects.filter(merchant_no=merchant_no, kind=Merchant.Kind.MERCHANT).first()
    if found is None:
        words = {"merchant_no": merchant_no}
        raise CommandError(_("There is no merchant %(merchant_no)s.") % words, returncode=2)
    return found

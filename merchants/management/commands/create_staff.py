"""`create_staff USERNAME [--name N] [--role R] [--superuser] [--group G] [--rotate] [--json]`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from foundation import clock, roles
from merchants.management.creation import CreateCommand
from merchants.services import account as accounts


class Command(CreateCommand):
    """Make a staff account for the admin."""

    help = "Make a staff account; its password is shown once."
    actor_name = "create_staff"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="the person's name")
        parser.add_argument("--email", default="")
        parser.add_argument("--superuser", action="store_true", help="may do everything")
        parser.add_argument(
            "--role",
            action="append",
            default=[],
            choices=sorted(roles.ROLES),
            help="what it may do (docs/rules/roles.md); may be given again",
        )
        parser.add_argument("--group", action="append", default=[], help="may be given again")
        parser.add_argument("--same-person-as", default="", metavar="USERNAME")
        parser.add_argument("--rotate", action="store_true", help="give a new password")

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        made = accounts.ensure(
            username=options["username"],
            name=options["name"],
            email=options["email"],
            staff=True,
            superuser=options["superuser"],
            groups=[*options["role"], *options["group"]],
            same_person_as=options["same_person_as"],
            rotate=options["rotate"],
            at=clock.now(),
        )
        answer = {
            "created": made.created,
            "username": made.user.username,
            "superuser": made.user.is_superuser,
            "roles": sorted(made.user.groups.values_list("name", flat=True)),
        }
        return answer | ({"password": made.password} if made.password else {})

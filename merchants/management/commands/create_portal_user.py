"""
`manage.py create_portal_user USERNAME --merchant NO --role OWNER [--payment-password] [--json]`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from foundation import clock
from merchants.management.creation import CreateCommand, merchant_named
from merchants.models import Membership, PaymentPassword
from merchants.services import account as accounts
from merchants.services import membership as memberships
from merchants.services import payment_password as payment_passwords

_ROLES = [role for role in Membership.Role.values if role != Membership.Role.CUSTOM]


class Command(CreateCommand):
    """
    Make an account for the portal, its role with a merchant and, if asked, a payment password.
    """

    help = "Make a portal account with a role; secrets are shown once."
    actor_name = "create_portal_user"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("--merchant", required=True, metavar="MERCHANT_NO")
        parser.add_argument("--role", choices=_ROLES, required=True)
        parser.add_argument("--name", default="", help="the person's name")
        parser.add_argument("--email", default="")
        parser.add_argument("--same-person-as", default="", metavar="USERNAME")
        parser.add_argument(
            "--payment-password", action="store_true", help="make a random payment password too"
        )
        parser.add_argument("--rotate", action="store_true", help="give new secrets")

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        at, merchant = clock.now(), merchant_named(options["merchant"])
        with transaction.atomic():
            made = accounts.ensure(
                username=options["username"],
                name=options["name"],
                email=options["email"],
                staff=False,
                same_person_as=options["same_person_as"],
                rotate=options["rotate"],
                at=at,
            )
            member = memberships.grant(
                merchant_id=merchant.id, user=made.user, role=options["role"], at=at
            )
            answer: dict[str, Any] = {
                "created": made.created,
                "username": made.user.username,
                "merchant_no": merchant.merchant_no,
                "role": member.role,
            }
            if made.password:
                answer["password"] = made.password
            known = PaymentPassword.objects.filter(merchant=merchant, user=made.user).exists()
            if options["payment_password"] and (options["rotate"] or not known):
                answer["payment_password"] = payment_passwords.generate()
                payment_passwords.set_password(
                    merchant_id=merchant.id,
                    user=made.user,
                    payment_password=answer["payment_password"],
                    at=at,
                )
        return answer

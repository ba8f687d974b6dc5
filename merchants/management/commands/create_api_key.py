"""`manage.py create_api_key NAME --scope S [--merchant NO | --kind KIND] [--json]`"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from foundation import clock
from merchants.management.creation import CreateCommand, merchant_named
from merchants.models import ApiKey, Scope
from merchants.selectors.partner_grant import numbers_of
from merchants.services import api_key as api_keys
from merchants.services import partner_grant as partner_grants


class Command(CreateCommand):
    """Make an API key."""

    help = "Make an API key; its secret is shown once."
    actor_name = "create_api_key"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="names the key within its book")
        parser.add_argument("--merchant", metavar="MERCHANT_NO", help="for a merchant's key")
        parser.add_argument(
            "--kind", choices=ApiKey.Kind.values, help="MERCHANT with --merchant, else INSTITUTION"
        )
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            required=True,
            metavar="SCOPE",
            help=", ".join(Scope.values),
        )
        parser.add_argument(
            "--acts-for",
            action="append",
            default=[],
            metavar="MERCHANT_NO",
            help="a merchant for whom a partner's key may act; one that is there gets it too",
        )
        parser.add_argument("--network", action="append", default=[], help="allowed, CIDR form")
        parser.add_argument("--days", type=int, help="expires after so many days")
        parser.add_argument("--rotate", action="store_true", help="give a new secret")

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        at, days = clock.now(), options["days"]
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--days must be 1 to 3650", returncode=2)
        merchant = merchant_named(options["merchant"]) if options["merchant"] else None
        acts_for = [merchant_named(number) for number in options["acts_for"]]
        kind = options["kind"] or (ApiKey.Kind.MERCHANT if merchant else ApiKey.Kind.INSTITUTION)
        with transaction.atomic():
            made = api_keys.create(
                merchant=merchant,
                name=options["name"],
                scopes=options["scope"],
                at=at,
                kind=kind,
                networks=options["network"],
                expires_at=None if days is None else at + timedelta(days=days),
            )
            if options["rotate"] and not made.created:
                made = api_keys.rotate(merchant_id=made.key.merchant_id, key_id=made.key.id)
            for each in acts_for:
                partner_grants.grant(key=made.key, merchant=each, at=at)
        answer = {
            "created": made.created,
            "name": made.key.name,
            "kind": str(made.key.kind),
            "merchant_no": made.key.merchant.merchant_no,
            "prefix": made.key.prefix,
            "scopes": list(made.key.scopes),
            "acts_for": numbers_of(key=made.key),
        }
        return answer | ({"token": made.token} if made.token else {})

"""
`manage.py create_bank_account --merchant NO --number N --holder H --bank B [--verified] [--json]`
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from foundation import clock
from merchants.management.creation import CreateCommand, merchant_named
from merchants.services import bank_account as bank_accounts


class Command(CreateCommand):
    """Add a bank account to a merchant."""

    help = "Add a bank account; --verified and --approved-payee are an operator's audited word."
    actor_name = "create_bank_account"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--merchant", required=True, metavar="MERCHANT_NO")
        parser.add_argument("--number", required=True, help="'-' reads it from standard input")
        parser.add_argument("--holder", required=True)
        parser.add_argument("--bank", required=True, help="the bank's name")
        parser.add_argument("--bank-code", default="", help="CNAPS or BIC")
        parser.add_argument("--currency", default="CNY")
        parser.add_argument("--verified", action="store_true", help="checked outside the product")
        parser.add_argument(
            "--approved-payee", action="store_true", help="verified, and on the approved list"
        )

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        at, merchant = clock.now(), merchant_named(options["merchant"])
        number = options["number"]
        with transaction.atomic():
            made = bank_accounts.add(
                merchant_id=merchant.id,
                number=sys.stdin.readline().strip() if number == "-" else number,
                holder=options["holder"],
                bank_name=options["bank"],
                bank_code=options["bank_code"],
                currency=options["currency"],
                at=at,
            )
            account = made.account
            if options["verified"] or options["approved_payee"]:
                account = bank_accounts.verify(
                    merchant_id=merchant.id,
                    bank_account_id=account.id,
                    approved_payee=options["approved_payee"],
                    note=self.actor_name,
                    at=at,
                )
        return {
            "created": made.created,
            "id": account.id,
            "payee": str(account.uuid),
            "merchant_no": merchant.merchant_no,
            "number": account.number_masked,
            "currency": account.currency,
            "status": str(account.status),
            "approved_payee": account.approved_payee,
        }

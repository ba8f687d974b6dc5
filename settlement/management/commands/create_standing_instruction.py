"""`create_standing_instruction MERCHANT_NO`: automatic payout of what is settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from foundation import clock
from foundation.money import Money
from merchants.management.creation import CreateCommand, merchant_named
from merchants.models import BankAccount
from settlement.services import standing_instruction as instructions


class Command(CreateCommand):
    """
    Puts an instruction in force at once (docs/rules/unguarded_writes.md); the same again changes
    nothing. The payee is a verified and approved bank account of the merchant's.
    """

    help = "Pay out by itself what is settled to a merchant's approved bank account."
    actor_name = "create_standing_instruction"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        named = parser.add_mutually_exclusive_group(required=True)
        named.add_argument("merchant_no", nargs="?")
        named.add_argument("--merchant", metavar="MERCHANT_NO", help="the same, as elsewhere")
        parser.add_argument("--currency", default="CNY")
        parser.add_argument("--bank-account", type=int, help="needed only if there are several")
        parser.add_argument("--keep", default="0", help="stays on the balance, in major units")
        parser.add_argument("--minimum", default="0", help="less is not paid out, in major units")

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Make the instruction and return what to print. Raises DomainError for a refusal."""
        merchant = merchant_named(options["merchant"] or options["merchant_no"])
        currency = options["currency"]
        account = _account(merchant.id, currency, options["bank_account"])
        instruction, created = instructions.create_by_operator(
            merchant_id=merchant.id,
            bank_account_id=account.id,
            keep=Money.parse(options["keep"], currency),
            minimum=Money.parse(options["minimum"], currency),
            at=clock.now(),
        )
        return {
            "created": created,
            "number": instruction.number,
            "merchant_no": merchant.merchant_no,
            "currency": instruction.currency,
            "payee": str(account),
        }


def _account(merchant_id: int, currency: str, bank_account_id: int | None) -> BankAccount:
    found = BankAccount.objects.filter(
        merchant_id=merchant_id,
        currency=currency,
        status=BankAccount.Status.VERIFIED,
        approved_payee=True,
    )
    if bank_account_id is not None:
        found = found.filter(id=bank_account_id)
    accounts = list(found[:2])
    if len(accounts) != 1:
        raise CommandError(
            _("The merchant has %(count)s approved accounts in %(currency)s; name one.")
            % {"count": len(accounts), "currency": currency},
            returncode=2,
        )
    return accounts[0]

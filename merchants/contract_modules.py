"""
Which modules a merchant sees under which contract: the table, and the module of every door (S1-13).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from merchants.models.industry import ContractType

_BOTH: Final = frozenset(ContractType)
_FUNDS: Final = frozenset({ContractType.FUNDS_HELD})


class Module(TextChoices):
    """A part of portal, API and admin that appears for a merchant as a whole, or not at all."""

    OVERVIEW = "OVERVIEW", _("overview")
    PAYMENTS = "PAYMENTS", _("payments and refunds")
    MONEY = "MONEY", _("balances, statements and settlements")
    PAYOUT = "PAYOUT", _("withdrawals and bank accounts")
    PEOPLE = "PEOPLE", _("people and their proofs")
    KEYS = "KEYS", _("API keys and webhooks")
    PAPERS = "PAPERS", _("licences and papers")


# The law (docs/rules/contract_modules.md). What stands in no row appears for nobody.
TABLE: Final[Mapping[Module, frozenset[ContractType]]] = {
    Module.OVERVIEW: _BOTH,
    Module.PAYMENTS: _BOTH,
    Module.MONEY: _FUNDS,
    Module.PAYOUT: _FUNDS,
    Module.PEOPLE: _BOTH,
    Module.KEYS: _BOTH,
    Module.PAPERS: _BOTH,
}
# What a merchant with money here sees whatever its contract says: nobody loses sight of money.
OF_MONEY: Final = frozenset({Module.MONEY, Module.PAYOUT})

# Every address of the portal and the API that is about one merchant, by its name, and the packages
# and lists of the admin that its page links to. A door that stands here in no line is closed.
DOORS: Final[Mapping[str, Module]] = {
    **dict.fromkeys(("portal:home", "portal:details", "api:me"), Module.OVERVIEW),
    **dict.fromkeys(
        ("api:payments", "api:payment", "api:refunds", "api:refund", "api:registrations",
         "portal:registrations", "admin:channels"),
        Module.PAYMENTS,
    ),
    **dict.fromkeys(
        ("portal:statement", "portal:statement_export", "portal:settlements", "portal:settlement",
         "api:balances", "api:balance", "api:statement_entries", "api:settlement_batches",
         "api:settlement_batch", "api:settlement_batch_lines", "admin:ledger", "admin:settlement"),
        Module.MONEY,
    ),
    **dict.fromkeys(
        ("portal:withdrawals", "portal:withdraw", "portal:withdrawal", "portal:withdrawal_cancel",
         "portal:bank_accounts", "portal:bank_account_new", "api:withdrawals", "api:withdrawal",
         "api:withdrawal_cancel", "admin:merchants.bankaccount"),
        Module.PAYOUT,
    ),
    **dict.fromkeys(
        ("portal:people", "portal:person", "portal:person_off", "portal:role_new", "portal:role",
         "portal:confirmations", "portal:confirmation", "portal:confirmation_refuse",
         "portal:invite", "portal:invitation_resend", "portal:invitation_withdraw",
         "portal:payment_password", "portal:payment_password_forgotten", "admin:merchants",
         "admin:foundation"),
        Module.PEOPLE,
    ),
    **dict.fromkeys(
        ("portal:api_keys", "portal:api_key_new", "portal:api_key_rotate", "portal:api_key_off",
         "portal:webhooks", "portal:webhook_new", "portal:webhook", "portal:webhook_secret",
         "portal:webhook_events", "portal:webhook_test", "portal:webhook_pause",
         "portal:webhook_resume", "portal:webhook_remove", "portal:webhook_replay"),
        Module.KEYS,
    ),
    "portal:papers": Module.PAPERS,
}  # fmt: skip

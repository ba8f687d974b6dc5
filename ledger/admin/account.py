"""Accounts and what stands in them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin
from ledger.models import Account

MENU = [
    ("ledger_account_changelist", _("Accounts"), "account_balance_wallet", "ledger.view_account")
]


@admin.register(Account)
class AccountAdmin(KeysetAdmin):
    """Accounts, latest first; with a merchant, his book in the order of its kinds."""

    list_display = (
        "id",
        "merchant",
        "kind_name",
        "ref_id",
        columns.money("balance_minor", _("balance")),
        columns.money("held_minor", _("held")),
        "posted_at",
        "closed_at",
    )
    list_select_related = ("merchant", "kind")
    labels = {
        "normal_side": _("normal side"),
        "never_negative": _("never below zero"),
        "seq": _("sequence"),
    }
    list_filter = (
        filters.merchant("kind", "currency", "ref_kind", "ref_id"),
        filters.exact("kind", _("kind"), "kind_id", "id"),
    )

    @admin.display(description=_("kind"))
    def kind_name(self, row: Account) -> str:
        """Return the kind's name in the reader's language."""
        return row.kind.name

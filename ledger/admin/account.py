"""Accounts and what stands in them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin
from ledger.models import Account, AccountKind
from merchants.services import house

MENU = [
    ("ledger_account_changelist", _("Accounts"), "account_balance_wallet", "ledger.view_account")
]


@admin.display(description=_("normal side"))
def _side(row: Account) -> str:
    """Name the side on which its balance stands."""
    return str(row.get_normal_side_display())


@admin.display(description=_("never below zero"))
def _floor(row: Account) -> str:
    """Say whether it may not fall below zero."""
    return gettext("yes") if row.never_negative else gettext("no")


@admin.register(Account)
class AccountAdmin(KeysetAdmin):
    """
    Accounts, those without a reference first (LG-12), the latest of each first; with a merchant,
    his book in the order of its kinds.
    """

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
    shown = {"normal_side": _side, "never_negative": _floor}
    labels = {
        "seq": _("sequence"),
    }
    list_filter = (
        filters.merchant("kind", "currency", "ref_kind", "ref_id"),
        filters.exact("kind", _("kind"), "kind_id", "id"),
    )

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> list[Any]:
        """Return every column, and whose it is in whose books (S2-38)."""
        return [*super().get_fields(request, obj), "owner", "entity"]

    @admin.display(description=pgettext_lazy("account", "belongs to"))
    def owner(self, row: Account) -> str:
        """Say to whom what stands here belongs."""
        owner = AccountKind.Owner(row.kind.owner)
        if owner == AccountKind.Owner.MERCHANT:
            return str(row.merchant)
        return str(owner.label)

    @admin.display(description=_("accounting entity"))
    def entity(self, row: Account) -> str:
        """Say in whose books it is kept, and under which subject."""
        return f"{house.house()} · {row.kind.subject}"

    @admin.display(description=_("kind"))
    def kind_name(self, row: Account) -> str:
        """Return the kind's name in the reader's language."""
        return row.kind.name

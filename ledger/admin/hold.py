"""Holds: money reserved for one operation."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from ledger.admin import words
from ledger.admin.words import name
from ledger.models import Hold

MENU = [("ledger_hold_changelist", _("Holds"), "lock_clock", "ledger.view_hold")]
COLOURS = {"OPEN": "info", "CAPTURED": "success", "RELEASED": "warning"}


@admin.register(Hold)
class HoldAdmin(KeysetAdmin):
    """Holds, latest first."""

    list_display = (
        "id",
        "merchant",
        "kind_name",
        "operation_name",
        columns.money("amount_minor", _("amount")),
        columns.state("state", _("state"), COLOURS),
        "source_kind",
        "source_id",
        "opened_at",
    )
    labels = {"account": _("account"), "entry": _("journal entry")}
    list_select_related = ("merchant", "account__kind")
    list_filter = (
        filters.merchant("source_kind", "source_id"),
        filters.choices(
            "state",
            _("state"),
            {
                "open": filters.Choice(
                    _("open"), Q(state="OPEN"), Keyset("merchant_id", "account_id", "id")
                )
            },
        ),
    )
    searches = (Search("id"), Search("source_id", in_book=True))
    search_help_text = _("Hold; with a merchant, also the cause's number")

    @admin.display(description=_("account kind"))
    def kind_name(self, row: Hold) -> str:
        """Return the kind's name in the reader's language."""
        return name(row.account.kind)

    @admin.display(description=_("operation"))
    def operation_name(self, row: Hold) -> str:
        """Return the operation in the reader's language."""
        return words.operation(row.operation)

"""Holds: money reserved for one operation."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from ledger.models import Hold

MENU = [("ledger_hold_changelist", _("Holds"), "lock_clock", "ledger.view_hold")]
COLOURS = {"OPEN": "info", "CAPTURED": "success", "RELEASED": "warning"}


@admin.register(Hold)
class HoldAdmin(KeysetAdmin):
    """Holds, latest first."""

    list_display = (
        "id",
        "merchant",
        "account_kind",
        "operation",
        columns.money("amount_minor", _("amount")),
        columns.state("state", _("state"), COLOURS),
        "source_kind",
        "source_id",
        "opened_at",
    )
    list_select_related = ("merchant",)
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

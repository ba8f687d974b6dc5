"""Holds: money reserved for one operation."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from ledger.admin import trail
from ledger.models import Hold, cause
from ledger.models import operation as operations

MENU = [("ledger_hold_changelist", _("Holds"), "lock_clock", "ledger.view_hold")]
CAUSE = columns.named("source_kind", _("cause"), cause.name_of)
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
        CAUSE,
        "source_id",
        "opened_at",
    )
    labels = {"account": _("account"), "entry": _("journal entry")}
    shown = {
        "source_kind": CAUSE,
        "operation": columns.named("operation", _("operation"), operations.name_of),
        "account_kind": None,
    }
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

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Lead to what it is for first."""
        return [trail.origin, *super().get_fields(request, obj)]

    @admin.display(description=_("account kind"))
    def kind_name(self, row: Hold) -> str:
        """Return the kind's name in the reader's language."""
        return str(row.account.kind)

    @admin.display(description=_("operation"))
    def operation_name(self, row: Hold) -> str:
        """Return the operation in the reader's language."""
        return operations.name_of(row.operation)

"""Items: one merchant's net in a batch, with the lines it settles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.money import Money
from settlement.models import Exposure, Item, Line

MENU = [
    ("settlement_item_changelist", _("Items"), "request_quote", "settlement.view_item"),
    ("settlement_line_changelist", _("Settlement lines"), "reorder", "settlement.view_line"),
    ("settlement_exposure_changelist", _("Exposures"), "trending_up", "settlement.view_exposure"),
]
COLOURS = {
    "COLLECTED": "info",
    "FROZEN": "info",
    "POSTED": "success",
    "HELD_BACK": "danger",
    "PAYING": "info",
    "CLOSED": "success",
}
EXPOSURE_COLOURS = {"UNFUNDED": "danger", "FUNDED": "warning", "RECOVERED": "success"}
MOST_LINES = 200  # shown with their item; the list of lines has the rest


@admin.register(Item)
class ItemAdmin(KeysetAdmin):
    """Items, latest first."""

    list_display = (
        "id",
        "merchant",
        "run_date",
        "cycle",
        columns.money("net_minor", _("net")),
        columns.money("to_available_minor", _("to available")),
        columns.state("state", _("state"), COLOURS),
        "line_count",
        "reason",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {
                "held_back": filters.Choice(
                    _("held back"), Q(state="HELD_BACK"), Keyset("batch_id", "id")
                ),
                "paying": filters.Choice(
                    _("paying out"), Q(state="PAYING"), Keyset("batch_id", "id")
                ),
                "posted": filters.Choice(_("posted"), Q(state="POSTED"), Keyset("batch_id", "id")),
            },
        ),
        filters.merchant("-run_date", "-cycle", "-currency"),
        filters.exact("batch", _("batch"), "id"),
    )
    searches = (Search("id"),)
    search_help_text = _("Item")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the item's lines below it."""
        return [*super().get_fields(request, obj), "lines"]

    @admin.display(description=_("lines"))
    def lines(self, row: Item) -> str:
        """Show what it settles, at most so many."""
        found = Line.objects.filter(merchant=row.merchant_id, item=row.pk)
        lines = list(found.order_by("source_kind", "source_id")[: MOST_LINES + 1])
        for line in lines:
            line.shown = columns.grouped(Money(line.amount_minor, row.currency))  # type: ignore[attr-defined]
        context = {"lines": lines[:MOST_LINES], "more": len(lines) > MOST_LINES, "item": row}
        return render_to_string("admin/settlement_lines.html", context)


@admin.register(Line)
class LineAdmin(KeysetAdmin):
    """Lines in the order of the facts they settle; each fact is on one line at most."""

    keyset = Keyset("merchant_id", "source_id", "source_kind")
    list_display = (
        "source_kind",
        "source_id",
        "merchant",
        columns.money("amount_minor", _("amount"), currency="item__currency"),
        columns.link(_("item"), lambda row: ("settlement_item_change", row.item_id, row.item_id)),
    )
    list_select_related = ("merchant", "item")
    list_filter = (
        filters.merchant("source_id", "source_kind"),
        filters.exact("source_id", _("payment or refund (with a merchant)"), in_book=True),
    )
    money_currency = {"amount_minor": "item__currency"}


@admin.register(Exposure)
class ExposureAdmin(KeysetAdmin):
    """What we advanced before the channel paid, latest first."""

    list_display = (
        "id",
        "merchant",
        columns.money("amount_minor", _("amount")),
        columns.state("state", _("state"), EXPOSURE_COLOURS),
        "opened_at",
        "recovered_at",
        columns.link(_("item"), lambda row: ("settlement_item_change", row.item_id, row.item_id)),
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {
                "open": filters.Choice(
                    _("not recovered"), ~Q(state="RECOVERED"), Keyset("opened_at", "id")
                )
            },
        ),
        filters.merchant("-item_id"),
    )

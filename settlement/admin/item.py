"""Items: one merchant's net in a batch, with the lines it settles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from settlement.models import Exposure, Item, Line
from settlement.models.due import SourceKind
from settlement.selectors import item as items

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


def fact_page(row: Any) -> tuple[str, int, int]:
    """Lead to the way of a payment's money, or to a refund."""
    if row.source_kind == SourceKind.PAYMENT:
        return "settlement_payment_trail", row.source_id, row.source_id
    return "channels_refund_change", row.source_id, row.source_id


FACT = columns.link(_("payment or refund"), fact_page)


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
        """Show the item's lines below it, and what it advanced."""
        return [*super().get_fields(request, obj), "advance", "lines"]

    @admin.display(description=_("advance"))
    def advance(self, row: Item) -> str | None:
        """Lead to what was advanced, with the word for who bears it."""
        found = Exposure.objects.filter(merchant=row.merchant_id, item=row.pk).first()
        if found is None:
            return None
        address = reverse("admin:settlement_exposure_change", args=[found.pk])
        return format_html('<a class="cell-link" href="{}">{}</a>', address, found)

    @admin.display(description=_("what it settles"))
    def lines(self, row: Item) -> str:
        """Show what it settles, at most so many, each with the way of its money."""
        found = items.lines(item=row, limit=MOST_LINES + 1)
        lines = [(line, columns.grouped(line.net)) for line in found[:MOST_LINES]]
        context = {"lines": lines, "more": len(found) > MOST_LINES}
        return render_to_string("admin/settlement_lines.html", context)


@admin.register(Line)
class LineAdmin(KeysetAdmin):
    """Lines in the order of the facts they settle; each fact is on one line at most."""

    keyset = Keyset("merchant_id", "source_id", "source_kind")
    list_display = (
        "source_kind",
        FACT,
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
    shown = {"source_id": FACT}


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

"""Payments, what they cost, and those that have no price."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from channels.models import Payment, Pricing, Unpriced
from channels.selectors import pricing as prices
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search

MENU = [
    ("channels_payment_changelist", _("Payments"), "credit_card", "channels.view_payment"),
    ("channels_unpriced_changelist", _("Unpriced facts"), "help", "channels.view_unpriced"),
    ("channels_pricing_changelist", _("Pricings"), "percent", "channels.view_pricing"),
]
TRAIL = columns.link(
    _("way of the money"),
    lambda row: ("settlement_payment_trail", row.pk, _("way of the money")),
)


@admin.display(description=_("how the fee came about"))
def fee_told(payment: Payment) -> str | None:
    """Tell the fee of one payment, step by step."""
    known = Pricing.objects.filter(merchant=payment.merchant_id, payment=payment.pk)
    of_price = ("payment", "fee_rule__merchant", "fee_rule__product", "fee_rule__channel")
    pricing = known.select_related(*of_price).first()
    if pricing is None:
        return None
    return format_html_join(
        mark_safe("<br>"), "{}", ((line,) for line in prices.explain(pricing).lines)
    )


@admin.register(Payment)
class PaymentAdmin(KeysetAdmin):
    """Payments, latest taken in first; with a merchant, latest captured first."""

    list_display = (
        "payment_no",
        "merchant",
        columns.money("amount_minor", _("amount")),
        "product",
        "channel",
        "captured_at",
        "business_date",
        TRAIL,
    )
    list_select_related = ("merchant", "product", "channel")
    list_filter = (filters.merchant("-captured_at", "-id"),)
    searches = (Search("payment_no"), Search("order_no"))
    search_help_text = _("Payment number, or order number")
    labels = {"intake": _("intake")}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Lead to the way of the money first, then say how the fee came about."""
        return [TRAIL, *super().get_fields(request, obj), fee_told]


@admin.register(Pricing)
class PricingAdmin(KeysetAdmin):
    """What payments cost and by which version, latest first."""

    list_display = (
        "id",
        "merchant",
        columns.plain("payment", _("payment")),
        columns.money("fee_minor", _("fee"), currency="payment__currency"),
        columns.plain("fee_rule", _("fee version")),
    )
    list_select_related = ("merchant", "payment", "fee_rule")
    list_filter = (filters.merchant("-payment_id"),)
    money_currency = {"fee_minor": "payment__currency"}
    labels = {
        "payment": _("payment"),
        "fee_rule": _("fee version"),
        "chunk": _("clearing chunk"),
    }


@admin.register(Unpriced)
class UnpricedAdmin(KeysetAdmin):
    """The work list: facts that wait for a price."""

    list_display = (
        "id",
        "merchant",
        "fact_kind",
        columns.plain("fact_id", _("payment or refund")),
        "since",
        columns.plain("chunk", _("clearing chunk")),
    )
    labels = {"fact_id": _("payment or refund"), "chunk": _("clearing chunk")}
    list_select_related = ("merchant", "chunk")
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {"waiting": filters.Choice(_("without a price"), Q(chunk=None), Keyset("id"))},
        ),
        filters.merchant("fact_kind", "fact_id"),
    )

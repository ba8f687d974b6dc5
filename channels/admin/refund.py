"""Refunds and where their money came from."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from channels.models import Refund, RefundBooking
from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin, Search

MENU = [
    ("channels_refund_changelist", _("Refunds"), "undo", "channels.view_refund"),
    (
        "channels_refundbooking_changelist",
        _("Refund bookings"),
        "fact_check",
        "channels.view_refundbooking",
    ),
]


@admin.register(Refund)
class RefundAdmin(KeysetAdmin):
    """Refunds, latest taken in first; with a merchant, latest refunded first."""

    list_display = (
        "refund_no",
        "merchant",
        columns.money("amount_minor", _("amount")),
        columns.link(
            _("payment"), lambda row: ("settlement_payment_trail", row.payment_id, row.payment)
        ),
        "refunded_at",
        "business_date",
    )
    list_select_related = ("merchant", "payment")
    list_filter = (filters.merchant("-refunded_at", "-id"),)
    searches = (Search("refund_no"),)
    search_help_text = _("Refund number")
    labels = {"intake": _("intake")}

    shown = {"refunded_before_minor": columns.money("refunded_before_minor", _("refunded before"))}


@admin.register(RefundBooking)
class RefundBookingAdmin(KeysetAdmin):
    """Booked refunds, latest first; the parts sum to the refund."""

    list_display = (
        "id",
        "merchant",
        columns.plain("refund", _("refund")),
        columns.money("amount_minor", _("amount"), currency="payment__currency"),
        columns.money("from_pending_minor", _("from pending"), currency="payment__currency"),
        columns.money("from_available_minor", _("from available"), currency="payment__currency"),
        columns.money("to_debt_minor", _("to debt"), currency="payment__currency"),
    )
    list_select_related = ("merchant", "refund", "payment")
    list_filter = (filters.merchant("-refund_id"),)
    labels = {
        "refund": _("refund"),
        "payment": _("payment"),
        "chunk": _("clearing chunk"),
    }
    money_currency = dict.fromkeys(
        (
            "amount_minor",
            "fee_returned_minor",
            "from_pending_minor",
            "from_available_minor",
            "to_debt_minor",
        ),
        "payment__currency",
    )

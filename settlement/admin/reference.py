"""Payout channels, the map of their codes, and what a withdrawal costs."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import ReadOnlyAdmin
from settlement.models import PayoutChannel, PayoutFeeRule, PayoutStatus

MENU = [
    (
        "settlement_payoutchannel_changelist",
        _("Payout channels"),
        "hub",
        "settlement.view_payoutchannel",
    ),
    (
        "settlement_payoutstatus_changelist",
        _("Status map"),
        "rule",
        "settlement.view_payoutstatus",
    ),
    (
        "settlement_payoutfeerule_changelist",
        _("Withdrawal fees"),
        "sell",
        "settlement.view_payoutfeerule",
    ),
]


# What came with the product is translated; what people wrote stays as they wrote it.
NOTE = columns.named("note", _("note"), lambda note: gettext(note) if note else "")


@admin.register(PayoutChannel)
class PayoutChannelAdmin(ReadOnlyAdmin):
    """Channels by rank."""

    list_display = ("code", "name", "adapter", "enabled", "rank", "currencies")
    ordering = ("rank", "code")


@admin.register(PayoutStatus)
class PayoutStatusAdmin(ReadOnlyAdmin):
    """Every version of what a channel's codes mean."""

    list_display = ("channel", "code", "version", "meaning", NOTE, "created_at")
    shown = {"note": NOTE}
    list_filter = (filters.states("meaning", _("meaning"), PayoutStatus.Meaning.choices),)
    list_select_related = ("channel",)
    ordering = ("channel", "code", "-version")


@admin.register(PayoutFeeRule)
class PayoutFeeRuleAdmin(KeysetAdmin):
    """Withdrawal fees, latest first; an empty merchant is everybody."""

    list_display = (
        "id",
        "merchant",
        "currency",
        "rate_percent",
        columns.money("fixed_minor", _("fixed")),
        columns.money("minimum_minor", _("minimum")),
        columns.money("cap_minor", _("cap")),
        "effective_from",
    )
    list_select_related = ("merchant",)
    list_filter = (filters.merchant("-currency", "-effective_from", "-version"),)

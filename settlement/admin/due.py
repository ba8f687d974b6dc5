"""What is to be settled when, and the schedules that say so."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from settlement.admin.item import FACT
from settlement.models import Due, Position, Schedule

MENU = [
    ("settlement_due_changelist", _("Due amounts"), "event_upcoming", "settlement.view_due"),
    ("settlement_schedule_changelist", _("Schedules"), "schedule", "settlement.view_schedule"),
    ("settlement_position_changelist", _("Positions"), "flag", "settlement.view_position"),
]


@admin.register(Due)
class DueAdmin(KeysetAdmin):
    """Due amounts, latest first, each with how its date came about."""

    list_display = (
        "id",
        "merchant",
        "source_kind",
        FACT,
        columns.money("amount_minor", _("amount")),
        "business_date",
        "due_date",
        "schedule_code",
        "explanation",
    )
    list_select_related = ("merchant",)
    shown = {"source_id": FACT}
    list_filter = (
        filters.merchant("source_kind", "source_id"),
        filters.exact("source_id", _("payment or refund (with a merchant)"), in_book=True),
        filters.choices(
            "date",
            _("due date"),
            {
                "none": filters.Choice(
                    _("without a date"), Q(due_date=None), Keyset("merchant_id", "id")
                ),
                "at_once": filters.Choice(
                    _("due at once"), Q(at_once=True), Keyset("merchant_id", "currency", "id")
                ),
            },
        ),
    )


@admin.register(Schedule)
class ScheduleAdmin(KeysetAdmin):
    """Dated rows; with a merchant, latest first."""

    list_display = (
        "id",
        "merchant",
        "code",
        "effective_from",
        "version",
        "surcharge_percent",
        "created_at",
    )
    list_select_related = ("merchant",)
    list_filter = (filters.merchant("-effective_from", "-version"),)
    hidden = ("surcharge_fixed_minor",)


@admin.register(Position)
class PositionAdmin(KeysetAdmin):
    """How far each merchant's settling has come."""

    keyset = Keyset("merchant_id", "currency")
    list_display = ("merchant", "currency", "open_from", "claimed_to", "has_at_once")
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)

"""The business calendar."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.models import BusinessDay

MENU = [
    (
        "foundation_businessday_changelist",
        _("Business calendar"),
        "calendar_month",
        "foundation.view_businessday",
    ),
]


@admin.register(BusinessDay)
class BusinessDayAdmin(KeysetAdmin):
    """Days, latest first; a year is loaded by `load_calendar_year`."""

    keyset = Keyset("-date")
    list_display = ("date", "is_business_day", "holiday", "source")
    list_filter = (
        filters.exact("date", _("date"), parameter="on", date=True),
        filters.choices(
            "day",
            _("day"),
            {
                "work": filters.Choice(_("working day"), Q(is_business_day=True)),
                "off": filters.Choice(_("day off"), Q(is_business_day=False)),
                "named": filters.Choice(_("holiday or make-up day"), ~Q(name="")),
            },
        ),
    )
    searches: tuple[Search, ...] = ()

    @admin.display(description=_("holiday"))
    def holiday(self, day: BusinessDay) -> str:
        """Return the holiday's name in the reader's language."""
        return str(_(day.name)) if day.name else ""

"""Fee versions."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from channels.models import FeeRule
from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin

MENU = [("channels_feerule_changelist", _("Fee versions"), "sell", "channels.view_feerule")]


def _exact(column: str, label: columns.Text) -> columns.Column:
    """Return a column of an exact number without the zeros behind it."""

    @admin.display(description=label)  # type: ignore[arg-type]
    def show(row: FeeRule) -> str | None:
        number = getattr(row, column)
        return None if number is None else f"{number.normalize():f}"

    return show


@admin.register(FeeRule)
class FeeRuleAdmin(KeysetAdmin):
    """Versions, latest first; what is empty means any."""

    list_display = (
        "id",
        "merchant",
        "product",
        "channel",
        "currency",
        _exact("rate_percent", _("rate (%)")),
        _exact("fixed", _("fixed part")),
        _exact("minimum", _("minimum")),
        _exact("cap", _("cap")),
        "fee_on_refund",
        "effective_from",
    )
    list_select_related = ("merchant", "product", "channel")
    list_filter = (filters.merchant(),)

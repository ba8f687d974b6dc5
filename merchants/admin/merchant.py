"""Merchants."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters, related
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from merchants.models import Merchant

MENU = [("merchants_merchant_changelist", _("Merchants"), "storefront", "merchants.view_merchant")]
COLOURS = {"ACTIVE": "success", "RESTRICTED": "warning", "FROZEN": "danger", "CLOSING": "warning"}


@admin.register(Merchant)
class MerchantAdmin(KeysetAdmin):
    """Merchants by number. They come in by `import_merchants`."""

    keyset = Keyset("merchant_no")
    searches = (Search("merchant_no", prefix=True),)
    search_help_text = _("Merchant number, from its beginning")
    list_display = (
        "merchant_no",
        "name",
        "city",
        columns.state("status", _("status"), COLOURS),
        "declared_schedule",
        "created_at",
    )
    list_filter = (filters.states("status", _("status"), Merchant.Status.choices),)

    def related_links(self, request: HttpRequest, row: Merchant) -> list[related.Link]:
        """Lead to everything of this merchant."""
        return related.of_merchant(request, row.merchant_no)

"""Merchants."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters, related
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from merchants.models import Merchant
from merchants.selectors import application as applications

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

    def get_fields(self, request: HttpRequest, obj: Merchant | None = None) -> list[Any]:
        """Add what its application agreed on (S0-09, S1-13)."""
        return [*super().get_fields(request, obj), "agreed"]

    @admin.display(description=_("agreed in its application"))
    def agreed(self, row: Merchant) -> str:
        """Say under which contract and risk grade, and who answers for what."""
        application = applications.of_merchant(row)
        if application is None:
            return "–"
        return render_to_string(
            "admin/merchant_agreed.html",
            {"application": application, "grade": applications.grade(application)},
        )

    def related_links(self, request: HttpRequest, row: Merchant) -> list[related.Link]:
        """Lead to its application, and to everything of this merchant."""
        application = applications.of_merchant(row)
        found = related.of_merchant(request, row.merchant_no)
        if application is not None and request.user.has_perm("merchants.view_application"):
            address = reverse("admin:merchants_application_change", args=[application.pk])
            found.insert(0, related.Link(application.number, address))
        return found

"""API keys: what they may do, never their secrets."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.keyset import KeysetAdmin, Search
from foundation.admin.readonly import Step
from merchants.models import ApiKey
from merchants.services import api_key as api_keys

MENU = [("merchants_apikey_changelist", _("API keys"), "key", "merchants.view_apikey")]


def _revoke(request: HttpRequest, row: ApiKey, reason: str, at: datetime) -> str:
    api_keys.revoke(merchant_id=row.merchant_id, key_id=row.id)
    return gettext("The key is switched off for good.")


@admin.register(ApiKey)
class ApiKeyAdmin(KeysetAdmin):
    """Keys, latest first."""

    list_display = ("name", "prefix", "kind", "merchant", "active", "expires_at", "last_used_at")
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)
    searches = (Search("prefix", in_book=True), Search("name", in_book=True))
    search_help_text = _("With a merchant: prefix or name")
    steps = (
        Step(
            "revoke",
            _("Switch off for good"),
            _revoke,
            open_to=lambda row: row.active,
            permission="merchants.change_apikey",
            colour="danger",
        ),
    )

"""Who did what, and every change of configuration and people."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.models import AuditEvent, History

MENU = [
    ("foundation_auditevent_changelist", _("Audit trail"), "history", "foundation.view_auditevent"),
    ("foundation_history_changelist", _("Changes"), "difference", "foundation.view_history"),
]


@admin.register(AuditEvent)
class AuditEventAdmin(KeysetAdmin):
    """Acts, latest first."""

    keyset = Keyset("-occurred_at", "-id")
    searches = (Search("request_id"), Search("object_id", in_book=True))
    search_help_text = _("Request id; with a merchant, also the object")
    list_display = (
        "occurred_at",
        "action",
        "object_kind",
        "object_id",
        "merchant",
        "actor",
        "origin",
    )
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)


@admin.register(History)
class HistoryAdmin(KeysetAdmin):
    """Changes of rows, latest first."""

    keyset = Keyset("-changed_at", "-id")
    list_display = ("changed_at", "table", "row_id", "operation", "actor", "origin")
    list_filter = (filters.exact("table", _("table"), "-row_id", "-id"),)

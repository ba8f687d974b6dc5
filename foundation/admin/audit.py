"""Who did what, and every change of configuration and people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.keyset import Keyset, KeysetAdmin, KeysetChangeList, Search
from foundation.models import AuditEvent, History
from foundation.selectors import timeline

MENU = [
    ("foundation_auditevent_changelist", _("Audit trail"), "history", "foundation.view_auditevent"),
    ("foundation_history_changelist", _("Changes"), "difference", "foundation.view_history"),
]


class NamedChangeList(KeysetChangeList):
    """A list of acts with the names of who acted, read in one statement for the page."""

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and the names on it."""
        super().get_results(request)
        rows = list(self.result_list)
        names = timeline.people(rows)
        for row in rows:
            row.acted_by = names.get(row.actor, row.actor)
        self.result_list = rows


class ActsAdmin(KeysetAdmin):
    """A list that says who acted by name, not by key."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the list with names."""
        return NamedChangeList

    @admin.display(description=_("actor"))
    def who(self, row: Any) -> str:
        """Name who acted."""
        return str(row.acted_by)


@admin.register(AuditEvent)
class AuditEventAdmin(ActsAdmin):
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
        "who",
        "origin",
    )
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)


@admin.register(History)
class HistoryAdmin(ActsAdmin):
    """Changes of rows, latest first."""

    keyset = Keyset("-changed_at", "-id")
    list_display = ("changed_at", "table", "row_id", "operation", "who", "origin")
    list_filter = (filters.exact("table", _("table"), "-row_id", "-id"),)

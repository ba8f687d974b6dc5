"""Who did what, and every change of configuration and people."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, KeysetChangeList, Search
from foundation.models import AuditEvent, History
from foundation.registries import act_of
from foundation.selectors import approval_subject, timeline

MENU = [
    ("foundation_auditevent_changelist", _("Audit trail"), "history", "foundation.view_auditevent"),
    ("foundation_history_changelist", _("Changes"), "difference", "foundation.view_history"),
]


_OPERATIONS = {"INSERT": _("Made"), "UPDATE": _("Changed"), "DELETE": _("Deleted")}


def _kind(code: str) -> str:
    """Name a kind of object as its own page is called; another one as it is."""
    model = approval_subject.models().get(code)
    return code if model is None else str(model._meta.verbose_name)


def _table(table: str) -> str:
    """Name a table as its screen is called, with its own name behind."""
    found = (model for model in apps.get_models() if model._meta.db_table == table)
    return next((f"{model._meta.verbose_name} ({table})" for model in found), table)


class NamedChangeList(KeysetChangeList):
    """A list of acts with the names of who acted, read in one statement for the page."""

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and the names on it."""
        super().get_results(request)
        rows = list(self.result_list)
        accounts = [
            f"user:{row.object_id}" for row in rows if getattr(row, "object_kind", "") == "user"
        ]
        names = timeline.people([*(row.actor for row in rows), *accounts])
        for row in rows:
            row.acted_by = names.get(row.actor, row.actor)
            row.called = names.get(f"user:{getattr(row, 'object_id', '')}")
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
    shown = {"action": columns.named("action", _("act"), lambda code: f"{act_of(code)} ({code})")}
    list_display = (
        "occurred_at",
        columns.named("action", _("act"), act_of),
        columns.named("object_kind", _("kind of object"), _kind),
        "about",
        "merchant",
        "who",
        "origin",
    )
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)

    @admin.display(description=_("object"))
    def about(self, row: Any) -> str:
        """Call an account by its person, all else by its own number."""
        return str(row.called or row.object_id)


@admin.register(History)
class HistoryAdmin(ActsAdmin):
    """Changes of rows, latest first."""

    keyset = Keyset("-changed_at", "-id")
    list_display = (
        "changed_at",
        columns.named("table", _("table"), _table),
        "row_id",
        columns.named("operation", _("change"), lambda code: str(_OPERATIONS.get(code, code))),
        "who",
        "origin",
    )
    list_filter = (filters.exact("table", _("table"), "-row_id", "-id"),)

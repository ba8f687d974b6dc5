"""Agents: the list, one page with the chain up and down, and what waits."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation.admin import columns, filters, related
from foundation.admin.file_export import Exchanged
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import Step
from foundation.models import User
from merchants.admin import agent_propose
from merchants.models import Agent, AgentKind, AgentState
from merchants.selectors import agent as selectors
from merchants.services import agent as agents

MENU = [
    (
        "merchants_agent_changelist",
        gettext_lazy("Agents"),
        "supervisor_account",
        "merchants.view_agent",
    )
]
COLOURS: Final = {"ACTIVE": "success", "STOPPED": "danger"}
AGENT: Final = "agent_no"  # the parameter of the filters by agent
_SHOWN_BELOW: Final = 50


class _Below(filters.TypedFilter):
    """What hangs on an agent or on any below it."""

    parameter_name = AGENT

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the agent and of all below; an unknown one has none."""
        text = self.text()
        if not text:
            return queryset
        found = selectors.by_number(text)
        if found is None:
            return queryset.none()
        return queryset.filter(**{f"{self.lookup}__in": selectors.below(found.pk)})


def below(column: str, title: str | Promise) -> type[filters.TypedFilter]:
    """Return a filter over what hangs on an agent, those below it included."""
    return type("BelowFilter", (_Below,), {"lookup": column, "title": title})


class _WorksFor(_Below):
    """Agents directly below another."""

    parameter_name = "parent_no"
    title = gettext_lazy("works for (agent number)")
    lookup = "parent"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return who works for this agent itself."""
        text = self.text()
        if not text:
            return queryset
        found = selectors.by_number(text)
        return queryset.none() if found is None else queryset.filter(parent=found)


def _moving(state: str) -> Any:
    def run(request: HttpRequest, row: Agent, reason: str, at: datetime) -> str:
        agents.propose(
            number=row.number, content={"state": state}, new=False, reason=reason,
            maker=cast(User, request.user), at=at,
        )  # fmt: skip
        return _("Proposed; another person decides in the approvals.")

    return run


def _step(name: str, label: Promise | str, before: str, after: str, colour: str) -> Step:
    return Step(
        name,
        label,
        _moving(after),
        open_to=lambda row: row.state == before,
        permission=agent_propose.RIGHT,
        reason=gettext_lazy("Reason"),
        reason_needed=True,
        colour=colour,
    )


@admin.register(Agent)
class AgentAdmin(Exchanged, KeysetAdmin):
    """Agents by number."""

    exchange = "agents"
    keyset = Keyset("number")
    searches = (Search("number", prefix=True), Search("name", prefix=True))
    search_help_text = gettext_lazy("Agent number or name, from its beginning")
    list_display = (
        "number",
        "name",
        "kind",
        columns.state("state", gettext_lazy("state"), COLOURS),
        "parent",
        "contract_until",
    )
    list_select_related = ("parent",)
    list_filter = (
        filters.states("state", gettext_lazy("state"), AgentState.choices),
        filters.states("kind", gettext_lazy("kind"), AgentKind.choices),
        _WorksFor,
        below("id", gettext_lazy("agent and all below it")),
    )
    list_before_template = "admin/agent_list.html"
    hidden = ("steps",)
    shown = {
        "parent": columns.link(
            gettext_lazy("works for"),
            lambda row: row.parent and ("merchants_agent_change", row.parent_id, row.parent),
        )
    }
    steps = (
        _step("stop", gettext_lazy("Propose to stop"), "ACTIVE", "STOPPED", "danger"),
        _step("restart", gettext_lazy("Propose to let it bring again"), "STOPPED", "ACTIVE",
              "primary"),
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Agent | None = None) -> list[Any]:
        """Add where it stands, who works for it, and what became of its merchants."""
        return [*super().get_fields(request, obj), "chain", "below", "record"]

    @admin.display(description=gettext_lazy("chain"))
    def chain(self, row: Agent) -> str:
        """Show the agent below those above it, the topmost first."""
        links = agent_propose.chain_of(row)
        return render_to_string("admin/agent_chain.html", {"links": links, "own": row.pk})

    @admin.display(description=gettext_lazy("works for it"))
    def below(self, row: Agent) -> str:
        """Show who works for it, with what each brought; of more than a page the list says all."""
        found = selectors.branches(agent_id=row.pk, most=_SHOWN_BELOW + 1)
        context = {
            "branches": found[:_SHOWN_BELOW],
            "more": len(found) > _SHOWN_BELOW,
            "agent": row,
        }
        return render_to_string("admin/agent_below.html", context)

    @admin.display(description=gettext_lazy("merchants brought"))
    def record(self, row: Agent) -> str:
        """Say how many merchants it and those below it have, and how many of them are frozen."""
        record = selectors.record(row.pk)
        return render_to_string("admin/agent_record.html", {"record": record, "agent": row})

    def related_links(self, request: HttpRequest, row: Agent) -> list[related.Link]:
        """Lead to the form, to its merchants, and to bringing more."""
        found = related.page(request, agent_propose.EDIT, row.pk, _("Propose a change"))
        query = urlencode({AGENT: row.number})
        if request.user.has_perm("merchants.view_merchant"):
            address = reverse("admin:merchants_merchant_changelist")
            found.append(related.Link(_("Merchants"), f"{address}?{query}"))
        if row.state == AgentState.ACTIVE and request.user.has_perm(agent_propose.RIGHT):
            address = reverse(f"admin:{agent_propose.ASSIGN}")
            query = urlencode({"agent": row.number})
            found.append(related.Link(_("By whom merchants came"), f"{address}?{query}"))
        return found

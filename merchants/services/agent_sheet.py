"""Agents as a sheet: brought in by a proposal that two persons make, taken out as a list."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import Resource

from foundation import exchange, sheet
from foundation.csv_intake import Source as Stream
from foundation.exchange import Column
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from merchants.models import Agent, AgentKind, AgentState
from merchants.services import agent_import
from merchants.services.agent import LASTS
from merchants.services.list_sheet import ListSheet, stream

IMPORT: Final = "merchants.agent_import"
COLUMNS: Final = agent_import.COLUMNS
_NAMES: Final = {"agent_no": "number", "parent_no": "parent"}  # of a proposal, where they differ


class AgentSheet(ListSheet):
    """An agents file, judged by the very checks of `import_agents` (AGT-7)."""

    number = "agent_no"
    agent_no = Field("agent_no", "agent_no")
    name = Field("name", "name")
    kind = Field("kind", "kind")
    parent_no = Field("parent_no", "parent_no")
    contact_name = Field("contact_name", "contact_name")
    contact_email = Field("contact_email", "contact_email")
    contract_from = Field("contract_from", "contract_from")
    contract_until = Field("contract_until", "contract_until")

    def examine(self, rows: Sequence[Sequence[str]]) -> None:
        """Raise FileRefused naming every bad row."""
        agent_import.examine(source=_stream(rows))

    def known(self, numbers: set[str]) -> set[str]:
        """Return which agents there are."""
        return set(Agent.objects.filter(number__in=numbers).values_list("number", flat=True))


def propose(*, plan: sheet.Plan, source: exchange.Source, maker: User, at: datetime) -> str:
    """
    Propose to take on the new agents of a confirmed sheet; another person decides on the list.

    Raises AlreadyProposed while the same list waits. Rule: AGT-7 (docs/rules/agents.md).
    """
    lines = [_content(line.values) for line in plan.doing]
    if not lines:
        return _("Nothing is new in this file.")
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    approvals.propose(
        action=IMPORT,
        merchant_id=house_id(),
        subject=f"agent_import:{digest[:32]}",
        before={},
        after={
            "file": source.file_name,
            "sha256": source.sha256,
            "count": len(lines),
            "list_sha256": digest,
            "agents": lines,
        },
        money_effect=None,
        reason=_("Import of %(file)s") % {"file": source.file_name},
        maker=maker,
        at=at,
        expires_at=at + LASTS,
    )
    return _("%(count)s agents are proposed; another person decides in the approvals.") % {
        "count": len(lines)
    }


def rows_of(approval: Approval) -> list[list[str]]:
    """Return the agents of a proposal, cell by cell."""
    found = [json.loads(line) for line in approval.after["agents"]]
    return [[one[_NAMES.get(name, name)] for name in COLUMNS] for one in found]


def _content(values: Mapping[str, Any]) -> str:
    """Return a new agent as proposals say it; the database compares with exactly this."""
    said = {_NAMES.get(name, name): values[name] for name in COLUMNS}
    said |= {"kind": values["kind"] or AgentKind.AGENT, "state": AgentState.ACTIVE}
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def _apply(approval: Approval, at: datetime) -> None:
    """
    Take the list in, judged again as things stand now. Raises FileRefused: nothing is decided then.
    """
    agent_import.take_in(
        source=_stream(rows_of(approval)), at=approval.closed_at or at, approval=approval
    )


def _describe(approval: Approval) -> str:
    return _("Take on %(count)s agents of the file %(file)s") % {
        "count": approval.after["count"],
        "file": approval.after["file"],
    }


def _page(approval: Approval) -> str:
    return reverse("admin:merchants_agent_taken", args=[approval.id])


ACTION: Final = ApprovalAction(
    IMPORT,
    _apply,
    _describe,
    permission="merchants.approve_agent",
    title=gettext_lazy("Import of agents"),
    risk=Risk.HIGH,
    page=_page,
)


def _stream(rows: Sequence[Sequence[str]]) -> Stream:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return stream("agents.csv", text.getvalue())


class AgentList(Resource):
    """Agents as they are taken out."""

    agent_no = Field("number", "agent_no")
    name = Field("name", "name")
    kind = Field("kind", "kind")
    parent_no = Field("parent__number", "parent_no")
    contact_name = Field("contact_name", "contact_name")
    contact_email = Field("contact_email", "contact_email")
    contract_from = Field("contract_from", "contract_from")
    contract_until = Field("contract_until", "contract_until")
    state = Field("state", "state")
    merchants = Field("merchants", "merchants")


def chosen(filter: Mapping[str, str]) -> QuerySet[Any]:
    """Return the agents a filter chooses, with how many merchants each has."""
    names = {"state": "state", "agent_no": "number__startswith"}
    found = Agent.objects.filter(**{names[name]: value for name, value in filter.items()})
    return found.select_related("parent").annotate(merchants=Count("brought"))


IMPORTABLE: Final = exchange.Importable(
    name="agents",
    title=gettext_lazy("Import agents"),
    intro=gettext_lazy(
        "New agents become one proposal, which another person decides on. Those above and below may"
        " stand in one file, in any order. An agent that is known must stand in the file as it is"
        " stored."
    ),
    permission="merchants.import_agent",
    columns=(
        Column("agent_no", gettext_lazy("agent number: letters, digits, dot, hyphen")),
        Column("name", gettext_lazy("agent's name")),
        Column("kind", gettext_lazy("AGENT or ISV; empty is AGENT"), required=False),
        Column("parent_no", gettext_lazy("number of the agent it works for"), required=False),
        Column("contact_name", gettext_lazy("contact's name"), required=False),
        Column("contact_email", gettext_lazy("e-mail address, or empty"), required=False),
        Column("contract_from", gettext_lazy("2026-01-31, or empty"), required=False),
        Column("contract_until", gettext_lazy("2026-01-31, or empty"), required=False),
    ),
    resource=AgentSheet,
    store=propose,
    shown=lambda values: [values[name] for name in COLUMNS],
    onward="foundation_approval_changelist",
)
EXPORTABLE: Final = exchange.Exportable(
    name="agents",
    title=gettext_lazy("Export agents"),
    permission="merchants.export_agent",
    resource=AgentList,
    rows=chosen,
    fields={
        "state": (gettext_lazy("state"), tuple(AgentState.choices)),
        "agent_no": (gettext_lazy("agent number, from its beginning"), ()),
    },
    onward="merchants_agent_changelist",
)

"""What became of the merchants that agents brought, taken out as a list (AGT-10)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import Resource

from foundation import exchange
from foundation.services.file_export import FilterMalformed
from merchants.selectors import application_person
from merchants.selectors.application_person import Span

FIRST, LAST = date(1970, 1, 1), date(2999, 12, 31)


class AgentReport(Resource):
    """The figures of each agent, as its page shows them."""

    agent_no = Field("number", "agent_no")
    name = Field("name", "name")
    state = Field("state", "state")
    merchants = Field("merchants", "merchants")
    ever_frozen = Field("frozen", "ever_frozen")
    share_frozen = Field(column_name="share_frozen")
    frozen_now = Field("frozen_now", "frozen_now")
    restricted_or_closed = Field("restricted_or_closed", "restricted_or_closed")

    def dehydrate_share_frozen(self, row: Any) -> str:
        """Return how many of a hundred were ever frozen."""
        return application_person.rate(row.frozen, row.merchants)


def chosen(filter: Mapping[str, str]) -> QuerySet[Any]:
    """Return the agents whose merchants were taken on in these days. Raises FilterMalformed."""
    return application_person.by_agent(span_of(filter))


def span_of(filter: Mapping[str, str]) -> Span:
    """Return the days that a filter names, both included. Raises FilterMalformed."""
    return Span(_day(filter, "first"), _day(filter, "last"))


def _day(filter: Mapping[str, str], name: str) -> date | None:
    text = filter.get(name, "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not FIRST <= found <= LAST:
        raise FilterMalformed(_("A day looks like 2026-01-31."), field=name)
    return found


EXPORTABLE: Final = exchange.Exportable(
    name="agent_report",
    title=gettext_lazy("Export the report by agent"),
    permission="merchants.export_agent",
    resource=AgentReport,
    rows=chosen,
    fields={
        "first": (gettext_lazy("taken on from (2026-01-31)"), ()),
        "last": (gettext_lazy("taken on until (2026-01-31)"), ()),
    },
    onward="application_people",
)

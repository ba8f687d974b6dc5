"""Who brought, reviewed and approved each merchant, and what became of it, taken out as a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import Resource

from foundation import clock, exchange
from merchants.models import Merchant, MerchantTransition
from merchants.selectors import application_person
from merchants.services.agent_report import span_of


class PersonReport(Resource):
    """One line for each merchant that an application made, as the page *Merchants by person*."""

    merchant_no = Field("became__merchant_no", "merchant_no")
    name = Field("became__name", "name")
    taken_on = Field(column_name="taken_on")
    brought_by = Field("brought_by__person__name", "brought_by")
    first_review = Field("first_reviewer__person__name", "first_review")
    approval = Field("second_reviewer__person__name", "approval")
    agent_no = Field("became__agent__number", "agent_no")
    ever_frozen = Field(column_name="ever_frozen")
    status = Field("became__status", "status")

    def dehydrate_taken_on(self, row: Any) -> str:
        """Return the business day on which it was taken on."""
        return clock.business_date(row.became.created_at).isoformat()

    def dehydrate_ever_frozen(self, row: Any) -> str:
        """Return 1 where it was ever frozen, so that a sheet can add it up; else 0."""
        return str(int(row.ever_frozen))


def chosen(filter: Mapping[str, str]) -> QuerySet[Any]:
    """Return the applications whose merchants were taken on then. Raises FilterMalformed."""
    freezes = MerchantTransition.objects.filter(
        merchant_id=OuterRef("became_id"), to_status=Merchant.Status.FROZEN
    )
    return (
        application_person.taken_on_in(span_of(filter))
        .annotate(ever_frozen=Exists(freezes))
        .select_related(
            "became__agent", "brought_by__person", "first_reviewer__person",
            "second_reviewer__person",
        )
        .defer("account_number")
    )  # fmt: skip


EXPORTABLE: Final = exchange.Exportable(
    name="person_report",
    title=gettext_lazy("Export merchants with who took them on"),
    permission="merchants.export_merchant",
    resource=PersonReport,
    rows=chosen,
    fields={
        "first": (gettext_lazy("taken on from (2026-01-31)"), ()),
        "last": (gettext_lazy("taken on until (2026-01-31)"), ()),
    },
    onward="application_people",
)

"""Merchants as a sheet: brought in by a proposal that two persons make, taken out as a list."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
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
from merchants.models import Merchant
from merchants.services import merchant_import
from merchants.services.list_sheet import ListSheet, stream

IMPORT: Final = "merchants.merchant_import"
LASTS: Final = timedelta(days=7)
COLUMNS: Final = merchant_import.COLUMNS


class MerchantSheet(ListSheet):
    """A merchants file, judged by the very checks of `import_merchants` (MER-1 to MER-3)."""

    number = "merchant_no"
    merchant_no = Field("merchant_no", "merchant_no")
    name = Field("name", "name")
    registration_no = Field("registration_no", "registration_no")
    city = Field("city", "city")
    region = Field("region", "region")
    country = Field("country", "country")
    schedule = Field("schedule", "schedule")
    agent_no = Field("agent_no", "agent_no")

    def examine(self, rows: Sequence[Sequence[str]]) -> None:
        """Raise FileRefused naming every bad row."""
        merchant_import.examine(source=_stream(rows))

    def known(self, numbers: set[str]) -> set[str]:
        """Return which merchants there are."""
        found = Merchant.objects.filter(merchant_no__in=numbers)
        return set(found.values_list("merchant_no", flat=True))


def propose(*, plan: sheet.Plan, source: exchange.Source, maker: User, at: datetime) -> str:
    """
    Propose to take in the new merchants of a confirmed sheet; another person decides on the list.

    Raises AlreadyProposed while the same list waits. Rule: MER-12 (docs/rules/merchants.md).
    """
    lines = [_line(_cells(line.values)) for line in plan.doing]
    if not lines:
        return _("Nothing is new in this file.")
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    approvals.propose(
        action=IMPORT,
        merchant_id=house_id(),
        subject=f"merchant_import:{digest[:32]}",
        before={},
        after={
            "file": source.file_name,
            "sha256": source.sha256,
            "count": len(lines),
            "list_sha256": digest,
            "merchants": lines,
        },
        money_effect=None,
        reason=_("Import of %(file)s") % {"file": source.file_name},
        maker=maker,
        at=at,
        expires_at=at + LASTS,
    )
    return _("%(count)s merchants are proposed; another person decides in the approvals.") % {
        "count": len(lines)
    }


def rows_of(approval: Approval) -> list[list[str]]:
    """Return the merchants of a proposal, cell by cell; the last ones may be left out."""
    rows = csv.reader(approval.after["merchants"])
    return [row + [""] * (len(COLUMNS) - len(row)) for row in rows]


def _apply(approval: Approval, at: datetime) -> None:
    """
    Take the list in, judged again as things stand now. Raises FileRefused: nothing is decided then.
    """
    merchant_import.take_in(source=_stream(rows_of(approval)), at=at)


def _describe(approval: Approval) -> str:
    return _("Take in %(count)s merchants of the file %(file)s") % {
        "count": approval.after["count"],
        "file": approval.after["file"],
    }


def _page(approval: Approval) -> str:
    return reverse("admin:merchants_merchant_taken", args=[approval.id])


ACTION: Final = ApprovalAction(
    IMPORT,
    _apply,
    _describe,
    permission="merchants.approve_merchantimport",
    title=gettext_lazy("Import of merchants"),
    risk=Risk.HIGH,
    page=_page,
)


def _stream(rows: Sequence[Sequence[str]]) -> Stream:
    lines = [_line(COLUMNS), *(_line(row) for row in rows)]
    return stream("merchants.csv", "\n".join(lines) + "\n")


def _cells(values: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row; one without an agent ends before that column."""
    named = COLUMNS if values[merchant_import.AGENT] else merchant_import.NEEDED
    return [values[name] for name in named]


def _line(values: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)  # or a line end is left unquoted
    return text.getvalue().removesuffix("\r\n")


class MerchantList(Resource):
    """Merchants as they are taken out."""

    merchant_no = Field("merchant_no", "merchant_no")
    name = Field("name", "name")
    registration_no = Field("registration_no", "registration_no")
    city = Field("city", "city")
    region = Field("region", "region")
    country = Field("country", "country")
    status = Field("status", "status")
    schedule = Field("declared_schedule", "schedule")
    agent_no = Field("agent__number", "agent_no")
    created_at = Field("created_at", "created_at")


def chosen(filter: Mapping[str, str]) -> QuerySet[Merchant]:
    """Return the merchants a filter chooses."""
    found = Merchant.objects.filter(kind=Merchant.Kind.MERCHANT).select_related("agent")
    names = {
        "status": "status",
        "merchant_no": "merchant_no__startswith",
        "city": "city",
        "agent_no": "agent__number",
    }
    return found.filter(**{names[name]: value for name, value in filter.items()})


IMPORTABLE: Final = exchange.Importable(
    name="merchants",
    title=gettext_lazy("Import merchants"),
    intro=gettext_lazy(
        "New merchants become one proposal, which another person decides on. A merchant that is"
        " known must stand in the file as it is stored."
    ),
    permission="merchants.import_merchant",
    columns=(
        Column("merchant_no", gettext_lazy("merchant number, up to 64 characters")),
        Column("name", gettext_lazy("merchant name")),
        Column("registration_no", gettext_lazy("unified social credit code in China; or empty")),
        Column("city", gettext_lazy("city, or empty")),
        Column("region", gettext_lazy("region, or empty")),
        Column("country", gettext_lazy("two capitals: CN")),
        Column("schedule", gettext_lazy("T1, D1, WEEKLY:1, MONTHLY:1, MANUAL; empty is T1")),
        Column("agent_no", gettext_lazy("number of the agent who brought it"), required=False),
    ),
    resource=MerchantSheet,
    store=propose,
    shown=lambda values: [values[name] for name in COLUMNS],
    onward="foundation_approval_changelist",
)
EXPORTABLE: Final = exchange.Exportable(
    name="merchants",
    title=gettext_lazy("Export merchants"),
    permission="merchants.export_merchant",
    resource=MerchantList,
    rows=chosen,
    fields={
        "status": (gettext_lazy("status"), tuple(Merchant.Status.choices)),
        "merchant_no": (gettext_lazy("merchant number, from its beginning"), ()),
        "city": (gettext_lazy("city"), ()),
        "agent_no": (gettext_lazy("agent number"), ()),
    },
    onward="merchants_merchant_changelist",
)

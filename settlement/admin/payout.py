"""Payout attempts with all evidence, cases, bank lines and day files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import Step, uploaded
from foundation.admin.related import Related
from foundation.models import User
from settlement.models import BankLine, PayoutAttempt, PayoutCase, PayoutStatement
from settlement.services import payout_case, payout_decision
from settlement.services.payout_callback import book_of

MENU = [
    (
        "settlement_payoutattempt_changelist",
        _("Payout attempts"),
        "send_money",
        "settlement.view_payoutattempt",
    ),
    ("settlement_payoutcase_changelist", _("Cases"), "report", "settlement.view_payoutcase"),
    ("settlement_bankline_changelist", _("Bank lines"), "reorder", "settlement.view_bankline"),
    (
        "settlement_payoutstatement_changelist",
        _("Day files"),
        "description",
        "settlement.view_payoutstatement",
    ),
]
Status = PayoutAttempt.Status
COLOURS = {
    "READY": "info",
    "SENDING": "info",
    "PROCESSING": "info",
    "UNKNOWN": "warning",
    "SUCCEEDED": "success",
    "FAILED": "danger",
    "RETURNED": "danger",
    "DISPUTED": "danger",
}
LINE_COLOURS = {"RECORDED": "info", "BOOKED": "success", "UNMATCHED": "danger"}
MOST_EVIDENCE = 100


def _propose(outcome: PayoutAttempt.Status) -> Callable[[HttpRequest, Any, str, datetime], str]:
    def run(request: HttpRequest, row: PayoutAttempt, reason: str, at: datetime) -> str:
        payout_decision.propose(
            merchant_id=row.merchant_id,
            attempt_id=row.id,
            outcome=outcome,
            reason=reason,
            evidence=request.POST.get("paper", ""),
            maker=cast(User, request.user),
            at=at,
            attachments=uploaded(request),
        )
        return gettext("Proposed; another person decides in the approvals.")

    return run


def _decision(name: str, label: Any, outcome: PayoutAttempt.Status, *before: str) -> Step:
    return Step(
        name,
        label,
        _propose(outcome),
        open_to=lambda row: row.status in before,
        permission="settlement.change_payoutattempt",
        reason=_("Reason"),
        reason_needed=True,
        paper=_("Evidence"),
        attachments=True,
    )


def _close(request: HttpRequest, row: PayoutCase, reason: str, at: datetime) -> str:
    payout_case.close(merchant_id=row.merchant_id, case_id=row.id, outcome=reason, at=at)
    return gettext("The case is closed.")


@admin.register(PayoutAttempt)
class PayoutAttemptAdmin(KeysetAdmin):
    """Attempts, latest first; what became of an unknown one is proposed here."""

    keyset = Keyset("-created_at", "-id")
    list_display = (
        "number",
        "merchant",
        "channel",
        columns.money("amount_minor", _("amount")),
        columns.state("status", _("status"), COLOURS),
        "created_at",
        "unknown_since",
        "queries",
    )
    list_select_related = ("merchant", "channel")
    list_filter = (
        filters.choices(
            "status",
            _("status"),
            {
                "asked": filters.Choice(
                    _("unknown or accepted"),
                    Q(status__in=["UNKNOWN", "PROCESSING"]),
                    Keyset("id"),
                ),
                "to_send": filters.Choice(
                    _("not sent yet"),
                    Q(status__in=["READY", "SENDING"]),
                    Keyset("created_at", "id"),
                ),
            },
        ),
        filters.merchant("-id"),
    )
    searches = (Search("number", in_book=True, book_of=book_of),)
    search_help_text = _("Number")
    labels = {"withdrawal": _("withdrawal")}
    hidden = ("payee_hash", "lease_owner", "lease_expires_at", "fence")
    steps = (
        _decision("paid", _("Propose: it was paid"), Status.SUCCEEDED, "UNKNOWN", "DISPUTED"),
        _decision("failed", _("Propose: it failed"), Status.FAILED, "UNKNOWN", "DISPUTED"),
        _decision("returned", _("Propose: it was sent back"), Status.RETURNED, "DISPUTED"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show every piece of evidence below it."""
        return [*super().get_fields(request, obj), "evidence"]

    @admin.display(description=_("evidence"))
    def evidence(self, row: PayoutAttempt) -> str:
        """Show what came in and what the funnel made of it, latest first."""
        found = row.evidence.filter(merchant=row.merchant_id).order_by("-id")[:MOST_EVIDENCE]
        return render_to_string("admin/payout_evidence.html", {"evidence": found})


@admin.register(PayoutCase)
class PayoutCaseAdmin(KeysetAdmin):
    """Cases, latest first."""

    list_display = (
        "id",
        "kind",
        "subject",
        "merchant",
        columns.money("amount_minor", _("amount")),
        "opened_at",
        "closed_at",
        "outcome",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {"open": filters.Choice(_("open"), Q(closed_at=None), Keyset("opened_at", "id"))},
        ),
        filters.merchant(),
    )
    steps = (
        Step(
            "close",
            _("Close the case"),
            _close,
            open_to=lambda row: row.closed_at is None,
            permission="settlement.change_payoutcase",
            reason=_("What came of it"),
            reason_needed=True,
        ),
    )


@admin.register(BankLine)
class BankLineAdmin(KeysetAdmin):
    """What a channel's day files say has moved, latest first."""

    list_display = (
        "id",
        "channel",
        "kind",
        "order_no",
        "merchant",
        columns.money("amount_minor", _("amount")),
        columns.state("state", _("state"), LINE_COLOURS),
        "moved_at",
    )
    list_select_related = ("merchant", "channel")
    labels = {"channel": _("channel"), "attempt": _("payout attempt")}
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {"open": filters.Choice(_("not booked"), ~Q(state="BOOKED"), Keyset("moved_at", "id"))},
        ),
        filters.merchant(),
        filters.exact("statement", _("day file"), "line_no"),
    )


@admin.register(PayoutStatement)
class PayoutStatementAdmin(KeysetAdmin):
    """Day files, latest first."""

    related = (
        Related(
            "settlement_bankline_changelist", _("Bank lines"), lambda row: {"statement": row.pk}
        ),
    )

    list_display = ("channel", "day", "line_count", "imported_at", "actor")
    list_select_related = ("channel",)

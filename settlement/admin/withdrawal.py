"""Withdrawals with their steps, and the standing instructions behind some of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from config.errors import NotFound
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import Step
from settlement.models import PayoutAttempt, StandingInstruction, Withdrawal
from settlement.selectors import withdrawal as withdrawals_seen
from settlement.services import standing_instruction as instructions
from settlement.services.payout_callback import book_of

MENU = [
    (
        "settlement_withdrawal_changelist",
        _("Withdrawals"),
        "payments",
        "settlement.view_withdrawal",
    ),
    (
        "settlement_standinginstruction_changelist",
        _("Standing instructions"),
        "autorenew",
        "settlement.view_standinginstruction",
    ),
]
COLOURS = {
    "REVIEW": "warning",
    "HELD": "info",
    "PAYING": "info",
    "PAID": "success",
    "FAILED": "danger",
    "REJECTED": "danger",
    "RETURNED": "danger",
    "DISPUTED": "danger",
}
INSTRUCTION_COLOURS = {"PROPOSED": "warning", "ACTIVE": "success", "REFUSED": "danger"}


def _book(number: str) -> int | None:
    """Return the book a withdrawal's number leads to, as the number of its first attempt does."""
    return book_of(f"{number}-1")


def _end(request: HttpRequest, row: StandingInstruction, reason: str, at: datetime) -> str:
    if not instructions.end(merchant_id=row.merchant_id, currency=row.currency, at=at):
        raise NotFound(gettext("No instruction is in force."))
    return gettext("The instruction is no longer in force.")


@admin.register(Withdrawal)
class WithdrawalAdmin(KeysetAdmin):
    """Withdrawals, latest first; proposals to approve lie in the approvals."""

    keyset = Keyset("-requested_at", "-id")
    list_display = (
        "number",
        "merchant",
        columns.money("amount_minor", _("amount")),
        columns.money("fee_minor", _("fee")),
        columns.state("status", _("status"), COLOURS),
        "authority",
        "requested_at",
        "closed_at",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.choices(
            "status",
            _("status"),
            {
                "open": filters.Choice(
                    _("not ended"), withdrawals_seen.OPEN, Keyset("requested_at", "id")
                ),
                "unsent": filters.Choice(
                    _("not sent after half an hour"),
                    withdrawals_seen.UNSENT,
                    Keyset("requested_at", "id"),
                ),
                "disputed": filters.Choice(
                    _("disputed"),
                    withdrawals_seen.OPEN & Q(status="DISPUTED"),
                    Keyset("requested_at", "id"),
                ),
                "review": filters.Choice(
                    _("under review"),
                    withdrawals_seen.OPEN & Q(status="REVIEW"),
                    Keyset("requested_at", "id"),
                ),
            },
        ),
        filters.merchant("-requested_at", "-id"),
    )
    searches = (Search("number", in_book=True, book_of=_book), Search("order_no", in_book=True))
    search_help_text = _("Number; with a merchant, also the order number")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the steps and the attempts below it."""
        return [*super().get_fields(request, obj), "history"]

    @admin.display(description=_("what happened"))
    def history(self, row: Withdrawal) -> str:
        """Show every step and every attempt."""
        steps = row.transitions.filter(merchant=row.merchant_id).order_by("sequence")
        attempts = PayoutAttempt.objects.filter(merchant=row.merchant_id, withdrawal=row.pk)
        context = {"steps": steps, "attempts": attempts.order_by("attempt_no")}
        return render_to_string("admin/withdrawal_history.html", context)


@admin.register(StandingInstruction)
class StandingInstructionAdmin(KeysetAdmin):
    """Instructions for automatic payout, latest first."""

    list_display = (
        columns.plain("number", _("number")),
        "merchant",
        "bank_account",
        columns.money("keep_minor", _("stays on the balance")),
        columns.money("minimum_minor", _("minimum")),
        columns.state("status", _("status"), INSTRUCTION_COLOURS),
        "active_at",
    )
    list_select_related = ("merchant", "bank_account")
    list_filter = (filters.merchant("-currency", "-version"),)
    steps = (
        Step(
            "end",
            _("Take out of force"),
            _end,
            open_to=lambda row: row.status == StandingInstruction.Status.ACTIVE,
            permission="settlement.change_standinginstruction",
            colour="danger",
        ),
    )

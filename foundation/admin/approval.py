"""The inbox of proposals: what would change, how much money it moves, and the decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation import clock, registries
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import ReadOnlyAdmin, Step
from foundation.admin.work_items import decidable
from foundation.models import Approval, ApprovalPolicy, User
from foundation.services import approval as approvals

MENU = [
    ("foundation_approval_changelist", _("Approvals"), "approval", "foundation.view_approval"),
    (
        "foundation_approvalpolicy_changelist",
        _("Approval tiers"),
        "stairs",
        "foundation.view_approvalpolicy",
    ),
]
COLOURS = {
    "PROPOSED": "info",
    "APPROVED": "success",
    "REJECTED": "danger",
    "WITHDRAWN": "warning",
    "EXPIRED": "warning",
}


def _decide(request: HttpRequest, row: Approval, reason: str, at: datetime, approve: bool) -> str:
    """Decide on what the checker saw: its hash comes back with the form."""
    decided = approvals.decide(
        approval_id=row.id,
        merchant_id=row.merchant_id,
        checker=cast(User, request.user),
        approve=approve,
        seen_sha256=request.POST.get("seen_sha256", ""),
        reason=reason,
        at=at,
    )
    if decided.state == Approval.State.PROPOSED:
        return gettext("Your approval is noted; another person is still needed.")
    return gettext("Decided: %(state)s.") % {"state": decided.get_state_display()}


def _approve(request: HttpRequest, row: Approval, reason: str, at: datetime) -> str:
    return _decide(request, row, reason, at, approve=True)


def _reject(request: HttpRequest, row: Approval, reason: str, at: datetime) -> str:
    return _decide(request, row, reason, at, approve=False)


def _withdraw(request: HttpRequest, row: Approval, reason: str, at: datetime) -> str:
    approvals.withdraw(
        approval_id=row.id, merchant_id=row.merchant_id, maker=cast(User, request.user), at=at
    )
    return gettext("The proposal is withdrawn.")


def _said(value: object) -> object:
    """Say yes and no in the reader's language; everything else stays as it was proposed."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return value


def _open(row: Approval) -> bool:
    return row.state == Approval.State.PROPOSED


class _State(
    filters.choices(  # type: ignore[misc]  # a class made by a function
        "state",
        _("state"),
        {
            "mine": filters.Choice(
                _("waits for me"), Q(state="PROPOSED"), Keyset("expires_at", "id")
            ),
            "open": filters.Choice(
                _("waits for a checker"), Q(state="PROPOSED"), Keyset("expires_at", "id")
            ),
        },
    )
):
    """What waits, for anybody or for the person who asks."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        """Leave out, when asked, what this person may not decide or made himself."""
        found: QuerySet[Approval] = super().queryset(request, queryset)
        if self.value() == "mine":
            user = cast(User, request.user)
            found = found.filter(action__in=decidable(user)).exclude(maker_person=user.person_id)
        return found


@admin.register(Approval)
class ApprovalAdmin(KeysetAdmin):
    """Proposals, latest first; the open ones by the time they expire."""

    keyset = Keyset("-proposed_at", "-id")
    list_display = (
        "what",
        "merchant",
        columns.money("effect_minor", _("money effect"), currency="effect_currency"),
        columns.state("state", _("state"), COLOURS),
        "maker",
        "age",
        "proposed_at",
        "expires_at",
    )
    list_select_related = ("merchant", "maker")
    list_filter = (
        _State,
        filters.merchant("-id"),
    )
    fields = (
        "what", "merchant", "subject", "changes",
        columns.money("effect_minor", _("money effect"), currency="effect_currency"),
        "reason", "maker", "age", "checkers_needed", "decisions", "state", "proposed_at",
        "expires_at", "closed_at", "content_sha256", "request_id",
    )  # type: ignore[assignment]  # a column may be a function  # fmt: skip
    steps = (
        Step("approve", _("Approve"), _approve, open_to=_open, reason=_("Remark")),
        Step(
            "reject",
            _("Reject"),
            _reject,
            open_to=_open,
            reason=_("Reason"),
            reason_needed=True,
            colour="danger",
        ),
        Step("withdraw", _("Withdraw my proposal"), _withdraw, open_to=_open, colour="danger"),
    )

    def title(self, row: Approval) -> str:
        """Call the page by its proposal."""
        return self.what(row)

    @admin.display(description=_("proposal"))
    def what(self, row: Approval) -> str:
        """Say the proposal in one sentence."""
        if row.action not in registries.approval_actions:
            return f"{row.action} {row.subject}"
        return registries.approval_actions.get(row.action).describe(row)

    @admin.display(description=_("waits for"))
    def age(self, row: Approval) -> str:
        """How long it has waited for a decision, or did."""
        return timesince(row.proposed_at, row.closed_at or clock.now())

    @admin.display(description=_("before and after"))
    def changes(self, row: Approval) -> str:
        """Show every field before and after; what the proposal does not name stays as it is."""
        whole = {**row.before, **row.after}
        rows = [
            (gettext(key.replace("_", " ")), _said(row.before.get(key)), _said(after))
            for key, after in whole.items()
        ]
        return render_to_string("admin/changes.html", {"rows": rows})

    @admin.display(description=_("decisions"))
    def decisions(self, row: Approval) -> str:
        """Who has decided what, and why."""
        found = row.decisions.filter(merchant=row.merchant_id).select_related("checker")
        return render_to_string("admin/decisions.html", {"decisions": found})

    def _open_steps(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """Offer the maker to withdraw and everybody else to decide; the service checks again."""
        own = row.maker_person_id == cast(User, request.user).person_id
        names = {"withdraw"} if own else {"approve", "reject"}
        offered = super()._open_steps(request, row)
        return [entry for entry in offered if entry["step"].name in names]


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(ReadOnlyAdmin):
    """From which amount on how many checkers are needed."""

    list_display = (
        "action",
        "currency",
        columns.money("from_amount_minor", _("from amount")),
        "checkers_needed",
    )
    ordering = ("action", "currency", "from_amount_minor")

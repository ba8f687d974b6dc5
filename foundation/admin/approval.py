"""The inbox of proposals: what would change, how much money it moves, and the decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.http import content_disposition_header
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from foundation import clock, registries, roles
from foundation.admin import columns, filters
from foundation.admin.approval_order import SOONEST, InboxChangeList
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import Step
from foundation.admin.refusal import refused_page
from foundation.admin.related import MERCHANT, Link
from foundation.admin.waiting import changes
from foundation.admin.work_items import decidable
from foundation.models import Approval, User
from foundation.registries import Risk
from foundation.selectors import approval_subject
from foundation.selectors import person as people
from foundation.services import approval as approvals
from foundation.services import attachment as attachments

MENU = [("foundation_approval_changelist", _("Approvals"), "approval", "foundation.view_approval")]
COLOURS = {
    "PROPOSED": "info",
    "APPROVED": "success",
    "REJECTED": "danger",
    "WITHDRAWN": "warning",
    "EXPIRED": "warning",
}
RISKS = {"LOW": "info", "MEDIUM": "warning", "HIGH": "danger"}


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


def _open(row: Approval) -> bool:
    return row.state == Approval.State.PROPOSED


def _withdrawable(row: Approval) -> bool:
    kinds = registries.approval_actions
    return _open(row) and row.action in kinds and kinds.get(row.action).withdrawable


def _risky() -> Q:
    names = [name for name, one in registries.approval_actions.items() if one.risk == Risk.HIGH]
    return Q(state="PROPOSED", action__in=names)


class _State(
    filters.choices(  # type: ignore[misc]  # a class made by a function
        "state",
        _("state"),
        {
            "mine": filters.Choice(_("waits for me"), Q(state="PROPOSED"), SOONEST),
            "own": filters.Choice(_("proposed by me"), Q(state="PROPOSED"), SOONEST),
            "open": filters.Choice(_("waits for a checker"), Q(state="PROPOSED"), SOONEST),
            "risky": filters.Choice(_("waits, high risk"), _risky, SOONEST),
            "all": filters.Choice(_("all, decided ones too"), Q()),
        },
    )
):
    """
    What waits: for the person who asks, of what he made, for anybody, of high risk; or all.

    Unasked it is what waits for the reader, for who decides nothing what waits for anybody; a
    search looks through all.
    """

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.unasked = "mine" if decidable(cast(User, request.user)) else "open"
        if any(request.GET.get(name, "").strip() for name in (SEARCH_VAR, MERCHANT)):
            self.unasked = "all"

    def value(self) -> str:
        """Return what was asked for."""
        return str(super().value() or self.unasked)

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Offer each by name, all of them too: no address stands for two things."""
        for name, label in self.lookup_choices:
            link = changelist.get_query_string({self.parameter_name: name})
            yield {"selected": self.value() == name, "query_string": link, "display": label}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        """Leave out, when asked, what this person may not decide or made himself."""
        found: QuerySet[Approval] = super().queryset(request, queryset)
        user = cast(User, request.user)
        if self.value() == "mine":
            found = found.filter(action__in=decidable(user)).exclude(maker_person=user.person_id)
            found = found.exclude(decisions__checker_person=user.person_id)
        elif self.value() == "own":
            found = found.filter(maker_person=user.person_id)
        return found


class _Kind(filters.ChoiceFilter):
    """By kind of proposal, in the order the index on the action gives."""

    title = _("kind of proposal")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return every registered kind under its title."""
        return [(name, registries.title_of(name)) for name, _item in _kinds()]

    def keyset(self) -> Keyset | None:
        """Latest first."""
        return Keyset("-proposed_at", "-id") if self.value() else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the proposals of the kind; an unknown one has none."""
        if self.value() is None:
            return queryset
        known = self.value() in registries.approval_actions
        return queryset.filter(action=self.value()) if known else queryset.none()


def _kinds() -> tuple[tuple[str, Any], ...]:
    return registries.approval_actions.items()


@admin.register(Approval)
class ApprovalAdmin(KeysetAdmin):
    """
    Proposals, latest first; the open ones by the time they expire, behind those that never do.

    Nothing is decided in bulk: a decision carries the hash of the one content that was on the
    screen, and a list shows none (AP-10).
    """

    keyset = Keyset("-proposed_at", "-id")
    list_display = (
        "what",
        "merchant",
        columns.money("effect_minor", _("money effect"), currency="effect_currency"),
        "risk",
        columns.state("state", _("state"), COLOURS),
        "maker",
        "age",
        "still_needed",
        "ends",
    )
    list_select_related = ("merchant", "decisions")
    list_filter = (_State, _Kind, filters.merchant("-id"))
    list_before_template = "admin/approval_list.html"
    searches = (Search("subject", in_book=True),)
    search_help_text = _("With a merchant: what the proposal is about, as it is called there")
    fields = (
        "what", "kind", "risk_name", "merchant", "about", "changes",
        columns.money("effect_minor", _("money effect"), currency="effect_currency"),
        "reason", "papers", "maker", "age", "still_needed", "waits_for", "decisions", "state",
        "proposed_at", "ends", "closed_at", "content_sha256", "request_id",
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
        Step(
            "withdraw", _("Withdraw my proposal"), _withdraw, open_to=_withdrawable, colour="danger"
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the list in the order of the inbox."""
        return InboxChangeList

    def title(self, row: Approval) -> str:
        """Call the page by its proposal."""
        return self.what(row)

    def get_urls(self) -> list[Any]:
        """Add the address of a proposal's papers."""
        paper = path(
            "<int:approval_id>/paper/<int:position>/",
            self.admin_site.admin_view(require_safe(self.paper_view)),
            name="foundation_approval_paper",
        )
        return [paper, *super().get_urls()]

    def paper_view(self, request: HttpRequest, approval_id: int, position: int) -> HttpResponse:
        """Hand a paper out, as a file to keep and never as a page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(approval_id))
        try:
            paper = row and attachments.read(
                merchant_id=row.merchant_id, approval_id=row.pk, position=position
            )
        except attachments.AttachmentDamaged as refusal:
            back = reverse("admin:foundation_approval_change", args=[approval_id])
            return refused_page(request, refusal, back)
        if paper is None:
            raise Http404
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        }
        answer = HttpResponse(paper.content, content_type=paper.media_type, headers=headers)
        answer["Content-Disposition"] = content_disposition_header(True, paper.name) or "attachment"
        return answer

    @admin.display(description=_("proposal"))
    def what(self, row: Approval) -> str:
        """Say the proposal in one sentence."""
        if row.action not in registries.approval_actions:
            return f"{row.action} {row.subject}"
        return registries.approval_actions.get(row.action).describe(row)

    def related_links(self, request: HttpRequest, row: Approval) -> list[Link]:
        """Lead to what the proposal is about, where its kind says so."""
        known = row.action in registries.approval_actions
        page = registries.approval_actions.get(row.action).page if known else None
        return [] if page is None else [Link(gettext("What it is about"), page(row))]

    @admin.display(description=_("subject"))
    def about(self, row: Approval) -> str:
        """Say what the proposal is about."""
        return approval_subject.about(row)

    @admin.display(description=_("kind of proposal"))
    def kind(self, row: Approval) -> str:
        """Name the kind."""
        return registries.title_of(row.action)

    @admin.display(description=_("risk"))
    def risk(self, row: Approval) -> Any:
        """How much harm this kind can do."""
        known = row.action in registries.approval_actions
        risk = registries.approval_actions.get(row.action).risk if known else Risk.HIGH
        return str(risk), str(risk.label)

    risk.label = RISKS  # type: ignore[attr-defined]  # the theme shows a badge

    @admin.display(description=_("risk"))
    def risk_name(self, row: Approval) -> str:
        """The same in a word, where no badge is shown."""
        return str(self.risk(row)[1])

    @admin.display(description=_("waits for"))
    def age(self, row: Approval) -> str:
        """How long it has waited for a decision, or did."""
        return timesince(row.proposed_at, row.closed_at or clock.now())

    @admin.display(description=_("expires at"))
    def ends(self, row: Approval) -> str:
        """When it expires; of what never does, by when somebody should decide."""
        known = row.action in registries.approval_actions
        due = registries.approval_actions.get(row.action).due if known else None
        shown = date_format(localtime(due(row) if due else row.expires_at), "DATETIME_FORMAT")
        return gettext("to be decided by %(when)s") % {"when": shown} if due else shown

    @admin.display(description=_("checkers"))
    def still_needed(self, row: Approval) -> str:
        """How many have approved, of how many."""
        given = sum(decision.approves for decision in row.decisions.all())
        return f"{given} / {row.checkers_needed}"

    @admin.display(description=_("who may decide"))
    def waits_for(self, row: Approval) -> str:
        """Name the roles that hold the right; whoever made it is left out by the service."""
        if not _open(row):
            return "–"
        return roles.holders(row.permission) or row.permission or "–"

    @admin.display(description=_("before and after"))
    def changes(self, row: Approval) -> str:
        """Show every field before and after; what the proposal does not name stays as it is."""
        return render_to_string("admin/changes.html", {"rows": changes(row)})

    @admin.display(description=_("attachments"))
    def papers(self, row: Approval) -> str:
        """List the papers with their hashes; each is a file to keep."""
        papers = [
            (reverse("admin:foundation_approval_paper", args=[row.pk, position]), paper)
            for position, paper in enumerate(row.attachments)
        ]
        return render_to_string("admin/papers.html", {"papers": papers})

    @admin.display(description=_("decisions"))
    def decisions(self, row: Approval) -> str:
        """Who has decided what, in whose stead, and why."""
        rows = row.decisions.filter(merchant=row.merchant_id).select_related("delegation")
        found = list(rows.order_by("id"))
        stood_for = [one.delegation.delegator_id for one in found if one.delegation]
        names = people.names([*(one.checker_id for one in found), *stood_for])
        named = [
            (one, names[str(one.checker_id)],
             one.delegation and names[str(one.delegation.delegator_id)])
            for one in found
        ]  # fmt: skip
        return render_to_string("admin/decisions.html", {"decisions": named})

    def _open_steps(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """Offer the maker to withdraw and everybody else to decide; the service checks again."""
        own = row.maker_person_id == cast(User, request.user).person_id
        names = {"withdraw"} if own else {"approve", "reject"}
        offered = super()._open_steps(request, row)
        return [entry for entry in offered if entry["step"].name in names]

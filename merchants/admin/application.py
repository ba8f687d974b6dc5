"""Applications: the list, and the one page to review them on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from foundation import clock
from foundation.admin import columns, filters
from foundation.admin.filters import Choice
from foundation.admin.keyset import KeysetAdmin, Search
from foundation.admin.waiting import changes as proposed_changes
from foundation.models import Approval, User
from merchants.admin import application_fields as fields
from merchants.admin import application_form, link
from merchants.models import (
    Application,
    ApplicationComment,
    ApplicationEvidence,
    ApplicationVersion,
    Document,
    RiskGrade,
)
from merchants.models.application import OPEN
from merchants.selectors import agent as agents
from merchants.selectors import application as selectors
from merchants.selectors import application_change as changes
from merchants.selectors import application_requirement as requirements
from merchants.selectors import application_twin as twins
from merchants.selectors.application import Whole
from merchants.services import application_review as reviews
from merchants.services.application_change import CHANGE

RIGHT = "merchants.review_application"
ENTER = "merchants.change_application"
MENU = [
    (
        "merchants_application_changelist",
        gettext_lazy("Applications"),
        "assignment_ind",
        "merchants.view_application",
    )
]
COLOURS = {
    "DRAFT": "primary",
    "SUBMITTED": "info",
    "FIRST_REVIEW": "info",
    "RETURNED": "warning",
    "APPROVED": "success",
    "REJECTED": "danger",
    "WITHDRAWN": "warning",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A field as the reviewer reads it."""

    path: str
    label: str
    value: str
    changed: bool = False
    was: str | None = None  # of a change: what is in force, where it differs
    comments: Sequence[ApplicationComment] = ()
    typed: str = ""  # what the reviewer wrote just now, when his decision was refused


@admin.register(Application)
class ApplicationAdmin(KeysetAdmin):
    """Applications, latest first. Their page shows the form beside its papers."""

    list_display = (
        "number",
        "name",
        "kind",
        columns.state("state", gettext_lazy("state"), COLOURS),
        "industry",
        "version_no",
        "entered_by_whom",
        "due_date",
        "created_at",
    )
    list_select_related = ("industry", "entered_by__person")
    list_filter = (
        filters.states("state", gettext_lazy("state"), Application.State.choices),
        filters.states("kind", pgettext_lazy("application", "kind"), Application.Kind.choices),
        filters.exact("registration_no", gettext_lazy("registration number")),
        filters.choices(
            "shares",
            gettext_lazy("Shares a number"),
            {
                "stopped": Choice(
                    gettext_lazy("with what was refused or is frozen"),
                    lambda: Q(pk__in=twins.with_stopped_kin()),
                )
            },
        ),
    )
    searches = (Search("number", prefix=True), Search("registration_no"))
    search_help_text = gettext_lazy("Application number from its beginning, or registration number")
    list_before_template = "admin/application_list.html"

    @admin.display(description=gettext_lazy("entered by"))
    def entered_by_whom(self, row: Application) -> str:
        """Name the person, not the account."""
        return row.entered_by.person.name

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        """Return the applications of the house's book: all there are."""
        found: QuerySet[Application] = super().get_queryset(request)
        return found.filter(merchant_id=selectors.house_id()).defer("account_number")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show everything about one application; the page itself only reads."""
        if request.method == "POST":
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return TemplateResponse(request, "admin/application.html", context(request, row))


@require_safe
def evidence(request: HttpRequest, object_id: int) -> HttpResponse:
    """Give the evidence of an approval as the very bytes that its hash is of (APP-12)."""
    if not request.user.has_perm("merchants.view_applicationevidence"):
        raise PermissionDenied
    found = ApplicationEvidence.objects.filter(
        merchant_id=selectors.house_id(), application_id=object_id
    )
    kept = found.select_related("application").first()
    if kept is None:
        raise Http404
    answer = HttpResponse(kept.content.encode(), content_type="application/json")
    name = f"evidence-{kept.application.number}.json"
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def context(
    request: HttpRequest, application: Application, typed: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return what the page of an application shows; `typed` is what its reader wrote just now."""
    of = selectors.whole(application)
    user = cast(User, request.user)
    state = Application.State(application.state)
    proposal = application.approval
    waits = proposal is not None and proposal.state == Approval.State.PROPOSED
    may_review = user.has_perm(RIGHT) and user.person_id not in application.makers
    return {
        **admin.site.each_context(request),
        "title": str(application),
        "application": application,
        "colour": COLOURS.get(str(state), ""),
        "sections": _sections(of, typed),
        **_change(of),
        "papers": _papers(of, typed) if user.has_perm("merchants.view_document") else (),
        "sent_since": _papers_since(application),
        "due": requirements.requirements(of, today=clock.business_date(clock.now())),
        "twins": [
            (twin, reverse(f"admin:{twin.other._meta.label_lower.replace('.', '_')}_change",
                           args=[twin.other.pk]))
            for twin in twins.twins(of)
        ],
        **_way(application),
        "decided": _decided(application),
        "evidence": application.evidence.first(),
        "grade": selectors.grade(application),
        **_agent(application),
        **link.of_application(request, application, clock.now()),
        "grades": RiskGrade.choices,
        "proposal": proposal if waits else None,
        "form_url": reverse("admin:application_form", args=[application.pk])
        if state in OPEN and user.has_perm(ENTER)
        else "",
        "review_url": reverse("admin:application_review", args=[application.pk])
        if may_review
        else "",
        "may_begin": may_review and state == Application.State.SUBMITTED,
        "may_decide": may_review and state == Application.State.FIRST_REVIEW and not waits,
        "may_refuse": may_review and state == Application.State.RETURNED,
        "had_a_hand": user.has_perm(RIGHT) and user.person_id in application.makers,
        "own": application.first_reviewer_person_id == user.person_id,
    }  # fmt: skip


def _way(application: Application) -> dict[str, Any]:
    """Return every step with who took it; of the last one, where it stands now and why."""
    steps = list(application.transitions.select_related("user__person").order_by("sequence"))
    return {"steps_taken": steps, "last_step": steps[-1] if steps else None}


def _agent(application: Application) -> dict[str, Any]:
    """Return by whom the applicant comes: the chain, topmost first, and its merchants' record."""
    links = selectors.agent_chain(application)
    record = agents.record(links[0].agent_id) if links else None
    return {"agent_links": list(reversed(links)), "agent_record": record}


def _change(of: Whole) -> dict[str, Any]:
    """
    Return what a change changes and what follows; once it is in force, its proposal says it.
    """
    found: dict[str, Any] = {"carried": application_form.carried_over(of)}
    row = of.application
    if row.concerns is None:
        return found
    if row.state == Application.State.APPROVED and row.approval is not None:
        return found | {
            "was_changed": [one for one in proposed_changes(row.approval) if one[1] != one[2]]
        }
    return found | {"changes": changes.changes(of), "follows": changes.follows(of)}


def _decided(application: Application) -> Any:
    """Return what second reviewers said of it, proposal by proposal."""
    found = Approval.objects.filter(
        merchant_id=application.merchant_id,
        action__in=[reviews.APPROVE, CHANGE],
        subject=f"application:{application.number}",
    )
    return found.prefetch_related("decisions__checker__person").order_by("-id")[:10]


def _sections(
    of: Whole, typed: Mapping[str, str]
) -> list[tuple[str, list[tuple[str, list[Value]]]]]:
    """Return every section as (title, groups of (heading, values))."""
    said = selectors.comments(of.application, every=True)  # what was asked for, and its answer
    since = _changed_since(of)
    open_change = of.application.state != Application.State.APPROVED
    was = {one.path: one.before for one in changes.changes(of)} if open_change else {}

    def value(path: str, label: str, text: object) -> Value:
        differs = path in since or path in was
        now = typed.get(path, "")
        return Value(path, label, str(text), differs, was.get(path), said.get(path, ()), now)

    form, row = fields.profile_form(of, None), of.application
    found = [
        (
            str(title),
            [("", [value(n, str(form[n].label), fields.shown(row, n)) for n in names])],
        )
        for _name, title, names in fields.sections(row)
    ]
    for part, (title, kind) in fields.ROWS.items():
        rows = getattr(of, part)
        labels = {name: str(field.label) for name, field in kind().fields.items()}
        groups = [
            (
                str(line.line_no),
                [value(f"{part}.{line.line_no}.{n}", label, fields.shown(line, n))
                 for n, label in labels.items()],
            )
            for line in rows
        ]  # fmt: skip
        found.append((str(title), groups))
    return found


def _changed_since(of: Whole) -> set[str]:
    """Return which fields differ from the version before, for whoever reviews it again."""
    found = _last_two(of.application)
    if len(found) < 2:
        return set()
    old, new = (dict(_paths(content)) for content in found)
    return {path for path, value in new.items() if old.get(path) != value}


def _papers(of: Whole, typed: Mapping[str, str]) -> list[tuple[Document, str, Any]]:
    """
    Return the papers kind by kind, what was sent in last behind what was there before; beside each
    what the reviewer wrote just now, and what was said of its kind.
    """
    order = Document.Kind.values
    papers = sorted(of.documents, key=lambda paper: (order.index(paper.kind), paper.id))
    said = selectors.comments(of.application, every=True)
    paths = [(paper, f"documents.{paper.kind}") for paper in papers]
    return [(paper, typed.get(path, ""), said.get(path, ())) for paper, path in paths]


def _papers_since(application: Application) -> set[str]:
    """Return the hashes of papers that the version before did not have."""
    found = _last_two(application)
    if len(found) < 2:
        return set()
    old, new = ({one["sha256"] for one in content["documents"]} for content in found)
    return new - old


def _last_two(row: Application) -> list[dict[str, Any]]:
    """Return the content of the version before and of the last one, as they were frozen."""
    versions = ApplicationVersion.objects.filter(
        merchant_id=row.merchant_id,
        application=row,
        number__in=[row.version_no - 1, row.version_no],
    )
    return [json.loads(version.content) for version in versions.order_by("number")]


def _paths(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if name in fields.ROWS:
            for place, row in enumerate(value, 1):
                for inner, part in row.items():
                    yield f"{name}.{row.get('line_no', place)}.{inner}", part
        else:
            yield name, sorted(value) if name == "products" else value


def fill(site: Any = admin.site) -> None:
    """Give the form and the evidence their addresses in the admin."""
    site.add_page("merchants/application/begin", application_form.begin, "application_begin")
    site.add_page(
        "merchants/application/<int:object_id>/form", application_form.page, "application_form"
    )
    site.add_page(
        "merchants/application/<int:object_id>/evidence", evidence, "application_evidence"
    )

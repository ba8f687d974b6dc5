"""The page on which an application is entered: one form, saved at any time, problems beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from config.errors import DomainError
from foundation import clock, confined
from foundation.models import User
from foundation.upload_limit import refused_field
from merchants.admin import application_fields as fields
from merchants.models import Application, ApplicationComment, Document
from merchants.models.application import OPEN
from merchants.selectors import application as selectors
from merchants.selectors import application_change as changes
from merchants.selectors import application_requirement as requirements
from merchants.selectors.application import Whole
from merchants.services import application as applications
from merchants.services import document as documents
from merchants.services import document_content

RIGHT = "merchants.change_application"
Problems = dict[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """
    A field as the page shows it, with what the reviewer said and what is wrong with it; `stored` is
    what another one saved there while this form was open.
    """

    path: str
    bound: forms.BoundField
    problem: str = ""
    comments: Sequence[ApplicationComment] = ()
    due: str = ""
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class Papers:
    """One kind of paper: what is there of it, and what is wrong."""

    path: str
    label: str
    there: Sequence[Document]
    problem: str = ""
    comments: Sequence[ApplicationComment] = ()
    due: str = ""


@dataclass(slots=True)
class Page:
    """Everything the template needs of one application, with the data that was posted, if any."""

    of: Whole
    data: Mapping[str, Any] | None = None
    problems: Problems = field(default_factory=dict)
    stale: bool = False  # somebody saved it after the form that was posted had been opened
    due: Problems = field(default_factory=dict)
    said: Mapping[str, Sequence[ApplicationComment]] = field(default_factory=dict)


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Make an empty draft and open its form."""
    if not request.user.has_perm("merchants.add_application"):
        raise PermissionDenied
    made = applications.begin(maker=cast(User, request.user), at=clock.now())
    return HttpResponseRedirect(reverse("admin:application_form", args=[made.id]))


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, object_id: int) -> HttpResponse:
    """Show the form; save it, take a paper off, or submit."""
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    application = _find(object_id)
    if application.state not in OPEN:
        return HttpResponseRedirect(_detail(application))
    if request.method == "POST":
        return _post(request, application)
    return _show(request, Page(selectors.whole(application)))


def _find(object_id: int) -> Application:
    found = Application.objects.filter(merchant_id=selectors.house_id(), id=object_id)
    application = found.select_related("industry", "concerns", "base").first()
    if application is None:
        raise Http404
    return application


def _detail(application: Application) -> str:
    return reverse("admin:merchants_application_change", args=[application.pk])


def _post(request: HttpRequest, application: Application) -> HttpResponse:
    """Save whatever is right; then do what the button says, if nothing was wrong."""
    too_large = refused_field(request)
    problems: Problems = {}
    if too_large:
        problems[_path_of(too_large)] = str(document_content.too_large())
    at = clock.now()
    if "give_up" in request.POST:
        return _give_up(request, application, at)
    try:
        problems |= _save(request, application, whole=not too_large)
        if not too_large:
            problems |= _take_in(request, application, at)
        if request.POST.get("remove", "").isdecimal():
            documents.remove(
                application_id=application.id,
                document_id=int(request.POST["remove"][:18]),
                maker=cast(User, request.user),
                at=at,
            )
        if "submit" in request.POST and not problems:
            return _submit(request, application, at)
    except applications.ChangedMeanwhile as refusal:
        return _stale(request, application, refusal)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path)
    if problems:
        messages.error(
            request,
            _("Nothing was saved: a file was too large. Save again without it.")
            if too_large
            else _("Saved, but for what is marked below."),
        )
        shown = Page(selectors.whole(_find(application.id)), request.POST, problems)
        answer = _show(request, shown)
        if too_large:
            answer["Connection"] = "close"  # the rest of the body is not wanted
        return answer
    messages.success(request, _("Saved."))
    return HttpResponseRedirect(request.path)


def _stale(request: HttpRequest, application: Application, refusal: DomainError) -> HttpResponse:
    """Show what was typed once more, beside what somebody else stored meanwhile."""
    kept = _("What you typed stands below, not saved yet; saving keeps it. Choose files again.")
    messages.error(request, f"{refusal} {kept}")
    shown = Page(selectors.whole(_find(application.id)), request.POST, stale=True)
    answer = _show(request, shown)
    answer.status_code = 409
    return answer


def _give_up(request: HttpRequest, application: Application, at: Any) -> HttpResponse:
    """Take the application back; nothing of the form is saved with it."""
    try:
        applications.give_up(
            application_id=application.id,
            maker=cast(User, request.user),
            reason=request.POST.get("reason", "").replace("\0", ""),
            at=at,
        )
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path)
    messages.success(request, _("Given up; nothing comes of it."))
    return HttpResponseRedirect(_detail(application))


def _submit(request: HttpRequest, application: Application, at: Any) -> HttpResponse:
    application.refresh_from_db(fields=["revision"])
    try:
        applications.submit(
            application_id=application.id,
            revision=application.revision,
            maker=cast(User, request.user),
            at=at,
        )
    except applications.Incomplete as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path + "?due=1")
    messages.success(request, _("Submitted; another person reviews it."))
    return HttpResponseRedirect(_detail(application))


def _save(request: HttpRequest, application: Application, *, whole: bool) -> Problems:
    """
    Give the service every field of the right shape; return what has another one.

    Of a request that was cut (not `whole`) the lists are not complete, and are left alone.
    """
    of = selectors.whole(application)
    form = fields.profile_form(of, request.POST)
    profile = fields.values(form)
    brought_by = profile.pop("brought_by", "")
    problems = {name: _said(errors) for name, errors in form.errors.items()}
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in fields.ROWS:
        rows[part] = []
        there = {row.line_no for row in getattr(of, part)}
        for number, line in enumerate(fields.row_forms(of, part, request.POST), 1):
            if line.empty():
                if number not in there and line.typed():
                    problems[f"{part}.{number}.name"] = _("Without a name the line is not saved.")
            else:
                rows[part].append({**fields.values(line), "line_no": number})
                problems |= {
                    f"{part}.{number}.{name}": _said(errors) for name, errors in line.errors.items()
                }
    if not whole:
        return problems
    revision = request.POST.get("revision", "")
    saved = applications.save(
        application_id=application.id,
        revision=int(revision) if revision.isdecimal() and len(revision) < 10 else -1,
        maker=cast(User, request.user),
        profile={name: value for name, value in profile.items() if name in applications.PROFILE},
        brought_by=User.objects.filter(pk=brought_by, is_staff=True).first()
        if brought_by and application.concerns_id is None
        else None,
        **rows,
    )
    return problems | saved.problems


def _take_in(request: HttpRequest, application: Application, at: Any) -> Problems:
    """Take every file in by itself: a bad one keeps no other one out, unless it was a slow one."""
    problems: Problems = {}
    patience = confined.Patience()
    for kind in Document.Kind:
        said = []
        for file in request.FILES.getlist(f"document-{kind}"):
            try:
                patience.require()
                documents.add(
                    application_id=application.id,
                    kind=str(kind),
                    file=cast(Any, file),
                    file_name=file.name or "",
                    maker=cast(User, request.user),
                    at=at,
                )
            except (
                confined.Busy, document_content.DocumentRefused, documents.TooManyDocuments
            ) as refusal:  # fmt: skip
                if isinstance(refusal, document_content.TooSlow):
                    patience.end()
                said.append(f"{file.name}: {refusal}")
        if said:
            problems[f"documents.{kind}"] = " ".join(said)
    return problems


def carried_over(of: Whole) -> set[int]:
    """Return the papers that came with an earlier application."""
    return {one.id for one in of.documents if one.application_id != of.application.id}


def _path_of(name: str) -> str:
    return f"documents.{name.removeprefix('document-')}"


def _said(errors: Any) -> str:
    return " ".join(str(error) for error in errors)


def _one(shown: Page, path: str, bound: forms.BoundField, row: Any) -> Shown:
    """Return a field with all that is said about it; what is wrong is read out with it, too."""
    problem, due = shown.problems.get(path, ""), shown.due.get(path, "")
    if problem or due:
        said = {"aria-invalid": "true", "aria-describedby": f"said-{path}"}
        bound.field.widget.attrs.update(said)
    return Shown(path, bound, problem, shown.said.get(path, ()), due, _stored(shown, bound, row))


def _stored(shown: Page, bound: forms.BoundField, row: Any) -> str | None:
    """Return what a field holds now, where something else was typed on an older form."""
    if not shown.stale or row is None or not bound.form.is_bound:
        return None
    if bound.name in fields.SECRET:
        differs = bool(bound.data)  # an empty one keeps what is there
    else:
        differs = bound.field.has_changed(bound.initial, bound.data)
    return fields.shown(row, bound.name) if differs else None


def _sections(shown: Page) -> list[tuple[str, Any, list[Shown]]]:
    form = fields.profile_form(shown.of, shown.data)
    row = shown.of.application
    return [
        (name, title, [_one(shown, inner, form[inner], row) for inner in names])
        for name, title, names in fields.sections(row)
    ]


def _parts(shown: Page) -> list[tuple[str, Any, list[tuple[int, list[Shown]]], Any]]:
    """Return owners, contacts and sites, line by line."""
    found = []
    for part, (title, _form) in fields.ROWS.items():
        rows = {row.line_no: row for row in getattr(shown.of, part)}
        lines = [
            (
                number,
                [
                    _one(shown, f"{part}.{number}.{name}", line[name], rows.get(number))
                    for name in line.fields
                ],
            )
            for number, line in enumerate(fields.row_forms(shown.of, part, shown.data), 1)
        ]
        found.append((part, title, lines, shown.said.get(part, ())))
    return found


def _papers(shown: Page) -> list[Papers]:
    return [
        Papers(
            path,
            str(kind.label),
            [d for d in shown.of.documents if d.kind == kind],
            shown.problems.get(path, ""),
            shown.said.get(path, ()),
            shown.due.get(path, ""),
        )
        for kind, path in ((kind, f"documents.{kind}") for kind in Document.Kind)
    ]


def _show(request: HttpRequest, shown: Page) -> HttpResponse:
    application = shown.of.application
    due = requirements.requirements(shown.of, today=clock.business_date(clock.now()))
    if "due" in request.GET:
        shown.due = {one.path: one.title for one in due}
    if application.version_no:
        shown.said = selectors.comments(application)
    context = {
        **admin.site.each_context(request),
        "title": _("Application %(number)s") % {"number": application.number},
        "application": application,
        "sections": _sections(shown),
        "parts": _parts(shown),
        "papers": _papers(shown),
        "carried": carried_over(shown.of),
        "changes": changes.changes(shown.of),
        "due": due,
        "returned": application.transitions.order_by("-sequence").first()
        if application.state == Application.State.RETURNED
        else None,
        "detail_url": _detail(application),
        "most_bytes": document_content.MAX_BYTES,
        "too_large": str(document_content.too_large()),
    }
    return TemplateResponse(request, "admin/application_form.html", context)

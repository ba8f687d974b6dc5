"""Bringing in a sheet: upload, look at what it would do or what is wrong, confirm; the log."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from config.errors import DomainError, Forbidden, NotFound
from foundation import clock, registries, sheet
from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.related import Link
from foundation.csv_intake.staging import ENCODINGS
from foundation.exchange import Importable
from foundation.models import FileImport, User
from foundation.services import file_import as imports
from foundation.upload_limit import refused_field

UPLOAD: Final = "foundation_import"
CHECK: Final = "foundation_import_check"
TEMPLATE: Final = "foundation_import_template"
MENU = [
    (
        "foundation_fileimport_changelist",
        gettext_lazy("Imports"),
        "upload_file",
        "foundation.view_fileimport",
    )
]
COLOURS = {"CHECKED": "info", "CONFIRMED": "success", "DISCARDED": "warning", "EXPIRED": "warning"}
_PAGE: Final = 100  # rows of a preview on one page
_NAMES: Final = {"utf-8": "UTF-8", "gb18030": "GB18030 (GBK)"}


class UploadForm(forms.Form):
    """The file, and how its letters are written."""

    file = forms.FileField(
        label=gettext_lazy("File (CSV or XLSX)"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.xlsx"}),
        error_messages={"empty": gettext_lazy("The file is empty.")},
    )
    encoding = forms.ChoiceField(
        label=gettext_lazy("Letters of a CSV file"),
        choices=[(name, _NAMES[name]) for name in sorted(ENCODINGS, reverse=True)],
        help_text=gettext_lazy("A CSV that Excel saved in Chinese is often GB18030."),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def upload_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Take a file, and go on to what it would do; or say every bad row, and keep nothing."""
    of, user = _importable(kind, request), cast(User, request.user)
    sent = request.method == "POST"
    too_large = sent and refused_field(request)
    form = UploadForm(request.POST if sent else None, request.FILES if sent else None)
    refusal: sheet.SheetRefused | None = None
    if too_large:
        form.errors.clear()
        form.add_error("file", _("The file is too large."))
    elif sent and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            kept = imports.check(
                kind=kind,
                file_name=file.name or "",
                content=file.read(imports.MOST_BYTES + 1),
                encoding=form.cleaned_data["encoding"] or "utf-8",
                maker=user,
                at=clock.now(),
            )
            return HttpResponseRedirect(reverse(f"admin:{CHECK}", args=[kept.id]))
        except sheet.SheetRefused as refused:
            refusal = refused
        except DomainError as refused:
            form.add_error("file", str(refused))
    context = {
        **admin.site.each_context(request),
        "title": of.title,
        "of": of,
        "form": form,
        "refusal": refusal,
        "formats": list(sheet.FORMATS),
        "back": reverse(f"admin:{of.onward}"),
    }
    status = 400 if refusal or form.errors else 200
    return TemplateResponse(request, "admin/file_import.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def check_page(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show what an upload would do; confirm or discard it."""
    user = cast(User, request.user)
    try:
        kept = imports.find(import_id=import_id, maker=user)
    except NotFound:
        raise Http404 from None
    of = _importable(kept.kind, request)
    upload = reverse(f"admin:{UPLOAD}", args=[of.name])
    if request.method == "POST":
        return _decide(request, kept, of, user)
    try:
        plan = imports.plan(kept)
    except imports.ImportClosed as closed:
        messages.error(request, str(closed))
        return HttpResponseRedirect(upload)
    except sheet.SheetRefused as refused:
        return _preview(request, kept, of, {"refusal": refused, "upload": upload}, status=409)
    first = max(0, _number(request.GET.get("from", "")) // _PAGE * _PAGE)
    rows = sorted(plan.lines, key=lambda line: line.effect == sheet.Effect.KNOWN)
    shown = [(line, of.shown(line.values)) for line in rows[first : first + _PAGE]]
    return _preview(
        request,
        kept,
        of,
        {
            "rows": shown,
            "counts": [(effect.label, plan.count(effect)) for effect in sheet.Effect],
            "doing": len(plan.doing),
            "changes": any(line.changes for line, _cells in shown),
            "before": first - _PAGE if first else None,
            "after": first + _PAGE if first + _PAGE < len(rows) else None,
            "upload": upload,
        },
    )


@require_safe
def template_page(request: HttpRequest, kind: str, form: str) -> HttpResponse:
    """Hand out an empty sheet with the header; in XLSX every column is text."""
    of = _importable(kind, request)
    if form not in sheet.FORMATS:
        raise Http404
    with sheet.written(form, [column.name for column in of.columns], []) as file:
        answer = HttpResponse(file.read(), content_type=sheet.FORMATS[form].media_type)
    answer["Content-Disposition"] = content_disposition_header(True, f"{of.name}.{form}") or ""
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _decide(request: HttpRequest, kept: FileImport, of: Importable, user: User) -> HttpResponse:
    """Do what the button said, and go on to where it shows."""
    upload = reverse(f"admin:{UPLOAD}", args=[of.name])
    try:
        if request.POST.get("do") == "confirm":
            told = imports.confirm(import_id=kept.id, maker=user, at=clock.now())
            messages.success(request, told)
            return HttpResponseRedirect(reverse(f"admin:{of.onward}"))
        imports.discard(import_id=kept.id, maker=user, at=clock.now())
        messages.success(request, _("The upload is discarded."))
    except sheet.SheetRefused:  # the page says every bad row
        return HttpResponseRedirect(reverse(f"admin:{CHECK}", args=[kept.id]))
    except imports.ImportClosed as closed:
        messages.error(request, str(closed))
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse(f"admin:{CHECK}", args=[kept.id]))
    return HttpResponseRedirect(upload)


def _preview(
    request: HttpRequest,
    kept: FileImport,
    of: Importable,
    more: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": of.title, "of": of, "kept": kept}
    return TemplateResponse(
        request, "admin/file_import_check.html", {**context, **more}, status=status
    )


def _importable(kind: str, request: HttpRequest) -> Importable:
    """Return the kind to who may bring it in; 404 says nothing of what others may."""
    try:
        return imports.importable(kind, cast(User, request.user))
    except (NotFound, Forbidden):
        raise Http404 from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


@admin.register(FileImport)
class FileImportAdmin(KeysetAdmin):
    """Imports, latest first: who brought which file, and what came of it."""

    list_display = (
        columns.named("kind", gettext_lazy("kind"), lambda kind: _title(kind)),
        "file_name",
        "rows",
        "new",
        "changed",
        columns.state("state", gettext_lazy("state"), COLOURS),
        "made_by",
        "made_at",
    )
    list_select_related = ("made_by",)
    list_filter = (filters.states("state", gettext_lazy("state"), FileImport.State.choices),)
    hidden = ("uuid", "merchant")
    shown = {"kind": columns.named("kind", gettext_lazy("kind"), lambda kind: _title(kind))}
    list_before_template = "admin/file_import_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Offer every kind of sheet that the reader may bring in."""
        links = import_links(cast(User, request.user))
        return super().changelist_view(request, {"links": links, **(extra_context or {})})

    def related_links(self, request: HttpRequest, row: FileImport) -> list[Link]:
        """Lead who uploaded it to what it would do, while it waits."""
        if row.state != FileImport.State.CHECKED or row.made_by_id != request.user.pk:
            return []
        return [Link(_("What it would do"), reverse(f"admin:{CHECK}", args=[row.pk]))]


def import_links(user: User, kind: str = "") -> list[Link]:
    """Return the imports this person may begin; of one kind where it is named."""
    return [
        Link(str(of.title), reverse(f"admin:{UPLOAD}", args=[name]))
        for name, of in registries.importables.items()
        if (not kind or name == kind)
        and user.has_perm(imports.RIGHT)
        and user.has_perm(of.permission)
    ]


def _title(kind: str) -> str:
    known = kind in registries.importables
    return str(registries.importables.get(kind).title) if known else kind


def fill(site: Any = admin.site) -> None:
    """Give the pages their addresses in the admin."""
    site.add_page("import/check/<int:import_id>/", check_page, CHECK)
    site.add_page("import/<slug:kind>/template/<slug:form>/", template_page, TEMPLATE)
    site.add_page("import/<slug:kind>/", upload_page, UPLOAD)

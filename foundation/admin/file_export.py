"""Taking a list out: ask by a filter, see how far it is, fetch the file, the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.errors import Forbidden, NotFound
from foundation import clock, registries, sheet
from foundation.admin import columns, filters, form_page
from foundation.admin.file_import import import_links
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step
from foundation.admin.refusal import refused_page
from foundation.admin.related import Link
from foundation.exchange import Exportable
from foundation.models import FileExport, Job, User
from foundation.services import file_export as exports

ASK: Final = "foundation_export"
FILE: Final = "foundation_export_file"
MENU = [
    (
        "foundation_fileexport_changelist",
        gettext_lazy("Exports"),
        "download",
        "foundation.view_fileexport",
    )
]
COLOURS = {
    "REQUESTED": "info",
    "READY": "success",
    "FAILED": "danger",
    "DELETED": "primary",
    "SENT": "success",
}


class ExportForm(forms.Form):
    """The filter of one kind of list, and the kind of file."""

    def __init__(self, of: Exportable, **given: Any) -> None:
        super().__init__(**given)
        for name, (label, choices) in of.fields.items():
            self.fields[name] = _field(label, choices)
        self.fields["format"] = forms.ChoiceField(
            label=gettext_lazy("File"),
            choices=[(name, name.upper()) for name in sorted(sheet.FORMATS, reverse=True)],
            widget=UnfoldAdminSelectWidget(),
        )


def _field(label: Any, choices: Any) -> forms.Field:
    if choices:
        return forms.ChoiceField(
            label=label,
            choices=[("", _("all")), *choices],
            required=False,
            widget=UnfoldAdminSelectWidget(),
        )
    return forms.CharField(
        label=label, max_length=100, required=False, widget=UnfoldAdminTextInputWidget()
    )


@require_http_methods(["GET", "HEAD", "POST"])
def ask_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask for an export; a worker writes it, and it stands in the list of exports."""
    user = cast(User, request.user)
    try:
        of = exports.exportable(kind, user)
    except (NotFound, Forbidden):
        raise Http404 from None

    def run(values: dict[str, Any]) -> str:
        exports.request(
            kind=kind,
            filter={name: value for name, value in values.items() if name != "format"},
            format=values["format"],
            user=user,
            at=clock.now(),
        )
        return _("The export is being written; this list shows when it is ready.")

    return form_page.serve(
        request,
        title=str(of.title),
        intro=_(
            "Who took out what, by which filter and how many rows, is recorded. Numbers are masked."
            " The file is deleted after 24 hours."
        ),
        button=_("Export"),
        form=ExportForm(
            of,
            data=request.POST if request.method == "POST" else None,
            initial={name: request.GET[name] for name in of.fields if name in request.GET},
        ),
        run=run,
        onward=reverse("admin:foundation_fileexport_changelist"),
    )


@require_safe
def file_page(request: HttpRequest, export_id: int) -> HttpResponseBase:
    """Hand the file to who asked for it, as one to keep and never as a page."""
    try:
        export, pieces = exports.read(
            export_id=export_id, user=cast(User, request.user), at=clock.now()
        )
    except (NotFound, Forbidden):
        raise Http404 from None
    except exports.ExportDamaged as refusal:
        back = reverse("admin:foundation_fileexport_changelist")
        return refused_page(request, refusal, back)
    name = f"{export.kind}-{export.requested_at:%Y%m%d}-{export.pk}.{export.format}"
    answer = StreamingHttpResponse(pieces, content_type=sheet.FORMATS[export.format].media_type)
    answer["Content-Length"] = str(export.size_bytes)
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _delete(request: HttpRequest, row: FileExport, reason: str, at: datetime) -> str:
    exports.delete(export_id=row.pk, user=cast(User, request.user), at=at)
    return _("The file is deleted.")


@admin.register(FileExport)
class FileExportAdmin(KeysetAdmin):
    """Exports, latest first: who took out what, by which filter, how many rows."""

    list_display = (
        columns.named("kind", gettext_lazy("kind"), lambda kind: _title(kind)),
        "chosen_by",
        "rows",
        columns.state("state", gettext_lazy("state"), COLOURS),
        "file",
        "requested_by",
        "requested_at",
        "expires_at",
    )
    list_select_related = ("requested_by",)
    list_filter = (filters.states("state", gettext_lazy("state"), FileExport.State.choices),)
    hidden = ("merchant",)
    shown = {"kind": columns.named("kind", gettext_lazy("kind"), lambda kind: _title(kind))}
    list_before_template = "admin/file_import_list.html"
    steps = (
        Step(
            "delete",
            gettext_lazy("Delete my file"),
            _delete,
            open_to=lambda row: row.state in ("REQUESTED", "READY"),
            permission=exports.RIGHT,
            colour="danger",
        ),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the filter in words, the reason in the reader's language, and how far it is."""
        shown = {"filter": "chosen_by", "message": "why"}
        names = [shown.get(str(name), name) for name in super().get_fields(request, obj)]
        return ["progress", *names]

    def title(self, row: FileExport) -> str:
        """Call the page by what was taken out."""
        return f"{_title(row.kind)} {row.pk}"

    @admin.display(description=gettext_lazy("filter"))
    def chosen_by(self, row: FileExport) -> str:
        """Say the filter: the fields with their values."""
        known = row.kind in registries.exportables
        fields = registries.exportables.get(row.kind).fields if known else {}
        said = []
        for name, value in row.filter.items():
            label, choices = fields.get(name, (name, ()))
            said.append(f"{label}: {dict(choices).get(value, value)}")
        return ", ".join(said) or _("all")

    @admin.display(description=gettext_lazy("message"))
    def why(self, row: FileExport) -> str:
        """Say why there is no file."""
        return _(row.message) if row.message else "–"

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, row: FileExport) -> Any:
        """Show how many rows are written of how many."""
        job = Job.objects.filter(kind=exports.JOB, key=str(row.pk)).order_by("-id").first()
        if job is None:
            return "–"
        return columns.progress("done", "total", "")(job)

    @admin.display(description=gettext_lazy("file"))
    def file(self, row: FileExport) -> Any:
        """Say how large the file is, where it is there."""
        if row.state != FileExport.State.READY or row.size_bytes is None:
            return "–"
        return f"{row.format.upper()} {max(1, row.size_bytes // 1024):,} KiB"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Offer every kind of list that the reader may take out."""
        links = export_links(cast(User, request.user))
        return super().changelist_view(request, {"links": links, **(extra_context or {})})

    def related_links(self, request: HttpRequest, row: FileExport) -> list[Link]:
        """Lead who asked for it to the file."""
        if row.state != FileExport.State.READY or row.requested_by_id != request.user.pk:
            return []
        return [Link(_("Download"), reverse(f"admin:{FILE}", args=[row.pk]))]


def export_links(user: User, kind: str = "") -> list[Link]:
    """Return the exports this person may ask for; of one kind where it is named."""
    return [
        Link(str(of.title), reverse(f"admin:{ASK}", args=[name]))
        for name, of in registries.exportables.items()
        if (not kind or name == kind)
        and user.has_perm(exports.RIGHT)
        and user.has_perm(of.permission)
    ]


class Exchanged:
    """For lists that can be brought in or taken out as `exchange`: the links above them."""

    exchange = ""
    list_before_template = "admin/file_import_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Offer what the reader may do with the list as a whole."""
        user = cast(User, request.user)
        links = [*import_links(user, self.exchange), *export_links(user, self.exchange)]
        above: Any = super()
        return above.changelist_view(request, {"links": links, **(extra_context or {})})


def _title(kind: str) -> str:
    if kind in registries.sent_lists:
        return str(registries.sent_lists.get(kind))
    known = kind in registries.exportables
    return str(registries.exportables.get(kind).title) if known else kind


def fill(site: Any = admin.site) -> None:
    """Give the pages their addresses in the admin."""
    site.add_page("export/file/<int:export_id>/", file_page, FILE)
    site.add_page("export/<slug:kind>/", ask_page, ASK)

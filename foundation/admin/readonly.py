"""The base of every screen of the admin: read here, changed by services through POST forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import BinaryField, Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from config.errors import DomainError
from foundation import clock, roles
from foundation.admin import columns
from foundation.admin import timeline as timelines
from foundation.admin.related import Link, Related, links
from foundation.admin.theme import ModelAdmin
from foundation.admin.waiting import Subjects, subjects_of, waiting
from foundation.fields import EncryptedTextField
from foundation.services.attachment import (
    MOST_BYTES,
    MOST_PAPERS,
    AttachmentRefused,
    NewAttachment,
)
from foundation.upload_limit import refused_field

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing a person may do with a row: a POST form in front of one service call.

    `run(request, row, reason, at)` calls the service and returns what to tell; a DomainError is
    shown as the refusal it is. `open_to(row)` says when the form is shown. `permission` "" leaves
    the right to the service.
    """

    name: str
    label: str | Promise
    run: Callable[[HttpRequest, Any, str, datetime], str]
    open_to: Callable[[Any], bool] = lambda row: True
    permission: str = ""
    reason: str | Promise = ""  # the label of the reason; "" asks for none
    reason_needed: bool = False
    paper: str | Promise = ""  # the label of the evidence, needed where there is one
    attachments: bool = False  # offers to add papers; `uploaded(request)` gives them to `run`
    colour: str = "primary"  # or "danger"
    onward: Callable[[HttpRequest, Any], str] | None = None  # where it leads; else to the row


def uploaded(request: HttpRequest) -> list[NewAttachment]:
    """
    Return the papers that came with a step, each read up to just beyond what is accepted.

    Raises AttachmentRefused when there are too many, before any is read, and when the reading of
    the request stopped at one that is too large: nothing is proposed without its papers.
    """
    files = request.FILES.getlist("attachments")
    if refused_field(request):
        raise AttachmentRefused(_("A file is too large."))
    if len(files) > MOST_PAPERS:
        raise AttachmentRefused(_("At most %(most)s attachments.") % {"most": MOST_PAPERS})
    return [NewAttachment(file.name or "", file.read(MOST_BYTES + 1)) for file in files]


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[type-arg]
    """
    Nothing is added, changed or deleted here. Amounts in minor units are shown as money, secrets
    are not shown at all.
    """

    actions = None
    steps: tuple[Step, ...] = ()
    money_currency: dict[str, str] = {}  # column of minor units -> column of its currency
    related: tuple[Related, ...] = ()
    hidden: tuple[str, ...] = ()
    labels: dict[str, str | Promise] = {}  # for columns whose model names none
    shown: dict[str, columns.Column | None] = {}  # shown in place of a column; None hides it
    # What proposals about a row are called, where it is not `bank_account:7` or its number.
    approval_subjects: Subjects | None = None
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 100
    list_max_show_all = 0
    view_on_site = False
    change_form_outer_before_template = "admin/steps.html"

    def has_add_permission(self, request: HttpRequest, *rest: Any) -> bool:
        """Refuse: rows come from services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: rows change through services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nothing is deleted."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """
        Let an address filter by the declared filters alone. By any other column it would tell, one
        letter after the other, what no page shows: a password's hash, the key of a session.
        """
        return lookup in {getattr(one, "parameter_name", "") for one in self.list_filter}

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return a row, None for a key that no row can have."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return every column, amounts as money, without secrets and the hidden ones."""
        if self.fields is not None:
            return self._with_people(request, self.fields)
        names: list[Any] = []
        for field in self.model._meta.concrete_fields:
            if isinstance(field, (EncryptedTextField, BinaryField)) or field.name in self.hidden:
                continue
            if field.name in self.shown:
                column = self.shown[field.name]
                names.extend([] if column is None else [column])
            elif field.name in self.labels:
                names.append(columns.plain(field.name, self.labels[field.name]))
            elif field.name.endswith("_minor"):
                names.append(self._amount(field))
            elif field.name != "xid8":
                names.append(field.name)
        return self._with_people(request, names)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Call people by their names."""
        return self._with_people(request, super().get_list_display(request), link=False)

    def _with_people(
        self, request: HttpRequest, names: Sequence[Any], *, link: bool | None = None
    ) -> list[Any]:
        """Put the names of people in place of their accounts; a link for who may follow it."""
        if link is None:
            link = request.user.has_perm("foundation.view_user")
        own = [name for name in columns.accounts(self.model) if not hasattr(self, name)]
        return [
            columns.person(one, self.model._meta.get_field(one).verbose_name, link=link)
            if isinstance(one, str) and one in own
            else one
            for one in names
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Everything is read-only."""
        return list(self.get_fields(request, obj))

    def get_urls(self) -> list[Any]:
        """Add the address that steps are posted to."""
        info = self.opts.app_label, self.opts.model_name
        step = path(
            "<path:object_id>/step/<slug:name>/",
            self.admin_site.admin_view(require_POST(self.step_view)),
            name="{}_{}_step".format(*info),
        )
        timeline = path(
            "<path:object_id>/timeline/",
            self.admin_site.admin_view(require_safe(self.timeline_view)),
            name="{}_{}_timeline".format(*info),
        )
        return [step, timeline, *super().get_urls()]

    def timeline_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show all that was done to a row, to who may see the row."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        declared = type(self).approval_subjects
        return timelines.serve(
            request,
            row,
            title=self.title(row),
            subjects=subjects_of(row) if declared is None else list(declared(row)),
            hidden=self.hidden,
        )

    def step_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Do one step, once, and say what came of it."""
        step = next((step for step in self.steps if step.name == name), None)
        if step is None:
            raise Http404
        self._require_right(request, step)
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        reason = request.POST.get("reason", "").strip()
        paper = request.POST.get("paper", "").strip()
        if "\0" in reason + paper:
            messages.error(request, _("The text holds a character that cannot be stored."))
        elif (step.reason_needed and not reason) or (step.paper and not paper):
            messages.error(request, _("Please say why."))
        elif max(len(reason), len(paper)) > MAX_REASON:
            messages.error(request, _("At most %(most)s characters.") % {"most": MAX_REASON})
        else:
            try:
                messages.success(request, step.run(request, row, reason, clock.now()))
                if step.onward is not None:
                    return HttpResponseRedirect(step.onward(request, row))
            except DomainError as refusal:
                messages.error(request, str(refusal))
        return HttpResponseRedirect(self._address(row))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a row; the page only reads, so a POST to it is refused."""
        if request.method == "POST":
            raise PermissionDenied
        row = self.get_object(request, object_id)
        title = "" if row is None else self.title(row)
        context: dict[str, Any] = {"title": title, "subtitle": None}
        if row is not None:
            context["steps"] = self._open_steps(request, row)
            context["related"] = self.related_links(request, row)
            context["timeline"] = reverse(self._named("timeline"), args=[row.pk])
            context["waiting"] = waiting(request, row, type(self).approval_subjects)
        context |= extra_context or {}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show the list under the name of what it lists."""
        title = str(self.opts.verbose_name_plural)
        return super().changelist_view(
            request, {"title": title[:1].upper() + title[1:], **(extra_context or {})}
        )

    def title(self, row: Any) -> str:
        """Return what the page of a row is called."""
        return str(row)

    def related_links(self, request: HttpRequest, row: Any) -> list[Link]:
        """Return where the reader finds what belongs to the row."""
        return links(request, row, self.related)

    def _require_right(self, request: HttpRequest, step: Step) -> None:
        """Refuse who lacks the step's right, and everybody where none is declared (ROL-6)."""
        name = f"{self.opts.label_lower}.{step.name}"
        judged = not step.permission and name in roles.JUDGED
        if not judged and not (step.permission and request.user.has_perm(step.permission)):
            raise PermissionDenied

    def _open_steps(self, request: HttpRequest, row: Model) -> list[dict[str, Any]]:
        address = self._named("step")
        return [
            {"step": step, "url": reverse(address, args=[row.pk, step.name])}
            for step in self.steps
            if step.open_to(row) and (not step.permission or request.user.has_perm(step.permission))
        ]

    def _address(self, row: Model) -> str:
        return reverse(self._named("change"), args=[row.pk])

    def _named(self, view: str) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_{view}"

    def _amount(self, field: Any) -> Any:
        currency = self.money_currency.get(field.name, "currency")
        shown = columns.money(field.name, field.verbose_name, currency=currency)
        shown.__name__ = field.name
        return shown

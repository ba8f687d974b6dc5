"""Freezing, restricting, restoring: the buttons, the list, and what was decided."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from foundation import clock
from foundation.admin import form_page
from foundation.admin.readonly import MAX_REASON, Step, uploaded
from foundation.models import Approval, User
from foundation.selectors.house import house_id
from merchants.models import Merchant, MerchantTransition
from merchants.selectors import merchant_state as selectors
from merchants.services import merchant_state as states

RIGHT: Final = "merchants.propose_merchantstate"
PROPOSE: Final = "merchants_merchant_move"
LIST: Final = "merchants_merchant_moves"
MENU = [(PROPOSE, gettext_lazy("Freeze and restore"), "ac_unit", RIGHT)]
MOST_BYTES: Final = 1024 * 1024
_MOST_LINES: Final = 2 * states.MOST  # of a file, empty ones included
_MOST_CHOSEN: Final = 200  # merchants chosen by their boxes; a page of the list has fewer
_BETWEEN: Final = re.compile(r"[\r\n\t,;，；、]+")
_HEADERS: Final = ("merchant_no", "merchant number", "商户号", "商户编号")
_TITLES: Final = {
    states.FREEZE: gettext_lazy("Freeze"),
    states.RESTRICT: gettext_lazy("Restrict"),
    states.RESTORE: gettext_lazy("Restore to the former state"),
}
_NAMES: Final = (gettext_noop("list sha256"), gettext_noop("count"))  # fields of the proposals


def _text(content: bytes) -> str:
    """Return a list as text, in either of the encodings that spreadsheets write. Raises."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
        break
    raise forms.ValidationError(_("The file is no CSV: save it as CSV, in UTF-8 or GB18030."))


class Files(forms.FileInput):
    """Several files in one field; the service reads them and says what is wrong with them."""

    allow_multiple_selected = True


class MoveForm(forms.Form):
    """What to do with which merchants, why, and by which document."""

    action = forms.ChoiceField(
        label=gettext_lazy("What to do"),
        choices=list(_TITLES.items()),
        widget=UnfoldAdminSelectWidget(),
    )
    merchants = forms.CharField(
        label=gettext_lazy("Merchant numbers"),
        required=False,
        max_length=400_000,
        help_text=gettext_lazy("One to a line, or with commas between; or a file below."),
        widget=UnfoldAdminTextareaWidget(),
    )
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        help_text=gettext_lazy("The merchant number is the first column; at most 1 MiB."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (the merchants read it)"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    document = forms.CharField(
        label=gettext_lazy("Document that orders it"),
        max_length=states.MAX_DOCUMENT,
        help_text=gettext_lazy("Its number or title, for example 银支付〔2026〕12号"),
        widget=UnfoldAdminTextInputWidget(),
    )
    attachments = forms.Field(
        label=gettext_lazy("Attachments (PDF, PNG, JPEG, text)"),
        required=False,
        widget=Files(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.txt,.csv"}),
    )

    def clean_file(self) -> list[str]:
        """Return the numbers of the file."""
        file: UploadedFile[Any] | None = self.cleaned_data["file"]
        if file is None:
            return []
        content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 MiB."))
        lines = _text(content).splitlines()
        if len(lines) > _MOST_LINES:  # a MiB of line ends would take seconds
            most = {"most": states.MOST}
            raise forms.ValidationError(_("At most %(most)s merchants in one list.") % most)
        numbers = [_BETWEEN.split(line)[0].strip('" ') for line in lines]
        numbers = [number for number in numbers if number]
        return numbers[1:] if numbers and numbers[0].lower() in _HEADERS else numbers

    def numbers(self) -> list[str]:
        """Return every number, typed and from the file."""
        return [*_BETWEEN.split(self.cleaned_data["merchants"]), *self.cleaned_data["file"]]


@require_http_methods(["GET", "HEAD", "POST"])
def propose_page(request: HttpRequest) -> HttpResponse:
    """Propose one move of a list of merchants; another person decides on the list. Rule: MST-2."""
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    sent = request.method == "POST"
    form = MoveForm(
        data=request.POST if sent else None,
        files=request.FILES if sent else None,
        initial={"merchants": "\n".join(chosen(request.GET.get("chosen", "")))},
    )

    def run(values: dict[str, Any]) -> str:
        states.propose(
            action=values["action"],
            merchant_nos=form.numbers(),
            reason=values["reason"],
            document=values["document"],
            attachments=uploaded(request),
            maker=cast(User, request.user),
            at=clock.now(),
        )
        return _("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=_("Freeze, restrict, restore merchants"),
        intro=_(
            "One proposal for the whole list; another person decides on exactly this list. Payments"
            " of a frozen or restricted merchant are still recorded and nothing is paid out of it."
            " What a restricted one has due is settled to its balance; a frozen one's waits until"
            " it is restored."
        ),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_merchant_changelist"),
    )


@require_safe
def list_page(request: HttpRequest, approval_id: int) -> HttpResponse:
    """Show the list of a proposal: each merchant, what it was to do, and where it stands now."""
    if not request.user.has_perm("foundation.view_approval"):
        raise PermissionDenied
    row = Approval.objects.filter(
        merchant_id=house_id(), id=approval_id, action__in=states.EVENTS
    ).first()
    if row is None:
        raise Http404
    moves = dict(entry.rsplit(" ", 1) for entry in row.after["merchants"])
    now = {one.merchant_no: one for one in selectors.standing(merchant_nos=list(moves))}
    labels = dict(Merchant.Status.choices)
    context = {
        **admin.site.each_context(request),
        "title": states.describe(row),
        "approval": row,
        "rows": [
            (now[no], *(labels[status] for status in move.split("→")), labels[now[no].status])
            for no, move in moves.items()
            if no in now
        ],
    }
    return TemplateResponse(request, "admin/merchant_moves.html", context)


def history(merchant: Merchant) -> str:
    """Return the latest moves of a merchant for its page."""
    moves = MerchantTransition.objects.filter(merchant_id=merchant.pk).order_by("-sequence")[:20]
    return render_to_string("admin/merchant_history.html", {"moves": moves})


def chosen(text: str) -> list[str]:
    """Return the numbers of the merchants whose boxes were ticked in the list."""
    keys = [int(key) for key in text.split(",") if key.isascii() and key.isdigit()]
    keys = [key for key in keys if key < 2**63][:_MOST_CHOSEN]
    if not keys:
        return []
    found = Merchant.objects.filter(pk__in=keys, kind=Merchant.Kind.MERCHANT)
    return list(found.order_by("merchant_no").values_list("merchant_no", flat=True))


def _proposing(action: str) -> Callable[[HttpRequest, Any, str, datetime], str]:
    def run(request: HttpRequest, row: Merchant, reason: str, at: datetime) -> str:
        states.propose(
            action=action,
            merchant_nos=[row.merchant_no],
            reason=reason,
            document=request.POST.get("paper", "").strip(),
            attachments=uploaded(request),
            maker=cast(User, request.user),
            at=at,
        )
        return _("Proposed; another person decides in the approvals.")

    return run


def _may_go_back(row: Merchant) -> bool:
    """Return whether there is a state to restore; who was closed before applies anew."""
    return (
        row.status != Merchant.Status.CLOSING
        or not MerchantTransition.objects.filter(
            merchant_id=row.pk, to_status=Merchant.Status.CLOSED
        ).exists()
    )


def _step(name: str, action: str, label: Promise | str, *from_states: str, colour: str) -> Step:
    return Step(
        name,
        label,
        _proposing(action),
        open_to=lambda row: (
            row.kind == Merchant.Kind.MERCHANT
            and row.status in from_states
            and (action != states.RESTORE or _may_go_back(row))
        ),
        permission=RIGHT,
        reason=gettext_lazy("Reason (the merchants read it)"),
        reason_needed=True,
        paper=gettext_lazy("Document that orders it"),
        attachments=True,
        colour=colour,
    )


STEPS: Final = (
    _step("freeze", states.FREEZE, gettext_lazy("Propose to freeze"), "ACTIVE", "RESTRICTED",
          "CLOSING", colour="danger"),
    _step("restrict", states.RESTRICT, gettext_lazy("Propose to restrict"), "ACTIVE",
          colour="danger"),
    _step("restore", states.RESTORE, gettext_lazy("Propose to restore"), "FROZEN", "RESTRICTED",
          "CLOSING", colour="primary"),
)  # fmt: skip


def fill(site: Any = admin.site) -> None:
    """Give the pages their addresses in the admin."""
    site.add_page("merchants/merchant/move/", propose_page, PROPOSE)
    site.add_page("merchants/merchant/moves/<int:approval_id>/", list_page, LIST)

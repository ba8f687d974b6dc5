"""Closing merchants: what stands against it, and the two proposals that lead there."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from config.errors import DomainError
from foundation import clock
from foundation.admin import columns
from foundation.admin.readonly import MAX_REASON, uploaded
from foundation.admin.related import MERCHANT
from foundation.models import Approval, User
from merchants.admin.merchant_state import Files
from merchants.models import Merchant
from merchants.services import merchant_state as states
from settlement.selectors import closing
from settlement.services import closing as closings

RIGHT: Final = "merchants.propose_merchantstate"
VIEW: Final = "settlement.view_due"
MENU = [("settlement_closings", gettext_lazy("Closing of merchants"), "door_front", VIEW)]
# The list in which each reason stands, by its code; what begins with "balance:" is an account.
_LISTS: Final = {
    "balance:merchant_pending": "settlement_due",
    "hold": "ledger_hold",
    "withdrawal": "settlement_withdrawal",
    "unknown": "settlement_payoutattempt",
    "disputed": "settlement_withdrawal",
    "item": "settlement_item",
    "unpriced": "channels_unpriced",
    "uncleared": "channels_payment",
    "uncleared_refund": "channels_refund",
    "case": "settlement_payoutcase",
    "approval": "foundation_approval",
    "registration": "channels_registration",
}
_TITLES: Final = {
    Merchant.Status.ACTIVE: gettext_lazy("Propose to begin closing"),
    Merchant.Status.CLOSED: gettext_lazy("Propose to take the closing up again"),
    Merchant.Status.CLOSING: gettext_lazy("Propose to close for good"),
}


class ClosingForm(forms.Form):
    """Why, and by which paper: for instance the merchant's own application to leave."""

    reason = forms.CharField(
        label=gettext_lazy("Reason (the merchants read it)"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    document = forms.CharField(
        label=gettext_lazy("Document that orders it"),
        max_length=states.MAX_DOCUMENT,
        help_text=gettext_lazy("For instance the merchant's application to leave, with its date"),
        widget=UnfoldAdminTextInputWidget(),
    )
    attachments = forms.Field(
        label=gettext_lazy("Attachments (PDF, PNG, JPEG, text)"),
        required=False,
        widget=Files(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.txt,.csv"}),
    )


@require_safe
def list_page(request: HttpRequest) -> HttpResponse:
    """Show who is being closed, and closed merchants for whom something came late."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    labels = dict(Merchant.Status.choices)
    after = request.GET.get("after", "0")
    behind = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    found = closing.leaving(after=behind, limit=closing.MOST + 1)
    more = len(found) > closing.MOST
    found = found[: closing.MOST]
    context = {
        **admin.site.each_context(request),
        "title": _("Closing of merchants"),
        "rows": [(row, labels[row.status]) for row in found],
        "first": behind > 0,
        "next": found[-1].merchant_id if more else None,
    }
    return TemplateResponse(request, "admin/closings.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Show what stands against closing a merchant, and propose the next step of it (MST-7)."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    merchant = Merchant.objects.filter(pk=min(merchant_id, 2**63 - 1)).first()
    if merchant is None or merchant.kind != Merchant.Kind.MERCHANT:
        raise Http404
    form = ClosingForm(request.POST or None)
    if request.method == "POST":
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        if form.is_valid() and _proposed(request, merchant, form):
            return HttpResponseRedirect(request.path)
    against = closing.reasons(merchant_id=merchant.pk)
    context = {
        **admin.site.each_context(request),
        "title": _("Closing of %(merchant)s") % {"merchant": merchant},
        "merchant": merchant,
        "rows": [
            (one, columns.grouped(one.amount) if one.amount else "", _list(one.code, merchant))
            for one in against
        ],
        "form": form if request.user.has_perm(RIGHT) and _may(merchant, against) else None,
        "errors": form.non_field_errors(),
        "waiting": _waiting(merchant),
        "button": _TITLES.get(Merchant.Status(merchant.status), ""),
        "states": Merchant.Status,
    }
    status = 400 if form.errors else 200
    return TemplateResponse(request, "admin/closing.html", context, status=status)


def _proposed(request: HttpRequest, merchant: Merchant, form: ClosingForm) -> bool:
    """Propose the next step; say at its field what was refused."""
    values: dict[str, Any] = {
        "reason": form.cleaned_data["reason"],
        "document": form.cleaned_data["document"],
        "maker": cast(User, request.user),
        "at": clock.now(),
    }
    try:
        values["attachments"] = uploaded(request)
        if merchant.status == Merchant.Status.CLOSING:
            closings.propose_end(merchant=merchant, **values)
        else:
            states.propose(action=states.CLOSE, merchant_nos=[merchant.merchant_no], **values)
    except DomainError as refusal:
        field = getattr(refusal, "field", None)
        form.add_error(field if field in form.fields else None, str(refusal))
        return False
    messages.success(request, _("Proposed; another person decides in the approvals."))
    return True


def _may(merchant: Merchant, against: list[closing.Reason]) -> bool:
    """Return whether the next step can be proposed now."""
    match merchant.status:
        case Merchant.Status.ACTIVE:
            return True
        case Merchant.Status.CLOSING:
            return not against
        case Merchant.Status.CLOSED:
            return bool(against)
        case _:
            return False


def _waiting(merchant: Merchant) -> Approval | None:
    """Return the proposal about this merchant's state that waits for a decision."""
    return Approval.objects.filter(
        merchant_id=merchant.pk,
        state=Approval.State.PROPOSED,
        subject=f"merchant:{merchant.pk}",
    ).first()


def _list(code: str, merchant: Merchant) -> str:
    name = _LISTS.get(code, "ledger_account")
    query = urlencode({MERCHANT: merchant.merchant_no})
    return f"{reverse(f'admin:{name}_changelist')}?{query}"

"""What a merchant may do: the box on its page, and the form that proposes to change it."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from foundation import clock
from foundation.admin import filters, form_page
from foundation.admin.filters import Choice
from foundation.admin.readonly import MAX_REASON, uploaded
from foundation.models import User
from merchants.admin.merchant_state import Files
from merchants.models import Capability, Merchant
from merchants.selectors import capability as selectors
from merchants.services import capability as capabilities

PAGE: Final = "merchants_capability"


class CapabilityForm(forms.Form):
    """Which acts stay allowed, and why."""

    allowed = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        required=False,
        choices=Capability.choices,
        help_text=gettext_lazy(
            "What is not ticked is taken away. Withdrawals that were asked for before still go out;"
            " who is no longer settled the same day is settled T1 from that day on."
        ),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason (the merchants read it)"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    attachments = forms.Field(
        label=gettext_lazy("Attachments (PDF, PNG, JPEG, text)"),
        required=False,
        widget=Files(attrs={"accept": ".pdf,.png,.jpg,.jpeg,.txt,.csv"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Propose what a merchant may do; another person decides. Rule: CAP-1."""
    merchant = Merchant.objects.filter(pk=merchant_id, kind=Merchant.Kind.MERCHANT).first()
    if merchant is None:
        raise Http404
    sent = request.method == "POST"
    standing = selectors.standing(merchant_id=merchant.pk)
    form = CapabilityForm(
        data=request.POST if sent else None,
        files=request.FILES if sent else None,
        initial={"allowed": [one.capability.value for one in standing if one.allowed]},
    )

    def run(values: dict[str, Any]) -> str:
        capabilities.propose(
            merchant_id=merchant.pk,
            allowed=values["allowed"],
            reason=values["reason"],
            attachments=uploaded(request),
            maker=cast(User, request.user),
            at=clock.now(),
        )
        return _("Proposed; another person decides in the approvals.")

    return form_page.serve(
        request,
        title=_("What %(merchant)s may do") % {"merchant": merchant},
        intro=_(
            "Each act is allowed by itself. To stop everything at once, restrict or freeze the"
            " merchant instead."
        ),
        button=_("Propose"),
        form=form,
        run=run,
        onward=reverse("admin:merchants_merchant_change", args=[merchant.pk]),
    )


def of_merchant(row: Merchant) -> str:
    """Show what a merchant may do and may not, and how that came."""
    return render_to_string(
        "admin/merchant_capabilities.html",
        {
            "standing": selectors.standing(merchant_id=row.pk),
            "steps": selectors.history(merchant_id=row.pk),
        },
    )


def _without(capability: Capability) -> Choice:
    return Choice(
        capability.label, lambda: Q(pk__in=selectors.merchants_without(capability=capability))
    )


MAY_NOT: Final = filters.choices(
    "may_not",
    gettext_lazy("may not"),
    {capability.value: _without(capability) for capability in Capability},
)


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("merchants/merchant/<int:merchant_id>/may/", page, PAGE)

"""Freezing at once: the form for a list, the button on a merchant's page, the queues."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from foundation import clock
from foundation.admin import form_page
from foundation.admin.readonly import Step, uploaded
from foundation.models import Approval, User
from foundation.registries import WorkItem
from merchants.admin.merchant_state import MoveForm, chosen
from merchants.models import Merchant
from merchants.services import merchant_emergency as emergencies
from merchants.services import merchant_state as states

PAGE: Final = "merchants_merchant_emergency"
MENU = [(PAGE, gettext_lazy("Freeze at once"), "emergency_home", emergencies.RIGHT)]
_CASE: Final = gettext_lazy("Case that orders it")
_MAY: Final = ("ACTIVE", "RESTRICTED", "CLOSING")


class EmergencyForm(MoveForm):
    """Which merchants, why, and by which case."""

    action = None  # type: ignore[assignment]
    document = forms.CharField(
        label=_CASE,
        max_length=states.MAX_DOCUMENT,
        help_text=gettext_lazy("Its number, or what was seen and by whom"),
        widget=UnfoldAdminTextInputWidget(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def freeze_page(request: HttpRequest) -> HttpResponse:
    """Freeze a list of merchants now; another person decides afterwards. Rule: MST-11."""
    if not request.user.has_perm(emergencies.RIGHT):
        raise PermissionDenied
    sent = request.method == "POST"
    form = EmergencyForm(
        data=request.POST if sent else None,
        files=request.FILES if sent else None,
        initial={"merchants": "\n".join(chosen(request.GET.get("chosen", "")))},
    )

    def run(values: dict[str, Any]) -> str:
        emergencies.freeze(
            merchant_nos=form.numbers(),
            reason=values["reason"],
            case=values["document"],
            attachments=uploaded(request),
            maker=cast(User, request.user),
            at=clock.now(),
        )
        return done()

    return form_page.serve(
        request,
        title=_("Freeze merchants at once"),
        intro=_(
            "They are frozen in this moment, on your word alone. Within %(hours)s hours another"
            " person confirms it, or takes it back: then each is at once where it was. You can"
            " neither confirm nor restore it yourself. At most %(most)s merchants of one person in"
            " 24 hours."
        )
        % {
            "hours": emergencies.CONFIRM_WITHIN // timedelta(hours=1),
            "most": emergencies.MOST,
        },
        button=_("Freeze now"),
        colour="danger",
        form=form,
        run=run,
        onward=reverse("admin:merchants_merchant_changelist"),
    )


def done() -> str:
    return _("Frozen. Another person confirms it or takes it back.")


def _freeze(request: HttpRequest, row: Merchant, reason: str, at: datetime) -> str:
    emergencies.freeze(
        merchant_nos=[row.merchant_no],
        reason=reason,
        case=request.POST.get("paper", "").strip(),
        attachments=uploaded(request),
        maker=cast(User, request.user),
        at=at,
    )
    return done()


STEP: Final = Step(
    "freeze_at_once",
    gettext_lazy("Freeze at once"),
    _freeze,
    open_to=lambda row: row.kind == Merchant.Kind.MERCHANT and row.status in _MAY,
    permission=emergencies.RIGHT,
    reason=gettext_lazy("Reason (the merchants read it)"),
    reason_needed=True,
    paper=_CASE,
    attachments=True,
    colour="danger",
)


def undecided(user: User) -> Iterable[WorkItem]:
    """Emergency freezes on which nobody has decided: in time, and past it (MST-11)."""
    limit = clock.now() - emergencies.CONFIRM_WITHIN
    rows = Approval.objects.filter(action=states.EMERGENCY, state=Approval.State.PROPOSED)
    late, fresh = rows.filter(proposed_at__lte=limit), rows.filter(proposed_at__gt=limit)
    for title, rows, urgent in (
        (_("Emergency freezes are past their time to be confirmed"), late, True),
        (_("Emergency freezes wait to be confirmed"), fresh, False),
    ):
        found = rows.aggregate(many=Count("id"), oldest=Min("proposed_at"))
        if found["many"]:
            yield WorkItem(
                title=title,
                count=found["many"],
                oldest_at=found["oldest"],
                at_stake=(),
                url=reverse("admin:foundation_approval_changelist")
                + f"?kind={states.EMERGENCY}&state=open",
                permission="foundation.view_approval",
                urgent=urgent,
            )


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("merchants/merchant/emergency/", freeze_page, PAGE)

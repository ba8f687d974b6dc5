"""What is to be settled when, the schedules that say so, and what waits for a person's release."""

from __future__ import annotations

import re
from typing import Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from foundation import clock
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from merchants.models import Merchant
from settlement.admin.item import FACT
from settlement.models import Due, Position, Schedule
from settlement.selectors import due as dues
from settlement.services import due as due_service

MENU = [
    ("settlement_due_changelist", _("Due amounts"), "event_upcoming", "settlement.view_due"),
    ("settlement_release", _("Release by hand"), "pan_tool", "settlement.view_due"),
    ("settlement_schedule_changelist", _("Schedules"), "schedule", "settlement.view_schedule"),
    ("settlement_position_changelist", _("Positions"), "flag", "settlement.view_position"),
]


PAGE = 100  # merchants


class ReleaseForm(forms.Form):
    """Which merchant, and on which day it becomes due."""

    merchant_id = forms.IntegerField(label=_("merchant"), min_value=1, max_value=2**63 - 1)
    due_date = forms.DateField(label=_("due date"))


FROZEN: Final = Q(merchant__status=Merchant.Status.FROZEN)


def _behind() -> Q:
    """Positions with something due on a day that has ended; what waits for a freeze is not."""
    return Q(open_from__lt=clock.business_date(clock.now())) & ~FROZEN


@admin.register(Due)
class DueAdmin(KeysetAdmin):
    """Due amounts, latest first, each with how its date came about."""

    list_display = (
        "id",
        "merchant",
        "source_kind",
        FACT,
        columns.money("amount_minor", _("amount")),
        "business_date",
        "due_date",
        "schedule_code",
        "explanation",
    )
    list_select_related = ("merchant",)
    shown = {"source_id": FACT}
    list_filter = (
        filters.merchant("source_kind", "source_id"),
        filters.exact("source_id", _("payment or refund (with a merchant)"), in_book=True),
        filters.choices(
            "date",
            _("due date"),
            {
                "none": filters.Choice(
                    _("without a date"), Q(due_date=None), Keyset("merchant_id", "id")
                ),
                "at_once": filters.Choice(
                    _("due at once"), Q(at_once=True), Keyset("merchant_id", "currency", "id")
                ),
            },
        ),
    )


@admin.register(Schedule)
class ScheduleAdmin(KeysetAdmin):
    """Dated rows; with a merchant, latest first."""

    list_display = (
        "id",
        "merchant",
        "code",
        "effective_from",
        "version",
        "surcharge_percent",
        "created_at",
    )
    list_select_related = ("merchant",)
    list_filter = (filters.merchant("-effective_from", "-version"),)
    hidden = ("surcharge_fixed_minor",)


@admin.register(Position)
class PositionAdmin(KeysetAdmin):
    """How far each merchant's settling has come."""

    keyset = Keyset("merchant_id", "currency")
    list_display = ("merchant", "currency", "open_from", "claimed_to", "has_at_once")
    list_select_related = ("merchant",)
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {
                "behind": filters.Choice(_("a day has ended unsettled"), _behind),
                "frozen": filters.Choice(
                    _("the merchant is frozen"), FROZEN & Q(open_from__isnull=False)
                ),
            },
        ),
        filters.merchant(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def release_page(request: HttpRequest) -> HttpResponse:
    """Show what merchants that are settled by hand have waiting, and release one of them."""
    if not request.user.has_perm("settlement.view_due"):
        raise PermissionDenied
    if request.method == "POST":
        return _release(request)
    cursor = re.fullmatch(r"([0-9]{1,18})\.([A-Z]{3})", request.GET.get("after", ""))
    after, currency = (int(cursor[1]), cursor[2]) if cursor else (0, "")
    found = dues.waiting_for_release(after=after, currency=currency, limit=PAGE + 1)
    rows = found[:PAGE]
    context = {
        **admin.site.each_context(request),
        "title": _("Release by hand"),
        "rows": [(row, columns.grouped(row.amount)) for row in rows],
        "more": f"{rows[-1].merchant_id}.{rows[-1].currency}" if len(found) > PAGE else "",
        "first": cursor is None,
        "today": clock.business_date(clock.now()).isoformat(),
        "may_release": request.user.has_perm("settlement.release_due"),
    }
    return TemplateResponse(request, "admin/release.html", context)


def _release(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("settlement.release_due"):
        raise PermissionDenied
    form = ReleaseForm(request.POST)
    if not form.is_valid():
        for field, problems in form.errors.get_json_data().items():
            said = " ".join(str(problem["message"]) for problem in problems)
            messages.error(request, f"{form.fields[field].label}: {said}")
        return HttpResponseRedirect(reverse("admin:settlement_release"))
    try:
        released = due_service.release_manual(**form.cleaned_data, at=clock.now())
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        text = ngettext("%(n)s amount is released.", "%(n)s amounts are released.", released)
        if released:
            messages.success(request, text % {"n": released})
        else:
            messages.warning(request, gettext("Nothing waits for this merchant any more."))
    return HttpResponseRedirect(reverse("admin:settlement_release"))

"""Registrations with channels: the list, the page with its steps, the box on a merchant's page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.db.models import Count, Min, Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from channels.adapters.registration import Answer, Said
from channels.models import Channel, Registration
from channels.models.registration import ANSWER_WITHIN, State
from channels.selectors import registration as selectors
from channels.services import registration as registrations
from foundation import clock
from foundation.admin import columns, filters
from foundation.admin.filters import Choice
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import Step
from foundation.models import User
from foundation.registries import MerchantBox, WorkItem
from merchants.models import Merchant

LIST = "channels_registration_changelist"
VIEW = "channels.view_registration"
RIGHT = "channels.change_registration"
MENU = [(LIST, _("Channel registrations"), "how_to_reg", VIEW)]
COLOURS = {
    "REQUESTED": "warning",
    "SUBMITTED": "info",
    "APPROVED": "success",
    "REFUSED": "danger",
}
_MOST_CHANNELS = 200
_TEXT = _("The channel's text")
_BY_NEWS = Keyset("moved_at", "id")


def _silent() -> Q:
    return Q(state=State.SUBMITTED, moved_at__lt=selectors.overdue_before(clock.now()))


class ChannelFilter(admin.SimpleListFilter):
    """By channel, of those that register merchants."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the channels by their codes."""
        codes = Channel.objects.exclude(registers=[]).order_by("code")
        return [(code, code) for code in codes.values_list("code", flat=True)[:_MOST_CHANNELS]]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the rows of the channel; an unknown one has none."""
        code = self.value()
        if code is None:
            return queryset
        found = Channel.objects.filter(code=code.replace("\0", "")).values_list("id", flat=True)
        channel_id = found.first()
        return queryset.none() if channel_id is None else queryset.filter(channel=channel_id)


def _application(row: Registration) -> tuple[str, Any, Any] | None:
    number = selectors.application_number(row)
    return ("merchants_application_change", row.application_id, number) if number else None


def _submit(request: HttpRequest, row: Registration, reason: str, at: datetime) -> str:
    registrations.submit(
        merchant_id=row.merchant_id,
        registration_id=row.pk,
        reference=request.POST.get("paper", ""),
        by=cast(User, request.user),
        at=at,
    )
    return gettext("Written down: it is with the channel.")


def _heard(said: Said, told: str | Promise) -> Any:
    def run(request: HttpRequest, row: Registration, reason: str, at: datetime) -> str:
        number = request.POST.get("paper", "") if said == Said.APPROVED else ""
        registrations.query_status(
            merchant_id=row.merchant_id,
            registration_id=row.pk,
            by=cast(User, request.user),
            at=at,
            written=Answer(said, reason, number),
        )
        return str(told)

    return run


def _waits(row: Registration) -> bool:
    return bool(row.state == State.SUBMITTED)


@admin.register(Registration)
class RegistrationAdmin(KeysetAdmin):
    """Registrations, latest first; by state, longest without news first."""

    list_display = (
        "id",
        "merchant",
        "channel",
        "product",
        columns.state("state", _("state"), COLOURS),
        "moved_at",
        "channel_merchant_no",
        "answer",
    )
    list_select_related = ("merchant", "channel", "product")
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {
                **{one.value: Choice(one.label, Q(state=one), _BY_NEWS) for one in State},
                "SILENT": Choice(_("no news from the channel for too long"), _silent, _BY_NEWS),
            },
        ),
        ChannelFilter,
        filters.merchant("-id"),
    )
    searches = (Search("channel_merchant_no"), Search("reference"))
    search_help_text = _("Channel's merchant number or reference")
    hidden = ("sequence",)
    shown = {"application_id": columns.link(_("application in force"), _application)}
    steps = (
        Step(
            "submit",
            _("It was sent to the channel"),
            _submit,
            open_to=lambda row: bool(row.state == State.REQUESTED),
            permission=RIGHT,
            paper=_("The channel's reference"),
        ),
        Step(
            "pending",
            _("Asked: no decision yet"),
            _heard(Said.PENDING, _("Written down: the channel has not decided.")),
            open_to=_waits,
            permission=RIGHT,
            reason=_TEXT,
            reason_needed=True,
        ),
        Step(
            "approved",
            _("The channel approved"),
            _heard(Said.APPROVED, _("Written down: the channel approved.")),
            open_to=_waits,
            permission=RIGHT,
            reason=_TEXT,
            paper=_("The channel's merchant number"),
        ),
        Step(
            "refused",
            _("The channel refused"),
            _heard(Said.REFUSED, _("Written down: the channel refused.")),
            open_to=_waits,
            permission=RIGHT,
            reason=_TEXT,
            reason_needed=True,
            colour="danger",
        ),
    )

    def get_fields(self, request: HttpRequest, obj: Registration | None = None) -> list[Any]:
        """Add how it came to where it stands."""
        return [*super().get_fields(request, obj), "history"]

    @admin.display(description=_("what happened"))
    def history(self, row: Registration) -> str:
        """Show every step: who, when, and the channel's words."""
        return render_to_string("admin/registration_history.html", {"steps": selectors.steps(row)})


def _box(merchant: Merchant) -> str:
    rows = selectors.of_merchant(merchant.pk)
    return render_to_string("admin/merchant_registrations.html", {"rows": rows})


BOX = MerchantBox(_("channel registrations"), _box, VIEW)


def to_submit(user: User) -> Iterable[WorkItem]:
    """Registrations that were asked for and not sent to the channel."""
    yield from _queue(
        gettext("Registrations are to be submitted to channels"),
        Q(state=State.REQUESTED),
        "REQUESTED",
    )


def unanswered(user: User) -> Iterable[WorkItem]:
    """Registrations of which a channel has said nothing for too long: ask it (REG-7)."""
    title = pgettext("registration", "Channels have been silent for more than %(days)s days")
    yield from _queue(title % {"days": ANSWER_WITHIN.days}, _silent(), "SILENT")


def _queue(title: str, rows: Q, state: str) -> Iterable[WorkItem]:
    found = Registration.objects.filter(rows).aggregate(many=Count("id"), oldest=Min("moved_at"))
    if found["many"]:
        yield WorkItem(
            title=title,
            count=found["many"],
            oldest_at=found["oldest"],
            at_stake=(),
            url=reverse(f"admin:{LIST}") + f"?state={state}",
            permission=RIGHT,
        )

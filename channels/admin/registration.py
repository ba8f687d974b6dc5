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
from channels.models.registration import ANSWER_WITHIN, SUBMIT_WITHIN, State
from channels.selectors import registration as selectors
from channels.services import registration as registrations
from channels.services import registration_end as ends
from foundation import clock
from foundation.admin import columns, filters
from foundation.admin.filters import Choice
from foundation.admin.keyset import Keyset, KeysetAdmin, Search
from foundation.admin.readonly import Step, uploaded
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
    "WITHDRAWN": "",
    "ENDED": "",
}
_MOST_CHANNELS = 200
_TEXT = _("The channel's text")
_TEXT_READ = _("The channel's text (the merchant reads it)")
_BY_NEWS = Keyset("moved_at", "id")
_OUTDATED = Q(outdated_at__isnull=False, state__in=[State.SUBMITTED, State.APPROVED])


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


def _ended(service: Any, word: str, told: str | Promise) -> Any:
    def run(request: HttpRequest, row: Registration, reason: str, at: datetime) -> str:
        service(
            merchant_id=row.merchant_id,
            registration_id=row.pk,
            by=cast(User, request.user),
            at=at,
            **{word: reason},
        )
        return str(told)

    return run


def _propose_end(request: HttpRequest, row: Registration, reason: str, at: datetime) -> str:
    ends.propose_end(
        merchant_id=row.merchant_id,
        registration_id=row.pk,
        reason=reason,
        maker=cast(User, request.user),
        at=at,
        attachments=uploaded(request),
    )
    return gettext("Proposed; another person decides in the approvals.")


def _approved(row: Registration) -> bool:
    return bool(row.state == State.APPROVED)


def _leaves(row: Registration) -> bool:
    return bool(row.merchant.status == Merchant.Status.CLOSING)


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
                "OUTDATED": Choice(
                    _("the channel knows the merchant as before a change"), _OUTDATED
                ),
            },
        ),
        ChannelFilter,
        filters.merchant("-id"),
    )
    searches = (Search("channel_merchant_no"), Search("reference"))
    search_help_text = _("Channel's merchant number or reference")
    hidden = ("sequence", "end_approval_id")
    shown = {"application_id": columns.link(_("application in force"), _application)}
    steps = (
        Step(
            "submit",
            _("It was sent to the channel"),
            _submit,
            open_to=lambda row: bool(row.state == State.REQUESTED and not row.outdated_at),
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
            reason=_TEXT_READ,
            reason_needed=True,
            colour="danger",
        ),
        Step(
            "withdraw",
            _("Withdraw it"),
            _ended(ends.withdraw, "reason", _("Withdrawn; it may be asked for anew.")),
            open_to=lambda row: row.state in (State.REQUESTED, State.SUBMITTED),
            permission=RIGHT,
            reason=_("Reason"),
            reason_needed=True,
            colour="danger",
        ),
        Step(
            "ended",
            _("The channel ended it"),
            _ended(ends.ended_by_channel, "text", _("Written down: the channel ended it.")),
            open_to=_approved,
            permission=RIGHT,
            reason=_TEXT_READ,
            reason_needed=True,
            colour="danger",
        ),
        Step(
            "end",
            _("Propose that we end it"),
            _propose_end,
            open_to=lambda row: _approved(row) and not _leaves(row),
            permission=RIGHT,
            reason=_("Reason"),
            reason_needed=True,
            attachments=True,
            colour="danger",
        ),
        Step(
            "leave",
            _("The channel was told that the merchant leaves"),
            _ended(ends.end_with_closing, "reason", _("Written down: the registration ended.")),
            open_to=lambda row: _approved(row) and _leaves(row),
            permission=RIGHT,
            reason=_("When and how it was told"),
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
    """Registrations that were asked for and not sent; red when one has lain for too long."""
    yield from _queue(
        gettext("Registrations are to be submitted to channels"),
        Q(state=State.REQUESTED),
        "REQUESTED",
        urgent_before=clock.now() - SUBMIT_WITHIN,
    )


def outdated(user: User) -> Iterable[WorkItem]:
    """Registrations whose channel knows the merchant as before a change: tell it (REG-9)."""
    yield from _queue(
        gettext("Channels know merchants as they were before a change"),
        _OUTDATED,
        "OUTDATED",
        since="outdated_at",
    )


def unanswered(user: User) -> Iterable[WorkItem]:
    """Registrations of which a channel has said nothing for too long: ask it (REG-7)."""
    title = pgettext("registration", "Channels have been silent for more than %(days)s days")
    yield from _queue(title % {"days": ANSWER_WITHIN.days}, _silent(), "SILENT")


def _queue(
    title: str,
    rows: Q,
    state: str,
    *,
    since: str = "moved_at",
    urgent_before: datetime | None = None,
) -> Iterable[WorkItem]:
    found = Registration.objects.filter(rows).aggregate(many=Count("id"), oldest=Min(since))
    if found["many"]:
        yield WorkItem(
            title=title,
            count=found["many"],
            oldest_at=found["oldest"],
            at_stake=(),
            url=reverse(f"admin:{LIST}") + f"?state={state}",
            permission=RIGHT,
            urgent=urgent_before is not None and found["oldest"] < urgent_before,
        )

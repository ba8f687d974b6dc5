"""What merchants' programs were told, and what came of it."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import Step
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.services import webhook_delivery as deliveries

MENU = [
    (
        "merchants_webhookdelivery_changelist",
        _("Webhook deliveries"),
        "outgoing_mail",
        "merchants.view_webhookdelivery",
    )
]
COLOURS = {"PENDING": "info", "DELIVERED": "success", "PARKED": "danger", "DROPPED": "warning"}
State = WebhookDelivery.State


def _replay(request: HttpRequest, row: WebhookDelivery, reason: str, at: datetime) -> str:
    deliveries.replay(merchant_id=row.merchant_id, delivery_id=row.id, at=at, reason=reason)
    return gettext("It is sent again, with the same id and content.")


def _replayable(row: WebhookDelivery) -> bool:
    removed = row.endpoint.state == WebhookEndpoint.State.REMOVED
    return row.state in (State.DELIVERED, State.PARKED) and not removed


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(KeysetAdmin):
    """Deliveries, latest first."""

    list_display = (
        columns.plain("public_id", _("event id")),
        "event",
        "merchant",
        "object_number",
        columns.state("state", _("state"), COLOURS),
        "tries",
        "answer",
        "tried_at",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.merchant(),
        filters.choices(
            "state",
            _("state"),
            {"parked": filters.Choice(State.PARKED.label, Q(state="PARKED"), Keyset("-id"))},
        ),
    )
    hidden = ("owner", "fence", "event_id")
    steps = (
        Step(
            "replay",
            _("Send again"),
            _replay,
            open_to=_replayable,
            permission="merchants.change_webhookdelivery",
            reason=_("Reason"),
        ),
    )

"""Endpoints of merchants' programs as staff see them: how they go, never their secrets."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step
from merchants.models import WebhookEndpoint
from merchants.services import webhook_endpoint as endpoints

MENU = [
    (
        "merchants_webhookendpoint_changelist",
        _("Webhook endpoints"),
        "webhook",
        "merchants.view_webhookendpoint",
    )
]
COLOURS = {"ACTIVE": "success", "PAUSED": "warning", "REMOVED": "info"}
STAFF = WebhookEndpoint.PausedBy.STAFF
State = WebhookEndpoint.State


def _pause(request: HttpRequest, row: WebhookEndpoint, reason: str, at: datetime) -> str:
    endpoints.pause(merchant_id=row.merchant_id, endpoint_id=row.id, by=STAFF, reason=reason)
    return gettext("The endpoint is paused; the merchant reads the reason.")


def _resume(request: HttpRequest, row: WebhookEndpoint, reason: str, at: datetime) -> str:
    endpoints.resume(merchant_id=row.merchant_id, endpoint_id=row.id, by=STAFF)
    return gettext("It is active again.")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(KeysetAdmin):
    """Endpoints, latest first."""

    list_display = (
        "url",
        "merchant",
        columns.state("state", _("state"), COLOURS),
        "paused_by",
        "failing_since",
        "tried_at",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.merchant(),
        filters.states("state", _("state"), WebhookEndpoint.State.choices),
    )
    hidden = ("uuid", "place")
    steps = (
        Step(
            "pause",
            pgettext_lazy("webhook", "Pause"),
            _pause,
            open_to=lambda row: row.state == State.ACTIVE,
            permission="merchants.change_webhookendpoint",
            reason=_("Reason, which the merchant reads"),
            reason_needed=True,
            colour="danger",
        ),
        Step(
            "resume",
            pgettext_lazy("webhook", "Resume"),
            _resume,
            open_to=lambda row: row.state == State.PAUSED and row.paused_by == STAFF,
            permission="merchants.change_webhookendpoint",
        ),
    )

"""Messages on their way to the workers."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from config.errors import NotFound
from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import Step
from foundation.models import OutboxMessage
from foundation.selectors import outbox as messages
from foundation.services import outbox

MENU = [
    ("foundation_outboxmessage_changelist", _("Outbox"), "outbox", "foundation.view_outboxmessage")
]
COLOURS = {"PENDING": "info", "SENT": "info", "DONE": "success", "PARKED": "danger"}


def _requeue(request: HttpRequest, row: OutboxMessage, reason: str, at: datetime) -> str:
    if not outbox.requeue(merchant_id=row.merchant_id, message_id=row.id):
        raise NotFound(gettext("The message is not parked any more."))
    return gettext("The message is tried again.")


@admin.register(OutboxMessage)
class OutboxMessageAdmin(KeysetAdmin):
    """Messages, latest first."""

    list_display = (
        "id",
        "kind",
        "merchant",
        columns.state("state", _("state"), COLOURS),
        "created_at",
        "tries",
        "reason",
    )
    list_select_related = ("merchant",)
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {
                "waiting": filters.Choice(
                    _("waiting or sent"),
                    Q(state__in=["PENDING", "SENT"]),
                    Keyset("next_try_at", "id"),
                ),
                "failing": filters.Choice(
                    _("keeps failing"), messages.FAILING, Keyset("created_at", "id")
                ),
                "parked": filters.Choice(
                    _("parked"), Q(state="PARKED"), Keyset("created_at", "id")
                ),
            },
        ),
        filters.merchant(),
    )
    steps = (
        Step(
            "requeue",
            _("Try again"),
            _requeue,
            open_to=lambda row: row.state == OutboxMessage.State.PARKED,
            permission="foundation.change_outboxmessage",
        ),
    )

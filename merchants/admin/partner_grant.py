"""For which merchants the keys of partners may act."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step
from merchants.models import PartnerGrant
from merchants.services import partner_grant as partner_grants

MENU = [
    (
        "merchants_partnergrant_changelist",
        _("Partners' merchants"),
        "handshake",
        "merchants.view_partnergrant",
    )
]


def _end(request: HttpRequest, row: PartnerGrant, reason: str, at: datetime) -> str:
    partner_grants.end(merchant_id=row.merchant_id, grant_id=row.id)
    return gettext("The partner can no longer act for this merchant.")


@admin.register(PartnerGrant)
class PartnerGrantAdmin(KeysetAdmin):
    """Permissions of partners, latest first."""

    list_display = ("key", "acts_for", "active", "created_at")
    list_select_related = ("key", "acts_for")
    steps = (
        Step(
            "end",
            _("End it"),
            _end,
            open_to=lambda row: row.active,
            permission="merchants.change_partnergrant",
            colour="danger",
        ),
    )

"""Who acts for which merchant."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step
from merchants.models import Membership
from merchants.services import membership as memberships

MENU = [("merchants_membership_changelist", _("Memberships"), "badge", "merchants.view_membership")]


def _revoke(request: HttpRequest, row: Membership, reason: str, at: datetime) -> str:
    memberships.revoke(merchant_id=row.merchant_id, user=row.user)
    return gettext("The membership is switched off.")


@admin.register(Membership)
class MembershipAdmin(KeysetAdmin):
    """Memberships, latest first."""

    list_display = ("user", "merchant", "role", "custom_role", "active", "created_at")
    list_select_related = ("merchant", "user", "custom_role")
    list_filter = (filters.merchant(),)
    steps = (
        Step(
            "revoke",
            _("Switch off"),
            _revoke,
            open_to=lambda row: row.active,
            permission="merchants.change_membership",
            colour="danger",
        ),
    )

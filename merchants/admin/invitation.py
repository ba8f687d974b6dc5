"""Who was invited to act for which merchant, and the roles merchants put together."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.keyset import KeysetAdmin
from foundation.admin.readonly import Step
from foundation.models import User
from merchants.models import CustomRole, Invitation
from merchants.services import invitation as invitations

MENU = [
    ("merchants_invitation_changelist", _("Invitations"), "mail", "merchants.view_invitation"),
    ("merchants_customrole_changelist", _("Custom roles"), "tune", "merchants.view_customrole"),
]


def _resend(request: HttpRequest, row: Invitation, reason: str, at: datetime) -> str:
    assert isinstance(request.user, User)
    invitations.resend(merchant_id=row.merchant_id, invitation_id=row.id, by=request.user, at=at)
    return gettext("A new link is on its way.")


def _withdraw(request: HttpRequest, row: Invitation, reason: str, at: datetime) -> str:
    assert isinstance(request.user, User)
    invitations.withdraw(merchant_id=row.merchant_id, invitation_id=row.id, by=request.user, at=at)
    return gettext("The invitation is withdrawn.")


def _is_open(row: Invitation) -> bool:
    return row.accepted_at is None and row.withdrawn_at is None


@admin.register(Invitation)
class InvitationAdmin(KeysetAdmin):
    """Invitations, latest first."""

    list_display = (
        "email", "merchant", "role_name", "invited_by", "invited_at", "expires_at",
        "accepted_at", "withdrawn_at",
    )  # fmt: skip
    list_select_related = ("merchant", "invited_by", "custom_role")
    list_filter = (filters.merchant(),)
    steps = (
        Step(
            "resend",
            _("Send a new link"),
            _resend,
            open_to=_is_open,
            permission="merchants.change_membership",
        ),
        Step(
            "withdraw",
            _("Take back"),
            _withdraw,
            open_to=_is_open,
            permission="merchants.change_membership",
            colour="danger",
        ),
    )

    @admin.display(description=_("role"))
    def role_name(self, row: Invitation) -> str:
        """Return the role in the reader's language, a merchant's own by its name."""
        return row.role_name


@admin.register(CustomRole)
class CustomRoleAdmin(KeysetAdmin):
    """Roles of merchants' own, latest first."""

    list_display = ("name", "merchant", "abilities", "active", "created_at")
    list_select_related = ("merchant",)
    list_filter = (filters.merchant(),)

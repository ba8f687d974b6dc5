"""Which proofs an operation needs."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns
from foundation.admin.readonly import ReadOnlyAdmin
from merchants.models import VerificationRule

MENU = [
    (
        "merchants_verificationrule_changelist",
        _("Verification rules"),
        "verified_user",
        "merchants.view_verificationrule",
    )
]


@admin.register(VerificationRule)
class VerificationRuleAdmin(ReadOnlyAdmin):
    """Operation and amount, and the factors they ask for."""

    list_display = (
        "operation",
        "currency",
        columns.money("from_amount_minor", _("from amount")),
        "factors",
    )
    ordering = ("operation", "currency", "from_amount_minor")

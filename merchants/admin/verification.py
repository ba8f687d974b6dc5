"""Which proofs an operation needs."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation import registries
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


FACTORS = {"payment_password": _("payment password")}


def _operation(code: str) -> str:
    """Return an operation by the name of the cause it becomes."""
    return str(registries.cause_names.get(code)) if code in registries.cause_names else code


OPERATION = columns.named("operation", _("operation"), _operation)


@admin.register(VerificationRule)
class VerificationRuleAdmin(ReadOnlyAdmin):
    """Operation and amount, and the factors they ask for."""

    list_display = (
        OPERATION,
        "currency",
        columns.money("from_amount_minor", _("from amount")),
        "needed",
    )
    fields = (OPERATION, "currency", "from_amount_minor", "needed")  # type: ignore[assignment]
    ordering = ("operation", "currency", "from_amount_minor")

    @admin.display(description=_("factors"))
    def needed(self, row: VerificationRule) -> str:
        """Name every factor that is asked for."""
        return ", ".join(str(FACTORS.get(factor, factor)) for factor in row.factors)

    def title(self, row: VerificationRule) -> str:
        """Call the page by the operation."""
        return _operation(row.operation)

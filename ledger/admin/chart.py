"""The chart of accounts, the kinds, and the table of abilities that is the law."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from foundation.admin import filters
from foundation.admin.readonly import ReadOnlyAdmin
from ledger.models import Ability, AccountKind, Side, Subject

MENU = [
    ("ledger_subject_changelist", _("Chart of accounts"), "list_alt", "ledger.view_subject"),
    ("ledger_accountkind_changelist", _("Account kinds"), "category", "ledger.view_accountkind"),
    ("ledger_ability_changelist", _("Abilities"), "gavel", "ledger.view_ability"),
]


def name(row: Any) -> str:
    """Return the name of a subject or kind in the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    return str(row.name_zh if chinese else row.name_en)


@admin.register(Subject)
class SubjectAdmin(ReadOnlyAdmin):
    """Subjects (科目) by code."""

    list_display = ("code", "shown_name")
    fields = ("code", "shown_name")
    ordering = ("code",)

    @admin.display(description=_("name"))
    def shown_name(self, row: Subject) -> str:
        """Return the name in the reader's language."""
        return name(row)


@admin.register(AccountKind)
class AccountKindAdmin(ReadOnlyAdmin):
    """What accounts are for."""

    list_display = ("kind", "shown_name", "shown_subject", "side", "floor")
    fields = ("kind", "shown_name", "shown_subject", "side", "floor")
    list_select_related = ("subject",)
    ordering = ("subject", "kind")

    @admin.display(description=_("name"))
    def shown_name(self, row: AccountKind) -> str:
        """Return the name in the reader's language."""
        return name(row)

    @admin.display(description=_("subject"))
    def shown_subject(self, row: AccountKind) -> str:
        """Return the subject's code and name."""
        return f"{row.subject.code} {name(row.subject)}"

    @admin.display(description=_("normal side"))
    def side(self, row: AccountKind) -> str:
        """Return debit or credit."""
        return str(Side(row.normal_side).label)

    @admin.display(description=_("never below zero"), boolean=True)
    def floor(self, row: AccountKind) -> bool:
        """Return whether the database keeps it at zero or above."""
        return row.never_negative


@admin.register(Ability)
class AbilityAdmin(ReadOnlyAdmin):
    """Every allowed cell; what is not here cannot happen."""

    list_display = ("account_kind", "operation", "side", "legal_source")
    list_filter = (filters.states("side", _("side"), Side.choices),)
    ordering = ("account_kind", "operation", "side")

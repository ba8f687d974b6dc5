"""The chart of accounts, the kinds, and the table of abilities that is the law."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.readonly import ReadOnlyAdmin
from ledger.models import Ability, AccountKind, Side, Subject
from ledger.models import operation as operations

MENU = [
    ("ledger_subject_changelist", _("Chart of accounts"), "list_alt", "ledger.view_subject"),
    ("ledger_accountkind_changelist", _("Account kinds"), "category", "ledger.view_accountkind"),
    ("ledger_ability_changelist", _("Abilities"), "gavel", "ledger.view_ability"),
]


@admin.register(Subject)
class SubjectAdmin(ReadOnlyAdmin):
    """Subjects (科目) by code."""

    list_display = ("code", "shown_name")
    fields = ("code", "shown_name")
    ordering = ("code",)

    @admin.display(description=_("name"))
    def shown_name(self, row: Subject) -> str:
        """Return the name in the reader's language."""
        return row.name


@admin.register(AccountKind)
class AccountKindAdmin(ReadOnlyAdmin):
    """What accounts are for."""

    list_display = (
        columns.plain("kind", _("code")),
        "shown_name",
        "shown_subject",
        "side",
        "floor",
        "owner",
    )
    fields = ("shown_name", "shown_subject", "side", "floor", "owner", "ends")
    list_select_related = ("subject",)
    ordering = ("subject", "kind")

    @admin.display(description=_("name"))
    def shown_name(self, row: AccountKind) -> str:
        """Return the name in the reader's language."""
        return row.name

    @admin.display(description=_("account subject"))
    def shown_subject(self, row: AccountKind) -> str:
        """Return the subject's code and name."""
        return f"{row.subject.code} {row.subject.name}"

    @admin.display(description=_("normal side"))
    def side(self, row: AccountKind) -> str:
        """Return debit or credit."""
        return str(Side(row.normal_side).label)

    @admin.display(description=_("never below zero"), boolean=True)
    def floor(self, row: AccountKind) -> bool:
        """Return whether the database keeps it at zero or above."""
        return row.never_negative

    @admin.display(description=_("closed with its merchant"), boolean=True)
    def ends(self, row: AccountKind) -> bool:
        """Return whether accounts of the kind are closed when their merchant is."""
        return row.ends_with_merchant


@admin.register(Ability)
class AbilityAdmin(ReadOnlyAdmin):
    """Every allowed cell; what is not here cannot happen."""

    fields = ("shown_kind", "shown_operation", "side", "legal_source")
    list_display = ("shown_kind", "shown_operation", "side", "legal_source")
    list_select_related = ("account_kind",)
    list_filter = (filters.states("side", _("side"), Side.choices),)
    ordering = ("account_kind", "operation", "side")

    @admin.display(description=_("account kind"))
    def shown_kind(self, row: Ability) -> str:
        """Return the kind's name in the reader's language."""
        return row.account_kind.name

    @admin.display(description=_("operation"))
    def shown_operation(self, row: Ability) -> str:
        """Return the operation in the reader's language."""
        return operations.name_of(row.operation)

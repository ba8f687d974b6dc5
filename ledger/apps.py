"""Start-up of the `ledger` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class LedgerConfig(AppConfig):
    """The `ledger` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "ledger"
    verbose_name = _("Ledger")

    def ready(self) -> None:
        """Register the invariants that `verify` asks of the ledger, and the portal's statement."""
        from foundation.registries import (
            MenuEntry,
            append_only_tables,
            cause_names,
            invariant_checks,
            lifecycle_listeners,
            menu_entries,
            money_holders,
            sent_lists,
        )
        from ledger.selectors import balance, entry_invariants, guard_invariants, invariants
        from ledger.services import account

        money_holders.register("ledger", balance.ever_had_money)
        lifecycle_listeners.register("ledger.account", account.on_merchant_approved)
        lifecycle_listeners.register("ledger.closing", account.on_merchants_closed)
        append_only_tables.register("ledger", ("ledger_account_step",))

        sent_lists.register("statement", _("Statement"))
        invariant_checks.register("I1", invariants.balanced_entries)
        invariant_checks.register("I2", invariants.balanced_books)
        invariant_checks.register("I3", invariants.covered_holds)
        invariant_checks.register("I4", guard_invariants.guarded_history)
        invariant_checks.register("I5", invariants.single_causes)
        invariant_checks.register("I6", invariants.resolved_holds)
        invariant_checks.register("L1", invariants.closed_accounts)
        invariant_checks.register("L2", entry_invariants.booked_as_kept)
        cause_names.register("reversal", pgettext_lazy("cause", "reversal"))
        menu_entries.register(
            "portal.statement",
            MenuEntry("portal", _("Statement"), "portal:statement", "see_balances"),
        )
        from ledger.admin import menu

        menu.fill()

"""Start-up of the `settlement` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SettlementConfig(AppConfig):
    """The `settlement` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "settlement"
    verbose_name = _("Settlement")

    def ready(self) -> None:
        """Listen to what lower floors announce, and offer what `verify` asks of settling."""
        from foundation import registries
        from settlement.selectors import cause_number, due_invariants, invariants, step_invariants
        from settlement.selectors import payout_invariants as payouts
        from settlement.selectors import schedule as schedules
        from settlement.services import (
            payout_channel,
            payout_decision,
            payout_journal,
            standing_instruction,
            withdrawal,
            withdrawal_review,
        )

        _listen()
        registries.invariant_checks.register("I8", invariants.single_lines)
        registries.invariant_checks.register("S1", invariants.explained_pending)
        registries.invariant_checks.register("S2", invariants.bounded_positions)
        registries.invariant_checks.register("S3", invariants.known_exposures)
        registries.invariant_checks.register("S4", due_invariants.dated_as_booked)
        registries.invariant_checks.register("P5", step_invariants.kept_as_stepped)
        for name, check in payouts.CHECKS.items():
            registries.invariant_checks.register(name, check)
        registries.append_only_tables.register(
            "settlement",
            (
                "settlement_withdrawal_transition",
                "settlement_payout_transition",
                "settlement_payout_evidence",
                "settlement_payout_callback",
                "settlement_payout_statement",
                "settlement_payout_fee_rule",
                "settlement_payout_status",
            ),
        )
        for cause, called in cause_number.NAMES.items():
            registries.cause_names.register(cause, called)
        registries.cause_namers.register("settlement", cause_number.of_settlement)
        for kind in (payout_journal.PAID, payout_journal.RETURNED, payout_journal.RESOLVED):
            registries.cause_namers.register(kind, cause_number.of_payout)
        for action in (
            payout_channel.STATUS_ACTION,
            payout_decision.ACTION,
            standing_instruction.ACTION,
            withdrawal_review.ACTION,
        ):
            registries.approval_actions.register(action.name, action)
        registries.term_conflicts.register("settlement.schedule", schedules.conflicts)
        registries.verified_operations.register(withdrawal.OPERATION, withdrawal.VERIFIED)
        for name, title in (("settlements", _("Settlements")), ("withdrawals", _("Withdrawals"))):
            registries.menu_entries.register(
                f"portal.{name}",
                registries.MenuEntry("portal", title, f"portal:{name}", "see_balances"),
            )
        from settlement.admin import menu

        menu.fill()


def _listen() -> None:
    """React to what lower floors announce in the life of a merchant and of its facts."""
    from foundation import registries
    from settlement.services import closing, due, run, schedule, standing_instruction, transition

    registries.webhook_events.register(transition.EVENT.name, transition.EVENT)
    registries.lifecycle_listeners.register("settlement.schedule", schedule.on_new_merchants)
    registries.lifecycle_listeners.register("settlement.same_day", schedule.on_capability)
    registries.lifecycle_listeners.register("settlement.due", due.on_calendar_year_loaded)
    followed = standing_instruction.on_bank_account
    registries.lifecycle_listeners.register("settlement.standing_instruction", followed)
    registries.lifecycle_listeners.register("settlement.run", run.on_merchants_restored)
    registries.lifecycle_listeners.register("settlement.closing", closing.on_merchants_ending)
    registries.fact_listeners.register("settlement.due", due.on_facts_booked)

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
        from settlement.selectors import invariants
        from settlement.services import due, schedule

        registries.lifecycle_listeners.register(
            "settlement.schedule", schedule.on_merchants_imported
        )
        registries.lifecycle_listeners.register("settlement.due", due.on_calendar_year_loaded)
        registries.fact_listeners.register("settlement.due", due.on_facts_booked)
        registries.invariant_checks.register("I8", invariants.single_lines)
        registries.invariant_checks.register("S1", invariants.explained_pending)
        registries.invariant_checks.register("S2", invariants.bounded_positions)

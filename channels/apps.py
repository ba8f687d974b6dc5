"""Start-up of the `channels` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    """The `channels` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "channels"
    verbose_name = _("Channels")

    def ready(self) -> None:
        """Register the words of refusals, and the invariant that refunds fit their payment."""
        from channels.selectors import (
            fact_invariants,
            fact_number,
            intake_invariants,
            invariants,
        )
        from channels.services import bank_card
        from foundation import csv_intake
        from foundation.registries import (
            append_only_tables,
            cause_names,
            fact_namers,
            invariant_checks,
            verification_factors,
        )

        csv_intake.register_reasons(
            {
                "unknown_merchant": _("No merchant has this number."),
                "unknown_payment": _("No payment has this number."),
                "ambiguous_payment": _(
                    "Two merchants have a payment of this number: name the merchant_no."
                ),
                "other_currency": _("The payment is in another currency."),
                "before_payment": _("The refund is older than its payment."),
                "over_refunded": _("More than is left of the payment: %(detail)s."),
                "rate_malformed": _("Not a percentage: 0 to 100 with at most six decimals."),
                "cap_below_minimum": _("The cap is below the minimum."),
            }
        )
        verification_factors.register(bank_card.NAME, bank_card.FACTOR)
        invariant_checks.register("I10", invariants.refunds_within_payments)
        invariant_checks.register("C1", fact_invariants.taken_in_is_booked)
        invariant_checks.register("C2", fact_invariants.priced_by_the_version_in_force)
        invariant_checks.register("C3", fact_invariants.booked_as_priced)
        invariant_checks.register("C4", intake_invariants.kept_as_taken_in)
        append_only_tables.register(
            "channels",
            (
                "channels_payment",
                "channels_refund",
                "channels_pricing",
                "channels_refund_booking",
                "channels_fee_rule",
                "channels_intake",
                "channels_registration_transition",
            ),
        )
        for cause, called in fact_number.NAMES.items():
            cause_names.register(cause, called)
        fact_namers.register("payment", fact_number.of_payments)
        fact_namers.register("refund", fact_number.of_refunds)
        self._registrations()
        from channels.admin import menu

        menu.fill()

    def _registrations(self) -> None:
        """Let two persons decide on terms and ends, and end registrations with their merchant."""
        from channels.adapters import registration
        from channels.services import channel, registration_end
        from foundation import registries

        registration.desks.register(registration.MANUAL, registration.ByHand())
        for action in (channel.ACTION, registration_end.ACTION):
            registries.approval_actions.register(action.name, action)
        leaving = registration_end.on_merchants_closing
        registries.lifecycle_listeners.register("channels.registration", leaving)
        registries.menu_entries.register(
            "portal:registrations",
            registries.MenuEntry(
                "portal", _("Channel registrations"), "portal:registrations", group="house"
            ),
        )

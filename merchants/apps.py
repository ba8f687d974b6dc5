"""Start-up of the `merchants` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MerchantsConfig(AppConfig):
    """The `merchants` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "merchants"
    verbose_name = _("Merchants")

    def ready(self) -> None:
        """Fill the registries."""
        import merchants.checks  # noqa: F401
        from foundation import csv_intake, registries
        from merchants.models import Ability
        from merchants.reasons import REASONS
        from merchants.selectors import membership
        from merchants.services import application_approval, bank_account, payment_password

        csv_intake.register_reasons(REASONS)
        registries.append_only_tables.register(
            "merchants",
            (
                "merchants_application_transition",
                "merchants_application_version",
                "merchants_application_comment",
                "merchants_application_evidence",
            ),
        )
        registries.approval_actions.register(bank_account.APPROVE, bank_account.APPROVAL_ACTION)
        action = application_approval.ACTION
        registries.approval_actions.register(action.name, action)
        registries.verification_factors.register(payment_password.FACTOR, payment_password.factor)
        registries.second_factor_rules.register("merchants", membership.needs_second_factor)
        registries.menu_entries.register(
            "portal:people",
            registries.MenuEntry("portal", _("People"), "portal:people", Ability.MANAGE),
        )
        from merchants.admin import menu

        menu.fill()

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
        from merchants.reasons import REASONS
        from merchants.selectors import membership
        from merchants.services import (
            application_approval,
            bank_account,
            bank_account_sheet,
            capability,
            contact_sheet,
            document_content,
            merchant_sheet,
            merchant_state,
            verification_rule,
        )

        csv_intake.register_reasons(REASONS)
        registries.append_only_tables.register(
            "merchants",
            (
                "merchants_application_transition",
                "merchants_application_version",
                "merchants_application_comment",
                "merchants_application_evidence",
                "merchants_capability_step",
                "merchants_merchant_transition",
                "merchants_paper_notice",
            ),
        )
        registries.approval_actions.register(bank_account.APPROVE, bank_account.APPROVAL_ACTION)
        for action in (
            *application_approval.ACTIONS,
            verification_rule.ACTION,
            merchant_sheet.ACTION,
            capability.ACTION,
            *merchant_state.ACTIONS,
        ):
            registries.approval_actions.register(action.name, action)
        registries.second_factor_rules.register("merchants", membership.needs_second_factor)
        registries.file_inspectors.register("merchants", document_content.inspect)
        registries.approval_insiders.register("merchants", membership.insiders_of)
        self._life()
        self._portal()
        self._agents()
        self._webhooks()
        for sheet in (merchant_sheet, contact_sheet, bank_account_sheet):
            registries.importables.register(sheet.IMPORTABLE.name, sheet.IMPORTABLE)
            registries.exportables.register(sheet.EXPORTABLE.name, sheet.EXPORTABLE)
        self._verification()
        from merchants.admin import menu

        menu.fill()

    def _portal(self) -> None:
        """Put our pages into the portal's menu."""
        from foundation import registries
        from merchants.models import Ability

        for title, name, ability in (
            (_("Bank accounts"), "portal:bank_accounts", Ability.MANAGE),
            (_("People"), "portal:people", Ability.MANAGE),
            (_("API keys"), "portal:api_keys", Ability.MANAGE),
            (_("Webhooks"), "portal:webhooks", Ability.MANAGE),
            (_("Confirmations"), "portal:confirmations", Ability.WITHDRAW),
            (_("Licences and papers"), "portal:papers", ""),
            (_("Details"), "portal:details", ""),
        ):
            entry = registries.MenuEntry("portal", title, name, ability, group="house")
            registries.menu_entries.register(name, entry)

    def _life(self) -> None:
        """React to what happens in a merchant's life."""
        from foundation import registries
        from merchants.services import (
            invitation,
            merchant_closing,
            merchant_emergency,
            merchant_letter,
        )

        stopped = merchant_emergency.ACTION
        registries.approval_actions.register(stopped.name, stopped)
        closed = merchant_closing.on_merchants_closed
        registries.lifecycle_listeners.register("merchants.invitation", invitation.invite_owner)
        registries.lifecycle_listeners.register("merchants.closing", closed)
        registries.lifecycle_listeners.register("merchants.letter", merchant_letter.on_merchants)

    def _agents(self) -> None:
        """Let agents be proposed, decided on, brought in and taken out."""
        from foundation import registries
        from merchants.services import (
            agent,
            agent_move,
            agent_report,
            agent_sheet,
            application_person,
        )

        for action in (*agent.ACTIONS, agent_move.ACTION, agent_sheet.ACTION):
            registries.approval_actions.register(action.name, action)
        registries.append_only_tables.register(
            "merchants.agents", ("merchants_agent_step", "merchants_merchant_agent")
        )
        sheet = agent_sheet.IMPORTABLE.name
        registries.importables.register(sheet, agent_sheet.IMPORTABLE)
        registries.exportables.register(sheet, agent_sheet.EXPORTABLE)
        for report in (agent_report, application_person):
            registries.exportables.register(report.EXPORTABLE.name, report.EXPORTABLE)

    def _webhooks(self) -> None:
        """Declare what merchants' programs are told of the merchant itself."""
        from foundation import registries
        from merchants.services import webhook_news

        for event in webhook_news.ALL:
            registries.webhook_events.register(event.name, event)
        registries.lifecycle_listeners.register("merchants.webhooks", webhook_news.on_lifecycle)

    def _verification(self) -> None:
        """Declare what must be proved for what, and by what."""
        from foundation import registries
        from foundation.selectors import password_reset
        from foundation.selectors.sign_in import recently_new_device
        from merchants.operations import OPERATIONS
        from merchants.services import confirmation, letter, one_time_code, payment_password, totp

        registries.step_ups.register("new_device", recently_new_device)
        registries.step_ups.register("password_reset", password_reset.lately)
        for factor in (
            payment_password.FACTOR,
            one_time_code.FACTOR,
            totp.FACTOR,
            confirmation.SECOND_PERSON,
            confirmation.CALL_BACK,
        ):
            registries.verification_factors.register(factor.name, factor)
        for operation in OPERATIONS:
            registries.verified_operations.register(operation.name, operation)
        registries.code_senders.register("email", letter.by_email)
        registries.append_only_tables.register(
            "merchants.verification",
            ("merchants_verification_request", "merchants_verification_attempt"),
        )

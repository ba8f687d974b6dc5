"""Start-up of the `foundation` package: registries are filled here, never at import."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class FoundationConfig(AppConfig):
    """The `foundation` floor of the house (docs/decisions/0001-rooms.md)."""

    name = "foundation"
    verbose_name = _("Foundation")

    def ready(self) -> None:
        """Listen to Celery's signals, and guard the tables of facts after each migration."""
        import foundation.checks
        import foundation.portal.sign_out
        import foundation.task_signals  # noqa: F401
        from foundation import csv_intake, guards, sheet
        from foundation.admin import menu
        from foundation.registries import append_only_tables, approval_actions, invariant_checks
        from foundation.selectors import invariants
        from foundation.services import (
            approval_policy,
            approval_proof,
            delegation,
            mfa_reset,
            staff_account,
            staff_role,
        )

        csv_intake.register_reasons(sheet.REASONS)
        menu.fill()
        append_only_tables.register(
            "foundation",
            (
                "foundation_approval_decision",
                "foundation_audit_event",
                "foundation_history",
                "foundation_sign_in_password",
            ),
        )
        for noun in (approval_policy, delegation, mfa_reset, staff_account, staff_role):
            approval_actions.register(noun.ACTION, noun.APPROVAL_ACTION)
        invariant_checks.register("A1", approval_proof.standing_proposals)
        invariant_checks.register("H1", invariants.unbroken_history)
        invariant_checks.register("K1", invariants.held_keys)
        post_migrate.connect(guards.keep_merchants, sender=self)

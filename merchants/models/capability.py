"""What a merchant may do, act by act: each can be taken from it, and given back, by two persons."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Approval, Fact, FactForeignKey


class Capability(models.TextChoices):
    """An act of a merchant's that is allowed or taken away by itself (CAP-1)."""

    WITHDRAW = "withdraw", _("withdraw")
    AUTOMATIC = "automatic", _("be paid out by a standing instruction")
    SAME_DAY = "same_day", _("be settled the same day (T0, D0)")
    BANK_ACCOUNTS = "bank_accounts", _("add and change bank accounts")
    PEOPLE = "people", _("change who acts for it")
    PROGRAMS = "programs", _("let its programs call the API")


class CapabilityStep(Fact):
    """
    One act taken from a merchant, or given back. Append-only; the last one of a capability holds,
    and what never had one is allowed. `reason` is what the merchant reads.
    """

    capability = models.CharField(_("what it may do"), max_length=13, choices=Capability)
    sequence = models.PositiveIntegerField(_("sequence"))
    allowed = models.BooleanField(_("allowed"))
    reason = models.CharField(_("reason"), max_length=500)
    approval = FactForeignKey(
        Approval,
        models.PROTECT,
        related_name="+",
        db_index=False,  # the unique key below has it
        verbose_name=_("proposal"),
    )
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_capability_step"
        verbose_name = _("capability of a merchant")
        verbose_name_plural = _("capabilities of merchants")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "capability", "sequence"], name="capability_step_sequence"
            ),
            models.UniqueConstraint(
                fields=["merchant", "approval", "capability"], name="capability_step_once"
            ),
            models.CheckConstraint(
                condition=models.Q(capability__in=Capability.values), name="capability_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_capability_display()}: {self.allowed}"


# What the acts that need proofs ask for, by the names of the operations
# (merchants_capability_of in sql/capability.sql says the same).
OF_OPERATION: Final = {
    "withdrawal": Capability.WITHDRAW,
    "bank_account.add": Capability.BANK_ACCOUNTS,
    "bank_account.change": Capability.BANK_ACCOUNTS,
    "membership.change": Capability.PEOPLE,
    "api_key.create": Capability.PROGRAMS,
    "api_key.show": Capability.PROGRAMS,
}

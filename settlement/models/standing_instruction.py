"""Automatic payout: a merchant's approved wish to have settled money paid out by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from foundation.money import Money
from merchants.models import BankAccount


class StandingInstruction(Fact):
    """
    One version of the instruction for one currency (SI-1): a fixed payee, what stays, from what on.

    In force is the ACTIVE one, at most one per currency. Its content never changes; another wish is
    another version. `keep_minor` stays on the balance, less than `minimum_minor` is not worth it.
    """

    class Status(models.TextChoices):
        PROPOSED = "PROPOSED", _("waits for a second person")
        ACTIVE = "ACTIVE", _("in force")
        REFUSED = "REFUSED", _("refused")
        ENDED = "ENDED", _("ended")

    currency = models.CharField(_("currency"), max_length=3)
    version = models.PositiveIntegerField(_("version"))
    bank_account = FactForeignKey(
        BankAccount, models.PROTECT, related_name="+", verbose_name=_("bank account")
    )
    keep_minor = models.BigIntegerField(_("stays on the balance"), default=0)
    minimum_minor = models.BigIntegerField(_("minimum"), default=1)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.PROPOSED)
    approved_how = models.CharField(_("approved by"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("created at"))
    active_at = models.DateTimeField(_("in force since"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "settlement_standing_instruction"
        verbose_name = _("standing instruction")
        verbose_name_plural = _("standing instructions")
        permissions = [("approve_standinginstruction", _("Can approve standing instructions"))]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "currency", "version"], name="instruction_version"
            ),
            models.UniqueConstraint(
                fields=["merchant", "currency"],
                condition=Q(status="ACTIVE"),
                name="instruction_one_active",
            ),
            models.CheckConstraint(
                condition=Q(keep_minor__gte=0, minimum_minor__gte=1), name="instruction_sensible"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["ACTIVE", "ENDED"])
                | (~Q(approved_how="") & Q(active_at__isnull=False)),
                name="instruction_approved",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """How people and withdrawals name it: `SI<routing number>-<currency>-<version>`."""
        return f"SI{self.merchant_id}-{self.currency}-{self.version}"

    @property
    def keep(self) -> Money:
        """What stays on the balance."""
        return Money(self.keep_minor, self.currency)


Status = StandingInstruction.Status
TRANSITIONS: Final[Mapping[StandingInstruction.Status, frozenset[StandingInstruction.Status]]] = {
    Status.PROPOSED: frozenset({Status.ACTIVE, Status.REFUSED}),
    Status.ACTIVE: frozenset({Status.ENDED}),
    Status.REFUSED: frozenset(),
    Status.ENDED: frozenset(),
}

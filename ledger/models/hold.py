"""Holds: part of a balance reserved for one operation, resolved exactly once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from foundation.money import Money
from ledger.models import cause
from ledger.models.account import Account, Side
from ledger.models.journal import JournalEntry


class Hold(Fact):
    """
    A reservation on one account; it posts nothing itself (LG-6).

    CAPTURED with `captured_minor` at most `amount_minor`: the rest was released in the same step.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", _("open")
        CAPTURED = "CAPTURED", _("captured")
        RELEASED = "RELEASED", _("released")

    account = FactForeignKey(Account, models.PROTECT, related_name="holds", db_constraint=False)
    account_kind = models.CharField(_("account kind"), max_length=32)
    currency = models.CharField(_("currency"), max_length=3)
    operation = models.CharField(_("operation"), max_length=20)
    side = models.CharField(_("side"), max_length=2, choices=Side)
    amount_minor = models.BigIntegerField(_("amount"))
    captured_minor = models.BigIntegerField(_("captured"), null=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.OPEN)
    source_kind = models.CharField(_("cause"), max_length=32)
    source_id = models.CharField(_("cause number"), max_length=128)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    entry = FactForeignKey(
        JournalEntry,
        models.PROTECT,
        null=True,
        related_name="holds",
        db_constraint=False,
        db_index=False,
    )
    opened_at = models.DateTimeField(_("opened at"))
    resolved_at = models.DateTimeField(_("resolved at"), null=True)
    resolved_by = models.CharField(_("resolved by"), max_length=100, blank=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request"), max_length=64)

    class Meta:
        db_table = "ledger_hold"
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "source_kind", "source_id"], name="hold_one_per_cause"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state="OPEN", expires_at__isnull=False),
                name="hold_by_expiry",
            ),
        ]

    def __str__(self) -> str:
        amount = Money(self.amount_minor, self.currency)
        return f"{cause.name_of(self.source_kind)} {self.source_id} {amount}"

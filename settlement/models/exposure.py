"""Money we advanced before the channel's cash was in."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from foundation.money import Money
from settlement.models.item import Item


class Exposure(Fact):
    """
    What one item advanced the same day (SET-9): our risk until the channel has paid.

    UNFUNDED: paid out of the custody account although neither the channel's cash nor our own money
    was moved there. RECOVERED once the channel's cash is in.
    """

    class State(models.TextChoices):
        UNFUNDED = "UNFUNDED", _("not funded")
        FUNDED = "FUNDED", _("funded with our own money")
        RECOVERED = "RECOVERED", _("recovered")

    item = FactForeignKey(
        Item, models.PROTECT, related_name="exposures", db_index=False, verbose_name=_("item")
    )
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.UNFUNDED)
    opened_at = models.DateTimeField(_("opened at"), db_default=Now())
    recovered_at = models.DateTimeField(_("recovered at"), null=True)

    class Meta:
        db_table = "settlement_exposure"
        verbose_name = _("exposure")
        verbose_name_plural = _("exposures")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "item"], name="exposure_one_per_item"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="exposure_positive"),
        ]
        indexes = [
            models.Index(
                fields=["opened_at"], condition=~Q(state="RECOVERED"), name="exposure_open"
            )
        ]

    def __str__(self) -> str:
        return f"{Money(self.amount_minor, self.currency)} · {self.get_state_display()}"

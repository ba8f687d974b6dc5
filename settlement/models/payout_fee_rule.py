"""What a withdrawal costs the merchant: versions, never edited."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class PayoutFeeRule(models.Model):
    """
    The price of a withdrawal in one currency from a date on (WD-6). Reference data, append-only.

    fee = max(minimum, min(cap, round_half_up(rate x amount) + fixed)), in minor units, on top of
    the amount. A rule of the merchant's own comes before the rule of all (merchant empty), then the
    latest date, then the highest version. No rule: no fee. `fee_on_return`: what happens to the fee
    when the bank sends the money back.
    """

    class OnReturn(models.TextChoices):
        KEPT = "kept", _("kept")
        RETURNED = "returned", _("given back")

    merchant = models.ForeignKey(
        "merchants.Merchant",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("merchant"),
    )
    currency = models.CharField(_("currency"), max_length=3)
    effective_from = models.DateField(_("effective from"))
    version = models.PositiveSmallIntegerField(_("version"), default=1)
    rate_percent = models.DecimalField(
        _("rate in percent"), max_digits=9, decimal_places=6, default=0
    )
    fixed_minor = models.BigIntegerField(_("fixed"), default=0)
    minimum_minor = models.BigIntegerField(_("minimum"), default=0)
    cap_minor = models.BigIntegerField(_("cap"), null=True, blank=True)
    fee_on_return = models.CharField(
        _("fee when returned"), max_length=8, choices=OnReturn, default=OnReturn.KEPT
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    actor = models.CharField(_("actor"), max_length=100)

    class Meta:
        db_table = "settlement_payout_fee_rule"
        verbose_name = _("withdrawal fee")
        verbose_name_plural = _("withdrawal fees")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "currency", "effective_from", "version"],
                nulls_distinct=False,
                name="payout_fee_rule_version",
            ),
            models.CheckConstraint(
                condition=Q(
                    rate_percent__gte=0,
                    rate_percent__lte=100,
                    fixed_minor__gte=0,
                    minimum_minor__gte=0,
                )
                & (Q(cap_minor=None) | Q(cap_minor__gte=F("minimum_minor"))),
                name="payout_fee_rule_sensible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.effective_from}"

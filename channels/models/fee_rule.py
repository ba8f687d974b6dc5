"""Fee versions: what a payment costs its merchant from a date on."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from channels.models.product import Channel, Product
from merchants.models import Merchant


class FeeRule(models.Model):
    """
    One version of a price, in force from 00:00 of `effective_from` in the institution's zone.

    Empty merchant, product, channel or currency means any. Never edited: a change is a new version
    with a later date. `fixed`, `minimum` and `cap` are major units. Rule: FEE-1, FEE-2.
    """

    class OnRefund(models.TextChoices):
        KEPT = "kept", _("kept")
        RETURNED = "returned", _("returned")

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, null=True, blank=True, verbose_name=_("merchant")
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, verbose_name=_("product")
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, null=True, blank=True, verbose_name=_("channel")
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    rate_percent = models.DecimalField(_("rate (%)"), max_digits=9, decimal_places=6)
    fixed = models.DecimalField(_("fixed part"), max_digits=18, decimal_places=4, default=0)
    minimum = models.DecimalField(_("minimum"), max_digits=18, decimal_places=4, default=0)
    cap = models.DecimalField(_("cap"), max_digits=18, decimal_places=4, null=True, blank=True)
    fee_on_refund = models.CharField(_("fee on refund"), max_length=8, choices=OnRefund)
    effective_from = models.DateField(_("in force from"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "channels_fee_rule"
        verbose_name = _("fee version")
        verbose_name_plural = _("fee versions")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "product", "channel", "currency", "effective_from"],
                nulls_distinct=False,
                name="fee_rule_one_per_rank",
            ),
            models.CheckConstraint(
                condition=Q(rate_percent__gte=0, rate_percent__lte=100),
                name="fee_rule_rate_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(fixed__gte=0, minimum__gte=0)
                & (Q(cap__isnull=True) | Q(cap__gte=F("minimum"))),
                name="fee_rule_parts_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rate_percent.normalize():f}% + {self.fixed.normalize():f}"

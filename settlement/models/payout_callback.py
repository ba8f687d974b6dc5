"""Callbacks exactly as they came, kept before anybody believes them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact
from settlement.models.payout_channel import PayoutChannel


class PayoutCallback(Fact):
    """
    Raw bytes and headers of one callback (PO-10). Append-only; the same bytes twice are one row.

    `merchant` is the book the claimed order number leads to, the house's if none: nothing here is
    verified. `digest` covers signature headers and body, so a forgery never shuts out the original.
    """

    channel = models.ForeignKey(PayoutChannel, models.PROTECT, related_name="+")
    order_no = models.CharField(_("claimed order number"), max_length=64, blank=True)
    headers = models.JSONField(_("headers"))
    raw = models.BinaryField(_("as it came"))
    digest = models.CharField(_("hash"), max_length=64)
    received_at = models.DateTimeField(_("received at"), db_default=Now())

    class Meta:
        db_table = "settlement_payout_callback"
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "channel", "digest"], name="payout_callback_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.order_no}"

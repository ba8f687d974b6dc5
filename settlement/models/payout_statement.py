"""Day files of payout channels: in this edition they are the bank lines."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from settlement.models.payout import PayoutAttempt
from settlement.models.payout_channel import PayoutChannel


class PayoutStatement(models.Model):
    """One day file of one channel, kept as it came. The same content again is the same file."""

    channel = models.ForeignKey(
        PayoutChannel, models.PROTECT, related_name="+", verbose_name=_("channel")
    )
    day = models.DateField(_("day"))
    sha256 = models.CharField(_("hash"), max_length=64)
    raw = models.BinaryField(_("as it came"))
    line_count = models.PositiveIntegerField(_("lines"))
    imported_at = models.DateTimeField(_("imported at"), db_default=Now())
    actor = models.CharField(_("actor"), max_length=100)

    class Meta:
        db_table = "settlement_payout_statement"
        verbose_name = _("day file")
        verbose_name_plural = _("day files")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "day", "sha256"], name="payout_statement_content"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.day}"


class BankLine(Fact):
    """
    Money that really left a channel's float (PAID) or came back to it (RETURNED) (PO-11).

    A channel books an order once per kind, so a line that a later file repeats is the same line.
    BOOKED with the two entries of its cause; UNMATCHED lines wait for a person and post nothing.
    Lines about orders of nobody lie in the house's book.
    """

    class Kind(models.TextChoices):
        PAID = "PAID", _("paid")
        RETURNED = "RETURNED", _("returned")

    class State(models.TextChoices):
        RECORDED = "RECORDED", _("recorded")
        BOOKED = "BOOKED", _("booked")
        UNMATCHED = "UNMATCHED", _("without its payout")

    statement = models.ForeignKey(
        PayoutStatement, models.PROTECT, related_name="lines", verbose_name=_("day file")
    )
    channel = models.ForeignKey(PayoutChannel, models.PROTECT, related_name="+")
    line_no = models.PositiveIntegerField(_("line"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    order_no = models.CharField(_("order number"), max_length=64)
    channel_no = models.CharField(_("channel's number"), max_length=64)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    payee_hash = models.CharField(_("hash of the payee"), max_length=64, blank=True)
    moved_at = models.DateTimeField(_("moved at"))
    attempt = FactForeignKey(PayoutAttempt, models.PROTECT, null=True, related_name="bank_lines")
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.RECORDED)
    cause = models.CharField(_("cause"), max_length=128, blank=True)
    booked_at = models.DateTimeField(_("booked at"), null=True)

    class Meta:
        db_table = "settlement_bank_line"
        verbose_name = _("bank line")
        verbose_name_plural = _("bank lines")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "channel", "order_no", "kind"], name="bank_line_once"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="bank_line_positive"),
            models.CheckConstraint(
                condition=~Q(state="BOOKED")
                | (Q(attempt__isnull=False, booked_at__isnull=False) & ~Q(cause="")),
                name="bank_line_booked_how",
            ),
        ]
        indexes = [
            models.Index(fields=["statement", "line_no"], name="bank_line_of_file"),
            models.Index(fields=["moved_at"], condition=~Q(state="BOOKED"), name="bank_line_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.order_no}"

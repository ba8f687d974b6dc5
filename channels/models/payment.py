"""Payments and refunds as facts, how they came in, and what clearing made of them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from channels.models.fee_rule import FeeRule
from channels.models.product import Channel, Product
from foundation.models import Fact, FactForeignKey
from foundation.models.fact import book_key
from foundation.money import Money


class Intake(models.Model):
    """
    One file or API call that brought facts in. `sha256` is of the content as it came.

    `zone` and `cut_off` gave its facts their business dates; a later change leaves those alone.
    """

    class Kind(models.TextChoices):
        PAYMENT = "PAYMENT", _("payments")
        REFUND = "REFUND", _("refunds")

    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    name = models.CharField(_("name"), max_length=255)
    sha256 = models.CharField(max_length=64)
    rows = models.BigIntegerField(_("rows"))
    stored = models.BigIntegerField(_("stored"))
    received_at = models.DateTimeField(_("received at"))
    actor = models.CharField(_("actor"), max_length=100)
    zone = models.CharField(_("zone"), max_length=64)
    cut_off = models.TimeField(_("cut-off"))

    class Meta:
        db_table = "channels_intake"
        verbose_name = _("intake")
        verbose_name_plural = _("intakes")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class Chunk(models.Model):
    """
    A range of facts that is cleared in one transaction: what a restart goes on with.

    From an intake: ids `from_id` to `to_id` of it. Without one: what waited on the work list and
    was given this chunk.
    """

    class State(models.TextChoices):
        NEW = "NEW", _("new")
        DONE = "DONE", _("done")

    kind = models.CharField(_("kind"), max_length=7, choices=Intake.Kind)
    intake = models.ForeignKey(Intake, models.PROTECT, null=True, related_name="chunks")
    from_id = models.BigIntegerField()
    to_id = models.BigIntegerField()
    facts = models.BigIntegerField(_("facts"))
    state = models.CharField(_("state"), max_length=4, choices=State, default=State.NEW)
    created_at = models.DateTimeField(_("created at"))
    cleared_at = models.DateTimeField(_("cleared at"), null=True)

    class Meta:
        db_table = "channels_chunk"
        verbose_name = _("clearing chunk")
        verbose_name_plural = _("clearing chunks")
        indexes = [
            models.Index(fields=["kind", "id"], condition=Q(state="NEW"), name="chunk_to_clear")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.from_id}–{self.to_id}"


class Payment(Fact):
    """
    A customer's money in, as a fact: amounts in minor units, business date computed once.

    Merchant, product, channel and intake are never deleted; that they exist is proved once for each
    statement, not row by row (docs/decisions/0010-keys-per-statement.md).
    """

    merchant = book_key(db_constraint=False)
    payment_no = models.CharField(_("payment number"), max_length=64)
    order_no = models.CharField(_("order number"), max_length=64)
    product = models.ForeignKey(
        Product, models.PROTECT, db_constraint=False, db_index=False, verbose_name=_("product")
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, db_constraint=False, db_index=False, verbose_name=_("channel")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    captured_at = models.DateTimeField(_("captured at"))
    business_date = models.DateField(_("business date"))
    # Who paid, never as it came (docs/decisions/0011-payer-references.md).
    payer_hash = models.BinaryField(_("look-up hash of the payer"), max_length=32, null=True)
    payer_masked = models.CharField(_("payer reference"), max_length=64, blank=True)
    code_kind = models.CharField(_("code kind"), max_length=20, blank=True)
    intake = models.ForeignKey(Intake, models.PROTECT, db_constraint=False, db_index=False)

    class Meta:
        db_table = "channels_payment"
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(fields=["payment_no", "merchant"], name="payment_one_number"),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, amount_minor__lte=10**15),
                name="payment_amount_in_range",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "captured_at", "id"], name="payment_by_time"),
            models.Index(fields=["order_no", "merchant"], name="payment_by_order"),
        ]

    def __str__(self) -> str:
        return self.payment_no


class Refund(Fact):
    """
    All or part of a payment sent back, as a fact.

    `refunded_before_minor` is what had been refunded of the payment before: a chain without forks,
    so refunds can never exceed the payment (I10), whoever inserts at the same time.
    """

    refund_no = models.CharField(_("refund number"), max_length=64)
    payment = FactForeignKey(
        Payment, models.PROTECT, related_name="refunds", db_index=False, verbose_name=_("payment")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    refunded_at = models.DateTimeField(_("refunded at"))
    business_date = models.DateField(_("business date"))
    refunded_before_minor = models.BigIntegerField()
    intake = models.ForeignKey(Intake, models.PROTECT, db_constraint=False, db_index=False)

    class Meta:
        db_table = "channels_refund"
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint(fields=["refund_no", "merchant"], name="refund_one_number"),
            models.UniqueConstraint(
                fields=["merchant", "payment", "refunded_before_minor"], name="refund_one_chain"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, refunded_before_minor__gte=0),
                name="refund_amount_positive",
            ),
        ]
        indexes = [models.Index(fields=["merchant", "refunded_at", "id"], name="refund_by_time")]

    def __str__(self) -> str:
        return self.refund_no


class Pricing(Fact):
    """What a cleared payment cost, by which fee version; kept (X5). Its keys: as a payment's."""

    merchant = book_key(db_constraint=False)
    payment = FactForeignKey(
        Payment, models.PROTECT, related_name="pricings", db_constraint=False, db_index=False
    )
    fee_rule = models.ForeignKey(FeeRule, models.PROTECT, db_constraint=False, db_index=False)
    fee_minor = models.BigIntegerField(_("fee"))
    chunk = models.ForeignKey(Chunk, models.PROTECT, db_constraint=False)

    class Meta:
        db_table = "channels_pricing"
        verbose_name = _("pricing")
        verbose_name_plural = _("pricings")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "payment"], name="pricing_one_per_payment"),
            models.CheckConstraint(condition=Q(fee_minor__gte=0), name="pricing_fee_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.payment}: {Money(self.fee_minor, self.payment.currency)}"


class RefundBooking(Fact):
    """Where a booked refund's money came from; the parts sum to the refund."""

    refund = FactForeignKey(Refund, models.PROTECT, related_name="bookings", db_index=False)
    payment = FactForeignKey(Payment, models.PROTECT, related_name="+", db_index=False)
    amount_minor = models.BigIntegerField(_("amount"))
    fee_returned_minor = models.BigIntegerField(_("fee returned"))
    from_pending_minor = models.BigIntegerField(_("from pending"))
    from_available_minor = models.BigIntegerField(_("from available"))
    to_debt_minor = models.BigIntegerField(_("to debt"))
    chunk = models.ForeignKey(Chunk, models.PROTECT, db_constraint=False)

    class Meta:
        db_table = "channels_refund_booking"
        verbose_name = _("refund booking")
        verbose_name_plural = _("refund bookings")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "refund"], name="booking_one_per_refund"),
            models.CheckConstraint(
                condition=Q(
                    amount_minor=F("fee_returned_minor")
                    + F("from_pending_minor")
                    + F("from_available_minor")
                    + F("to_debt_minor"),
                    fee_returned_minor__gte=0,
                    from_pending_minor__gte=0,
                    from_available_minor__gte=0,
                    to_debt_minor__gte=0,
                ),
                name="booking_parts_sum",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund}: {Money(self.amount_minor, self.payment.currency)}"


class Unpriced(Fact):
    """
    The work list: a payment that no fee version covers, or a refund whose payment waits for one.

    Nothing is posted for it. When a version appears it is given a chunk and leaves the list.
    """

    fact_kind = models.CharField(_("kind"), max_length=7, choices=Intake.Kind)
    fact_id = models.BigIntegerField()
    chunk = models.ForeignKey(Chunk, models.PROTECT, null=True, related_name="waiting")
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "channels_unpriced"
        verbose_name = _("unpriced fact")
        verbose_name_plural = _("unpriced facts")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "fact_kind", "fact_id"], name="unpriced_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_fact_kind_display()} {self.fact_id}"

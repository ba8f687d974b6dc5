"""What a fact brings to the settlement, and on which day: computed once, stored, explained."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact
from foundation.money import Money


class SourceKind(models.TextChoices):
    """What moves a merchant's pending balance and so comes onto a settlement line."""

    PAYMENT = "payment", _("payment")
    REFUND = "refund", _("refund, out of its own payment")
    REFUND_REST = "refund_rest", _("refund, out of other pending money")


class Explanation(models.TextChoices):
    """How a due date was computed (X13); `schedule_code` and the business date are its data."""

    SCHEDULE = "schedule", _("by the schedule")
    MANUAL = "manual", _("settled by hand")
    CALENDAR_YEAR_NOT_LOADED = "calendar_year_not_loaded", _("the calendar year is not loaded")
    OWN_PAYMENT = "own_payment", _("with its payment")
    AT_ONCE = "at_once", _("at once")


class Due(Fact):
    """
    One signed amount of `merchant_pending` that is to be settled (DUE-1).

    Appended when the fact is booked; only an empty `due_date` is ever filled later. The sum of a
    merchant's dues that are on no line is its pending balance that no hold reserves. `origin_id` is
    the payment whose date a refund takes. `at_once` goes with the very next batch, whatever its
    date. The merchant's foreign key is left out: the facts it comes from carry it.
    """

    merchant = models.ForeignKey(
        "merchants.Merchant",
        models.PROTECT,
        related_name="+",
        verbose_name=_("merchant"),
        db_constraint=False,
        db_index=False,
    )
    source_kind = models.CharField(_("kind"), max_length=16, choices=SourceKind)
    source_id = models.BigIntegerField(_("source"))
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"))
    business_date = models.DateField(_("business date"))
    due_date = models.DateField(_("due date"), null=True)
    at_once = models.BooleanField(_("due at once"), default=False)
    schedule_code = models.CharField(_("schedule"), max_length=12, blank=True)
    explanation = models.CharField(_("explanation"), max_length=24, choices=Explanation)
    origin_id = models.BigIntegerField(_("payment"), null=True)

    class Meta:
        db_table = "settlement_due"
        verbose_name = _("due amount")
        verbose_name_plural = _("due amounts")
        permissions = [("release_due", _("Can release what is settled by hand"))]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "source_kind", "source_id"], name="due_one_per_source"
            ),
            models.CheckConstraint(
                condition=Q(source_kind=SourceKind.PAYMENT, amount_minor__gte=0)
                | (~Q(source_kind=SourceKind.PAYMENT) & Q(amount_minor__lt=0)),
                name="due_sign",
            ),
            models.CheckConstraint(
                condition=Q(due_date__isnull=False)
                | Q(explanation__in=["manual", "calendar_year_not_loaded", "own_payment"]),
                name="due_date_or_reason",
            ),
            models.CheckConstraint(
                condition=Q(at_once=False) | Q(due_date=F("business_date")),
                name="due_at_once_is_dated",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "currency", "due_date"], name="due_by_date"),
            models.Index(
                fields=["merchant", "currency", "due_date"],
                condition=Q(at_once=True),
                name="due_at_once",
            ),
            models.Index(
                fields=["merchant", "origin_id"],
                condition=Q(origin_id__isnull=False),
                name="due_by_origin",
            ),
            models.Index(
                fields=["merchant"], condition=Q(due_date__isnull=True), name="due_without_date"
            ),
        ]

    def __str__(self) -> str:
        amount = Money(self.amount_minor, self.currency)
        return f"{self.get_source_kind_display()} {self.source_id} {amount}"

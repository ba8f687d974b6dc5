"""A merchant's wish to have money paid to its bank, its states and their history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from foundation.money import Money
from ledger.models import Hold
from merchants.models import BankAccount
from settlement.models.item import Item
from settlement.models.payout_fee_rule import PayoutFeeRule


class Withdrawal(Fact):
    """
    Amount A to the payee, fee F on top, both reserved from the first moment on (WD-1).

    Only `status`, `sequence`, `hold`, `paid_minor`, `paid_fee_minor` and `closed_at` ever change: a
    trigger holds the rest, and the status to TRANSITIONS. `paid_minor` and `paid_fee_minor` are
    what really was taken from the merchant and not given back.
    """

    class Status(models.TextChoices):
        CREATED = "CREATED", _("created")
        REVIEW = "REVIEW", _("under review")
        HELD = "HELD", _("waiting to be paid")
        PAYING = "PAYING", _("being paid")
        PAID = "PAID", _("paid")
        FAILED = "FAILED", _("failed")
        REJECTED = "REJECTED", _("rejected")
        CANCELLED = "CANCELLED", _("cancelled")
        EXPIRED = "EXPIRED", _("expired")
        RETURNED = "RETURNED", _("returned by the bank")
        DISPUTED = "DISPUTED", _("disputed")

    class Authority(models.TextChoices):
        TOKEN = "TOKEN", _("verified person")
        SIGNED_REQUEST = "SIGNED_REQUEST", _("API key")
        STANDING_INSTRUCTION = "STANDING_INSTRUCTION", _("standing instruction")

    number = models.CharField(_("number"), max_length=40)
    order_no = models.CharField(_("order number"), max_length=64)
    amount_minor = models.BigIntegerField(_("amount"))
    fee_minor = models.BigIntegerField(_("fee"))
    currency = models.CharField(_("currency"), max_length=3)
    fee_rule = models.ForeignKey(
        PayoutFeeRule, models.PROTECT, null=True, related_name="+", verbose_name=_("fee rule")
    )
    bank_account = FactForeignKey(
        BankAccount, models.PROTECT, related_name="+", verbose_name=_("bank account")
    )
    authority = models.CharField(_("authority"), max_length=20, choices=Authority)
    authority_reference = models.CharField(_("reference of the authority"), max_length=100)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    item = FactForeignKey(
        Item, models.PROTECT, null=True, related_name="withdrawals", verbose_name=_("item")
    )
    hold = FactForeignKey(Hold, models.PROTECT, null=True, related_name="+", verbose_name=_("hold"))
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.CREATED)
    sequence = models.PositiveIntegerField(_("sequence"), default=1)
    paid_minor = models.BigIntegerField(_("paid"), default=0)
    paid_fee_minor = models.BigIntegerField(_("fee paid"), default=0)
    requested_at = models.DateTimeField(_("requested at"))
    business_date = models.DateField(_("business date"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "settlement_withdrawal"
        verbose_name = _("withdrawal")
        verbose_name_plural = _("withdrawals")
        permissions = [("approve_withdrawal", _("Can approve withdrawals"))]
        constraints = [
            models.UniqueConstraint(fields=["merchant", "number"], name="withdrawal_number"),
            models.UniqueConstraint(fields=["merchant", "order_no"], name="withdrawal_order_no"),
            models.UniqueConstraint(
                fields=["merchant", "item"], condition=Q(item__isnull=False), name="withdrawal_item"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, amount_minor__lte=10**15, fee_minor__gte=0),
                name="withdrawal_amount",
            ),
            models.CheckConstraint(
                condition=Q(authority__in=["TOKEN", "SIGNED_REQUEST", "STANDING_INSTRUCTION"])
                & ~Q(authority_reference=""),
                name="withdrawal_has_authority",
            ),
            models.CheckConstraint(
                condition=~Q(authority="TOKEN") | Q(requested_by__isnull=False),
                name="withdrawal_token_has_person",
            ),
            models.CheckConstraint(
                condition=Q(status="CREATED") | Q(hold__isnull=False), name="withdrawal_has_hold"
            ),
            models.CheckConstraint(
                condition=Q(paid_minor=0, paid_fee_minor__gte=0)
                | Q(paid_minor=models.F("amount_minor"), paid_fee_minor__gte=0),
                name="withdrawal_paid_whole",
            ),
            models.CheckConstraint(  # only what was paid, or is disputed, has taken anything
                condition=Q(status="PAID", paid_minor=models.F("amount_minor"))
                | Q(status="RETURNED", paid_minor=0)
                | Q(status="DISPUTED")
                | (
                    ~Q(status__in=["PAID", "RETURNED", "DISPUTED"])
                    & Q(paid_minor=0, paid_fee_minor=0)
                ),
                name="withdrawal_paid_when",
            ),
            models.CheckConstraint(
                condition=Q(paid_fee_minor__lte=models.F("fee_minor")), name="withdrawal_fee_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["CREATED", "REVIEW", "HELD", "PAYING"], closed_at=None)
                | Q(
                    status__in=[
                        "PAID",
                        "FAILED",
                        "REJECTED",
                        "CANCELLED",
                        "EXPIRED",
                        "RETURNED",
                        "DISPUTED",
                    ],
                    closed_at__isnull=False,
                ),
                name="withdrawal_closed_when",
            ),
            models.UniqueConstraint(
                fields=["merchant", "authority_reference"],
                condition=Q(authority="TOKEN"),
                name="withdrawal_token_once",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "-requested_at", "-id"], name="withdrawal_newest"),
            models.Index(fields=["-requested_at", "-id"], name="withdrawal_all_newest"),
            models.Index(
                fields=["requested_at"],
                condition=Q(status__in=["REVIEW", "HELD", "PAYING", "DISPUTED"]),
                name="withdrawal_open",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def amount(self) -> Money:
        """What the payee gets."""
        return Money(self.amount_minor, self.currency)

    @property
    def fee(self) -> Money:
        """What it costs the merchant on top."""
        return Money(self.fee_minor, self.currency)

    @property
    def total(self) -> Money:
        """What is reserved."""
        return self.amount + self.fee

    @property
    def key(self) -> dict[str, Any]:
        """The keyword arguments by which services find it."""
        return {"merchant_id": self.merchant_id, "withdrawal_id": self.id}


Status = Withdrawal.Status

# The whole table of WD-3 (docs/rules/withdrawals.md); settlement/sql/withdrawal.sql says the same.
TRANSITIONS: Final[Mapping[Withdrawal.Status, frozenset[Withdrawal.Status]]] = {
    Status.CREATED: frozenset({Status.REVIEW, Status.HELD}),
    Status.REVIEW: frozenset({Status.HELD, Status.REJECTED, Status.CANCELLED, Status.EXPIRED}),
    Status.HELD: frozenset({Status.PAYING, Status.CANCELLED}),
    Status.PAYING: frozenset({Status.PAID, Status.FAILED}),
    Status.PAID: frozenset({Status.RETURNED, Status.DISPUTED}),
    Status.FAILED: frozenset({Status.DISPUTED}),
    Status.DISPUTED: frozenset({Status.PAID, Status.FAILED, Status.RETURNED}),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.RETURNED: frozenset(),
}


class WithdrawalTransition(Fact):
    """One step in a withdrawal's life. Append-only; the withdrawal's status refers to the last."""

    withdrawal = FactForeignKey(Withdrawal, models.PROTECT, related_name="transitions")
    sequence = models.PositiveIntegerField(_("sequence"))
    from_status = models.CharField(_("from"), max_length=9, choices=Status, blank=True)
    to_status = models.CharField(_("to"), max_length=9, choices=Status)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "settlement_withdrawal_transition"
        verbose_name = _("step of a withdrawal")
        verbose_name_plural = _("steps of withdrawals")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "withdrawal", "sequence"], name="withdrawal_step_sequence"
            ),
            models.UniqueConstraint(
                fields=["merchant", "withdrawal", "sequence", "to_status"],
                name="withdrawal_step_status",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} -> {self.to_status}"

"""What a person must look at: contradictions, doubts, unknown orders; and blocked payees."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from merchants.models import BankAccount
from settlement.models.payout import PayoutAttempt


class PayoutCase(Fact):
    """
    One matter that the machine does not decide (PO-9). The same matter is open once.

    What belongs to no merchant (an order number nobody knows) lies in the house's book.
    """

    class Kind(models.TextChoices):
        UNKNOWN_ALARM = "UNKNOWN_ALARM", _("unknown for half an hour")
        UNKNOWN_TOO_LONG = "UNKNOWN_TOO_LONG", _("unknown for a business day")
        NOT_FOUND = "NOT_FOUND", _("the channel knows no such order")
        MISMATCH = "MISMATCH", _("news with another amount, currency, payee or number")
        CONTENT_DIFFERS = "CONTENT_DIFFERS", _("the number exists with other content")
        CONTRADICTION = "CONTRADICTION", _("news that contradict each other")
        LATE_SUCCESS = "LATE_SUCCESS", _("paid after it had failed")
        UNKNOWN_ORDER = "UNKNOWN_ORDER", _("news about an order nobody knows")
        BAD_CALLBACK = "BAD_CALLBACK", _("callback that is not the channel's")
        NOT_PAYABLE = "NOT_PAYABLE", _("cannot be paid now")
        STATEMENT = "STATEMENT", _("line of a day file without its payout")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    subject = models.CharField(_("subject"), max_length=100)
    attempt = FactForeignKey(
        PayoutAttempt, models.PROTECT, null=True, related_name="cases", verbose_name=_("attempt")
    )
    amount_minor = models.BigIntegerField(_("amount"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    detail = models.TextField(_("detail"))
    opened_at = models.DateTimeField(_("opened at"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by = models.CharField(_("closed by"), max_length=100, blank=True)
    outcome = models.TextField(_("outcome"), blank=True)

    class Meta:
        db_table = "settlement_payout_case"
        verbose_name = _("payout case")
        verbose_name_plural = _("payout cases")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "kind", "subject"],
                condition=Q(closed_at=None),
                name="payout_case_open_once",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | (~Q(outcome="") & ~Q(closed_by="")),
                name="payout_case_closed_how",
            ),
        ]
        indexes = [
            models.Index(fields=["opened_at"], condition=Q(closed_at=None), name="payout_case_open")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}"


class PayeeBlock(Fact):
    """A bank account to which nothing new is paid until two persons have decided (PO-8)."""

    bank_account = FactForeignKey(BankAccount, models.PROTECT, related_name="+")
    attempt = FactForeignKey(PayoutAttempt, models.PROTECT, related_name="blocks")
    blocked_at = models.DateTimeField(_("blocked at"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True)

    class Meta:
        db_table = "settlement_payee_block"
        verbose_name = _("blocked payee")
        verbose_name_plural = _("blocked payees")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "attempt"], name="payee_block_once_per_attempt"
            ),
        ]
        indexes = [
            models.Index(
                fields=["merchant", "bank_account"],
                condition=Q(lifted_at=None),
                name="payee_block_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.bank_account_id}"

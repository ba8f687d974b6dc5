"""Where a merchant's money may be paid to."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedTextField
from foundation.models import Fact
from foundation.models.fact import FactForeignKey


class BankAccount(Fact):
    """
    One account of a merchant at a bank: whose, where, in which currency.

    The number is encrypted and never changes (another number is another row); people see
    `number_masked`. `approved_payee` puts it on the list that signed requests may pay to, which
    only a verified account can be on.
    """

    class Status(models.TextChoices):
        UNVERIFIED = "UNVERIFIED", _("not verified")
        VERIFIED = "VERIFIED", _("verified")
        DISABLED = "DISABLED", _("disabled")

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    number = EncryptedTextField(_("account number"))
    number_hash = models.BinaryField(_("look-up hash"), max_length=32)
    number_masked = models.CharField(_("account number"), max_length=40)
    holder = models.CharField(_("account holder"), max_length=200)
    bank_name = models.CharField(_("bank"), max_length=200)
    bank_code = models.CharField(_("bank code (CNAPS, BIC)"), max_length=20, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.UNVERIFIED)
    approved_payee = models.BooleanField(_("on the approved list"), default=False)
    created_at = models.DateTimeField(_("created at"))
    verified_at = models.DateTimeField(_("verified at"), null=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    replaces = FactForeignKey(
        "self",
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("in place of"),
    )
    # Nothing is withdrawn to it before the one, or from the other on; empty is without a bound.
    usable_from = models.DateTimeField(_("usable from"), null=True)
    usable_until = models.DateTimeField(_("usable until"), null=True)

    class Meta:
        db_table = "merchants_bank_account"
        verbose_name = _("bank account")
        verbose_name_plural = _("bank accounts")
        permissions = [
            ("approve_bankaccount", _("Can approve bank accounts")),
            ("import_bankaccount", _("Can import bank accounts")),
            ("export_bankaccount", _("Can export bank accounts")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "number_hash", "currency"], name="bank_account_once"
            ),
            models.UniqueConstraint(fields=["merchant", "uuid"], name="bank_account_uuid"),
            models.CheckConstraint(
                condition=Q(approved_payee=False) | Q(status="VERIFIED"),
                name="bank_account_payee_verified",
            ),
            models.CheckConstraint(
                condition=~Q(status="VERIFIED") | Q(verified_at__isnull=False),
                name="bank_account_verified_when",
            ),
            models.CheckConstraint(
                condition=Q(requested_by__isnull=True)
                | ~Q(status="VERIFIED")
                | Q(usable_from__isnull=False),
                name="bank_account_requested_cools",
            ),
        ]
        # The same account behind several merchants (APP-13).
        indexes = [models.Index(fields=["number_hash"], name="bank_account_number")]

    def __str__(self) -> str:
        return f"{self.bank_name} {self.number_masked}"

    def is_usable(self, at: datetime) -> bool:
        """Return whether a withdrawal may be asked for to this account at that moment (MER-9)."""
        return (self.usable_from is None or self.usable_from <= at) and (
            self.usable_until is None or at < self.usable_until
        )

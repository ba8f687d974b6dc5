"""The payment password (支付密码) of a merchant's person, apart from the sign-in password."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact


class PaymentPassword(Fact):
    """Only an Argon2 hash of the peppered password, and the count of failures in a row."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    password_hash = models.CharField(_("hash"), max_length=255)
    # Which pepper is in the hash (merchants/services/pepper.py); "" in rows of before there were
    # several.
    pepper = models.CharField(_("pepper"), max_length=16, blank=True, default="")
    failed_count = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        db_table = "merchants_payment_password"
        verbose_name = _("payment password")
        verbose_name_plural = _("payment passwords")
        constraints = [
            models.UniqueConstraint(fields=["merchant", "user"], name="payment_password_once"),
            models.CheckConstraint(
                condition=Q(failed_count__lte=5), name="payment_password_five_failures"
            ),
            # No MD5, no SHA-1, no plain text, whatever the settings say (S2-09).
            models.CheckConstraint(
                condition=Q(password_hash__startswith="$argon2id$"),
                name="payment_password_argon2id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}"

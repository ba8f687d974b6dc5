"""Verification: which proofs an operation needs, and the token that says they were given."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact

TOKEN_LIFETIME = timedelta(minutes=5)


class VerificationRule(models.Model):
    """
    The factors an operation needs from an amount on (in minor units; currency "" is every one).

    Reference data: operation x amount -> factors (VER-1). Without a rule the operation is refused.
    """

    operation = models.CharField(_("operation"), max_length=50)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    from_amount_minor = models.BigIntegerField(_("from amount"), default=0)
    factors = ArrayField(models.CharField(max_length=50), verbose_name=_("factors"))

    class Meta:
        db_table = "merchants_verification_rule"
        verbose_name = _("verification rule")
        verbose_name_plural = _("verification rules")
        constraints = [
            models.UniqueConstraint(
                fields=["operation", "currency", "from_amount_minor"], name="verification_rule_tier"
            ),
            models.CheckConstraint(
                condition=Q(factors__len__gte=1) & Q(from_amount_minor__gte=0),
                name="verification_rule_sensible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.currency} {self.from_amount_minor}"


class VerificationToken(Fact):
    """
    Proof that a person gave every factor for one operation, amount and payee; good once, briefly.

    Only the hash of the token is stored. Nothing but `used_at` changes, once (a trigger).
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    operation = models.CharField(_("operation"), max_length=50)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    payee = models.CharField(_("payee"), max_length=100)
    factors = ArrayField(models.CharField(max_length=50), verbose_name=_("factors"))
    token_hash = models.BinaryField(_("hash of the token"), max_length=32)
    issued_at = models.DateTimeField(_("issued at"))
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)

    class Meta:
        db_table = "merchants_verification_token"
        verbose_name = _("verification token")
        verbose_name_plural = _("verification tokens")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "token_hash"], name="verification_token_once"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("issued_at"))
                & Q(expires_at__lte=F("issued_at") + TOKEN_LIFETIME),
                name="verification_token_short",
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True) | Q(used_at__lt=F("expires_at")),
                name="verification_token_used_in_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.issued_at}"

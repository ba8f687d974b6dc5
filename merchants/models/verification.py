"""
Verification: which proofs an operation needs, the request for them, what became of each proof, and
the token that says they were given.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact
from foundation.models.fact import FactForeignKey

TOKEN_LIFETIME = timedelta(minutes=5)
REQUEST_LIFETIME = timedelta(minutes=15)  # for the person's own proofs
WAIT_LIFETIME = timedelta(hours=24)  # of a request that others confirm
BY_OTHERS = ("second_person", "call_back")


class VerificationRule(models.Model):
    """
    The factors an operation needs from an amount on (in minor units; currency "" is every one).

    Reference data: operation x amount -> factors (VER-1). Without a rule in force the operation is
    refused. `together`: all are given in one step, and nobody learns which one was wrong. Rows come
    by approval (`approval_id`) or from a migration, and are taken out of force, never deleted.
    """

    operation = models.CharField(_("operation"), max_length=50)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    from_amount_minor = models.BigIntegerField(_("from amount"), default=0)
    factors = ArrayField(models.CharField(max_length=50), verbose_name=_("factors"))
    together = models.BooleanField(_("in one step"), default=False)
    in_force = models.BooleanField(_("in force"), default=True)
    approval_id = models.BigIntegerField(_("approval"), null=True)

    class Meta:
        db_table = "merchants_verification_rule"
        verbose_name = _("verification rule")
        verbose_name_plural = _("verification rules")
        permissions = [("approve_verificationrule", _("Can approve verification rules"))]
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


class VerificationRequest(Fact):
    """
    One person's wish to do one act: what must be proved for it, until when. It never changes; what
    was proved stands in its attempts, and its one token ends it.
    """

    number = models.CharField(_("request number"), max_length=32)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    operation = models.CharField(_("operation"), max_length=50)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    payee = models.CharField(_("payee"), max_length=100)
    factors = ArrayField(models.CharField(max_length=50), verbose_name=_("factors"))
    together = models.BooleanField(_("in one step"))
    stepped_up = models.BooleanField(_("more proof than usual"))
    opened_at = models.DateTimeField(_("opened at"))
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        db_table = "merchants_verification_request"
        verbose_name = _("verification request")
        verbose_name_plural = _("verification requests")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "number"], name="verification_request_number"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("opened_at"))
                & (
                    Q(expires_at__lte=F("opened_at") + REQUEST_LIFETIME)
                    | Q(
                        factors__overlap=list(BY_OTHERS),
                        expires_at__lte=F("opened_at") + WAIT_LIFETIME,
                    )
                ),
                name="verification_request_short",
            ),
            models.CheckConstraint(
                condition=Q(factors__len__gte=1) & Q(amount_minor__gte=0),
                name="verification_request_sensible",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-opened_at"], name="verification_request_user"),
            models.Index(fields=["-opened_at", "-id"], name="verification_request_newest"),
        ]

    def __str__(self) -> str:
        return self.number


class VerificationAttempt(Fact):
    """What became of one proof: which factor, its level, the result. Never the proof itself."""

    class Result(models.TextChoices):
        PASSED = "PASSED", pgettext_lazy("proof", "right")
        SPOILT = "SPOILT", _("right, but given with a wrong one")
        REFUSED = "REFUSED", _("wrong")
        LOCKED = "LOCKED", _("refused: locked")
        UNDECIDED = "UNDECIDED", _("undecided")

    verification = FactForeignKey(
        VerificationRequest,
        models.PROTECT,
        related_name="attempts",
        verbose_name=_("verification request"),
    )
    factor = models.CharField(_("factor"), max_length=50)
    result = models.CharField(_("result"), max_length=9, choices=Result)
    level = models.PositiveSmallIntegerField(_("level"))
    reason = models.CharField(_("reason"), max_length=50, blank=True)
    at = models.DateTimeField(_("at"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_verification_attempt"
        verbose_name = _("verification attempt")
        verbose_name_plural = _("verification attempts")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "verification", "factor"],
                condition=Q(result="PASSED"),
                name="verification_attempt_passes_once",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "verification"], name="verification_attempt_of")
        ]

    def __str__(self) -> str:
        return f"{self.factor} {self.result}"


class VerificationToken(Fact):
    """
    Proof that a person gave every factor for one operation, amount and payee; good once, briefly.

    Only the hash of the token is stored. Nothing but `used_at` changes, once (a trigger). It fits
    its request, which has a right proof of every factor (a trigger).
    """

    request = FactForeignKey(
        VerificationRequest,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("verification request"),
    )

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
            models.UniqueConstraint(
                fields=["merchant", "request"], name="verification_token_of_request"
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

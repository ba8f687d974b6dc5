"""One-time codes sent to a person, and the count of wrong proofs of a factor."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact
from foundation.models.fact import FactForeignKey
from merchants.models.verification import VerificationRequest

MAX_FAILURES = 5
MAX_SENT = 3  # codes of one verification request
CODE_LIFETIME = timedelta(minutes=5)


class OneTimeCode(Fact):
    """
    A code of six digits for one verification request. Only its keyed hash is stored; whoever sends
    it derives it from `uuid` and the pepper, which is not in the database. Of several the last one
    counts.
    """

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    request = FactForeignKey(
        VerificationRequest,
        models.PROTECT,
        related_name="codes",
        verbose_name=_("verification request"),
    )
    sequence = models.PositiveSmallIntegerField(_("number"))
    code_hash = models.BinaryField(_("keyed hash"), max_length=32)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        db_table = "merchants_one_time_code"
        verbose_name = _("one-time code")
        verbose_name_plural = _("one-time codes")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "request", "sequence"], name="one_time_code_sequence"
            ),
            models.CheckConstraint(
                condition=Q(sequence__range=(1, MAX_SENT)), name="one_time_code_few"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at"))
                & Q(expires_at__lte=F("created_at") + CODE_LIFETIME),
                name="one_time_code_short",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}-{self.sequence}"


class FactorCount(Fact):
    """
    How often in a row a person gave a wrong proof of a factor with a merchant, and what was sent.

    Counted over all verification requests: a new request is no new chance. The row's lock puts
    parallel guesses in a row.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    factor = models.CharField(_("factor"), max_length=50)
    failed_count = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True)
    sent_count = models.PositiveSmallIntegerField(_("sent within the hour"), default=0)
    sent_from = models.DateTimeField(_("the hour began"), null=True)

    class Meta:
        db_table = "merchants_factor_count"
        verbose_name = _("count of wrong proofs")
        verbose_name_plural = _("counts of wrong proofs")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "user", "factor"], name="factor_count_once"
            ),
            models.CheckConstraint(
                condition=Q(failed_count__lte=MAX_FAILURES), name="factor_count_five"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.factor}"

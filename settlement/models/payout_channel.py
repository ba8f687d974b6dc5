"""Channels that pay out, and the reviewed map of what their codes mean."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PayoutChannel(models.Model):
    """
    A way to send money to a merchant's bank account (PO-1). Reference data.

    `cooling_seconds`: a failure on the allow-list is final only after so long and one more query.
    `not_found_seconds`: before that "no such order" means nothing. The lowest `rank` that is
    switched on and knows the currency pays; there is no fallback to another one.
    `resend_promised`: the channel's contract says "same number, same content, same order", so an
    order it does not know may be handed in again as it is.
    """

    code = models.CharField(_("code"), max_length=32, unique=True)
    adapter = models.CharField(_("adapter"), max_length=32)
    name = models.CharField(_("name"), max_length=100)
    enabled = models.BooleanField(_("switched on"), default=True)
    rank = models.PositiveSmallIntegerField(_("rank"), default=100)
    currencies = ArrayField(
        models.CharField(max_length=3), verbose_name=_("currencies"), default=list, blank=True
    )
    cooling_seconds = models.PositiveIntegerField(_("cooling time in seconds"), default=60)
    not_found_seconds = models.PositiveIntegerField(
        _("window of 'no such order' in seconds"), default=172_800
    )

    resend_promised = models.BooleanField(
        _("same number, same order"), default=False, db_default=False
    )

    class Meta:
        db_table = "settlement_payout_channel"
        verbose_name = _("payout channel")
        verbose_name_plural = _("payout channels")
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex="^[a-z][a-z0-9_-]*$"), name="payout_channel_code"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class PayoutStatus(models.Model):
    """
    One version of what one code of a channel means (PO-2). Append-only; the highest version holds.

    A code without a row is UNKNOWN. Only a row that says FAILED_CODE makes a failure believable.
    """

    class Meaning(models.TextChoices):
        SUCCESS = "SUCCESS", _("paid")
        PROCESSING = "PROCESSING", _("in process")
        FAILED_CODE = "FAILED_CODE", _("refused for good")
        RETURNED = "RETURNED", _("paid and sent back")
        NOT_FOUND = "NOT_FOUND", _("no such order")
        CONTENT_DIFFERS = "CONTENT_DIFFERS", _("known with other content")
        UNKNOWN = "UNKNOWN", _("unknown")

    channel = models.ForeignKey(
        PayoutChannel, models.PROTECT, related_name="statuses", verbose_name=_("channel")
    )
    code = models.CharField(_("code"), max_length=64)
    version = models.PositiveIntegerField(_("version"))
    meaning = models.CharField(_("meaning"), max_length=15, choices=Meaning)
    note = models.CharField(_("note"), max_length=200, blank=True)
    approval_id = models.BigIntegerField(_("approval"), null=True)
    created_at = models.DateTimeField(_("created at"))
    actor = models.CharField(_("actor"), max_length=100)

    class Meta:
        db_table = "settlement_payout_status"
        verbose_name = _("status of a channel")
        verbose_name_plural = _("status map")
        permissions = [("approve_payoutstatus", _("Can approve the status map"))]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "code", "version"], name="payout_status_version"
            ),
            models.CheckConstraint(
                condition=~Q(code="") & Q(version__gte=1), name="payout_status_sensible"
            ),
            models.CheckConstraint(  # the first versions came with the product, later ones by two
                condition=Q(version=1) | Q(approval_id__isnull=False),
                name="payout_status_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.code}: {self.get_meaning_display()}"

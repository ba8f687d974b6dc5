"""What somebody else than the asking person says to a verification: a colleague, or our staff."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from merchants.models.verification import VerificationRequest


class Confirmation(Fact):
    """
    One factor of a request that others give while the request stays open (VER-15 to VER-17).

    Decided once, in time, by another person than the one who asks (a trigger). `token_id`: the used
    token by which a colleague proved himself. A call-back keeps who is on file with which number,
    masked, and what came of the call.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("waiting")
        CONFIRMED = "CONFIRMED", _("confirmed")
        REFUSED = "REFUSED", _("refused")

    verification = FactForeignKey(
        VerificationRequest,
        models.PROTECT,
        related_name="confirmations",
        verbose_name=_("verification request"),
    )
    factor = models.CharField(_("factor"), max_length=50)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.WAITING)
    asked_at = models.DateTimeField(_("asked at"))
    expires_at = models.DateTimeField(_("expires at"))
    contact_id = models.BigIntegerField(_("contact on file"), null=True)
    contact_name = models.CharField(_("contact's name"), max_length=100, blank=True)
    phone_masked = models.CharField(_("phone"), max_length=40, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    token_id = models.BigIntegerField(_("token"), null=True)

    class Meta:
        db_table = "merchants_confirmation"
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")
        permissions = [("call_back", _("Can call merchants back and say what came of it"))]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "verification", "factor"], name="confirmation_once"
            ),
            models.CheckConstraint(
                condition=Q(state="WAITING", decided_by=None, decided_at=None, token_id=None)
                | (~Q(state="WAITING") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="confirmation_decided_when",
            ),
            models.CheckConstraint(
                condition=Q(decided_at=None)
                | Q(decided_at__gte=F("asked_at"), decided_at__lt=F("expires_at")),
                name="confirmation_in_time",
            ),
            models.CheckConstraint(
                condition=~Q(factor="call_back")
                | (Q(contact_id__isnull=False) & ~Q(phone_masked="")),
                name="confirmation_calls_number_on_file",
            ),
        ]
        indexes = [
            models.Index(fields=["-asked_at", "-id"], name="confirmation_newest"),
            models.Index(
                fields=["factor", "expires_at"],
                condition=Q(state="WAITING"),
                name="confirmation_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_state_display()}"

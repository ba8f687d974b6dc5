"""What a program asked under one Idempotency-Key, and what we answered."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from foundation.models.fact import Fact


class IdempotencyKey(Fact):
    """
    One key of one merchant for one method and path (money-safety section 5).

    IN_FLIGHT until the answer is stored; `recovery_point` names the last step that is committed, so
    that whoever takes over after a crash goes on from there and never from the start.
    """

    class State(models.TextChoices):
        IN_FLIGHT = "IN_FLIGHT", _("in flight")
        ANSWERED = "ANSWERED", _("answered")

    method = models.CharField(_("method"), max_length=10)
    path = models.CharField(_("path"), max_length=500)
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.IN_FLIGHT)
    recovery_point = models.CharField(_("recovery point"), max_length=50, default="STARTED")
    recovery_data = models.JSONField(_("recovery data"), default=dict)
    lease_expires_at = models.DateTimeField(_("lease expires at"))
    fence = models.PositiveIntegerField(_("fencing number"), default=1)
    answer_status = models.PositiveSmallIntegerField(_("status of the answer"), null=True)
    answer_type = models.CharField(_("type of the answer"), max_length=100, blank=True)
    answer_body = models.BinaryField(_("body of the answer"), null=True)
    created_at = models.DateTimeField(_("created at"))
    answered_at = models.DateTimeField(_("answered at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_idempotency"
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "method", "path", "key"], name="idempotency_once"
            ),
            models.CheckConstraint(
                condition=Q(state="IN_FLIGHT", answer_status=None, answer_body=None)
                | Q(state="ANSWERED", answer_status__isnull=False, answer_body__isnull=False),
                name="idempotency_answer_when_answered",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"

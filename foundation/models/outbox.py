"""Messages written in the business transaction and handed to the workers afterwards."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models.fact import Fact


class OutboxMessage(Fact):
    """
    One task that must run at least once: `kind` is its Celery name, `payload` its arguments (ids
    only).

    PENDING waits for the relay, SENT is with the broker, DONE has run, PARKED waits for a person.
    Whoever works on it holds a lease with a fencing number. Times are the database's clock. Every
    column that a set-based INSERT leaves out has its default in the database
    (docs/rules/outbox.md).
    """

    class State(models.TextChoices):
        PENDING = "PENDING", _("waiting")
        SENT = "SENT", _("sent")
        DONE = "DONE", _("done")
        PARKED = "PARKED", _("parked")

    kind = models.CharField(_("kind"), max_length=100)
    key = models.CharField(_("key"), max_length=200, blank=True, db_default="")
    payload = models.JSONField(_("payload"))
    state = models.CharField(_("state"), max_length=7, choices=State, db_default=State.PENDING)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    next_try_at = models.DateTimeField(_("next try at"), db_default=Now())
    tries = models.PositiveSmallIntegerField(_("tries"), db_default=0)
    owner = models.CharField(_("owner"), max_length=100, blank=True, db_default="")
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True)
    fence = models.BigIntegerField(_("fencing number"), db_default=0)
    done_at = models.DateTimeField(_("done at"), null=True)
    reason = models.TextField(_("reason"), blank=True, db_default="")
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_outbox"
        verbose_name = _("outbox message")
        verbose_name_plural = _("outbox")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "kind", "key"], condition=~Q(key=""), name="outbox_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state__in=["PENDING", "SENT"]),
                name="outbox_due",
            ),
            models.Index(fields=["created_at"], condition=Q(state="PARKED"), name="outbox_parked"),
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["PENDING", "SENT"], tries__gte=3),
                name="outbox_failing",
            ),
            models.Index(fields=["done_at"], condition=Q(state="DONE"), name="outbox_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.payload}"

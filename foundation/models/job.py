"""Long work whose progress people see."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Job(models.Model):
    """
    One run of long work: an import, a clearing, a settlement run, a rotation of keys.

    At most one job per kind and key runs at a time. Whoever runs it keeps its lease alive by
    reporting progress; a job whose lease ended is taken over where it stopped, and the fencing
    number shuts the former runner out. Reference data: it belongs to no merchant's book.
    """

    class State(models.TextChoices):
        RUNNING = "RUNNING", _("running")
        DONE = "DONE", _("finished")
        FAILED = "FAILED", _("failed")
        CANCELLED = "CANCELLED", _("cancelled")

    kind = models.CharField(_("kind"), max_length=50)
    key = models.CharField(_("key"), max_length=200)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.RUNNING)
    total = models.BigIntegerField(_("total"), default=0)
    done = models.BigIntegerField(_("done"), default=0)
    params = models.JSONField(_("parameters"), default=dict)
    message = models.TextField(_("message"), blank=True)
    cancel_requested = models.BooleanField(_("cancelling"), default=False)
    lease_seconds = models.PositiveIntegerField(_("lease in seconds"))
    lease_expires_at = models.DateTimeField(_("lease expires at"))
    fence = models.PositiveIntegerField(_("fencing number"), default=1)
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())
    finished_at = models.DateTimeField(_("finished at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "foundation_job"
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(state="RUNNING"), name="job_running_once"
            ),
            models.CheckConstraint(
                condition=Q(done__gte=0) & Q(total__gte=0), name="job_progress_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(finished_at__gte=F("started_at")),
                name="job_ends_after_its_start",
            ),
        ]
        indexes = [models.Index(fields=["-started_at", "-id"], name="job_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.done}/{self.total}"

"""One cycle of settling a date."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Run(models.Model):
    """
    Everything that was due by `run_date` and not settled when the run was planned (SET-1).

    At most one run of a date is unfinished; whoever starts another joins it. Reference data.
    """

    class State(models.TextChoices):
        RUNNING = "RUNNING", _("running")
        DONE = "DONE", _("finished")

    run_date = models.DateField(_("run date"))
    cycle = models.PositiveSmallIntegerField(_("cycle"))
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.RUNNING)
    parts = models.PositiveSmallIntegerField(_("parts"))
    started_at = models.DateTimeField(_("started at"), db_default=Now())
    finished_at = models.DateTimeField(_("finished at"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "settlement_run"
        verbose_name = _("settlement run")
        verbose_name_plural = _("settlement runs")
        constraints = [
            models.UniqueConstraint(fields=["run_date", "cycle"], name="run_one_cycle"),
            models.UniqueConstraint(
                fields=["run_date"], condition=Q(state="RUNNING"), name="run_one_unfinished"
            ),
            models.CheckConstraint(condition=Q(cycle__gte=1, parts__gte=1), name="run_counts"),
        ]

    def __str__(self) -> str:
        return f"{self.run_date} / {self.cycle}"

"""A part of a run in one currency: the merchants of a range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from settlement.models.run import Run


class Batch(models.Model):
    """
    The items of merchants `merchant_from` to `merchant_to` (ids) of one run and currency (SET-4).

    States move along TRANSITIONS only; a trigger refuses anything else. Reference data.
    """

    class State(models.TextChoices):
        COLLECTING = "COLLECTING", _("collecting")
        FROZEN = "FROZEN", pgettext_lazy("settlement", "frozen")
        POSTING = "POSTING", pgettext_lazy("settlement", "posting")
        POSTED = "POSTED", _("posted")
        PAYING = "PAYING", _("paying out")
        CLOSED = "CLOSED", pgettext_lazy("settlement", "closed")

    run = models.ForeignKey(Run, models.PROTECT, related_name="batches", verbose_name=_("run"))
    run_date = models.DateField(_("run date"))
    cycle = models.PositiveSmallIntegerField(_("cycle"))
    currency = models.CharField(_("currency"), max_length=3)
    part = models.PositiveSmallIntegerField(_("part"))
    merchant_from = models.BigIntegerField(_("from merchant"))
    merchant_to = models.BigIntegerField(_("to merchant"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.COLLECTING)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    frozen_at = models.DateTimeField(_("frozen at"), null=True)
    posted_at = models.DateTimeField(_("posted at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        db_table = "settlement_batch"
        verbose_name = _("settlement batch")
        verbose_name_plural = _("settlement batches")
        constraints = [
            models.UniqueConstraint(
                fields=["run_date", "cycle", "currency", "part"], name="batch_one_part"
            ),
            models.CheckConstraint(
                condition=Q(merchant_from__lte=F("merchant_to")), name="batch_range"
            ),
        ]
        indexes = [
            models.Index(fields=["state"], condition=~Q(state="CLOSED"), name="batch_unfinished")
        ]

    def __str__(self) -> str:
        return f"{self.run_date}/{self.cycle} {self.currency} {self.part}"


TRANSITIONS: Final[Mapping[Batch.State, frozenset[Batch.State]]] = {
    Batch.State.COLLECTING: frozenset({Batch.State.FROZEN}),
    Batch.State.FROZEN: frozenset({Batch.State.POSTING}),
    Batch.State.POSTING: frozenset({Batch.State.POSTED}),
    Batch.State.POSTED: frozenset({Batch.State.PAYING, Batch.State.CLOSED}),
    Batch.State.PAYING: frozenset({Batch.State.CLOSED}),
    Batch.State.CLOSED: frozenset(),
}

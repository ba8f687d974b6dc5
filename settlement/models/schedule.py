"""When a merchant's money becomes due: dated rows, never changed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact
from merchants.models.industry import SAME_DAY

# T+n business days, D+n calendar days, a day of the week (1 Monday), a day of the month, by hand.
CODE_PATTERN = r"^([TD]([0-9]|[12][0-9]|30)|WEEKLY:[1-7]|MONTHLY:([1-9]|1[0-9]|2[0-8])|MANUAL)$"
DEFAULT_CODE = "T1"


__all__ = ["CODE_PATTERN", "DEFAULT_CODE", "SAME_DAY", "Schedule"]


class Schedule(Fact):
    """
    The rhythm of one merchant from a business date on (SCH-1).

    In force on a day is the row with the latest `effective_from` not after it; of one date the
    highest `version`. `surcharge_percent` is per hundred of what is advanced,
    `surcharge_fixed_minor` is added once per settlement, in the currency settled.
    """

    effective_from = models.DateField(_("effective from"))
    version = models.PositiveSmallIntegerField(_("version"), default=1)
    code = models.CharField(_("schedule"), max_length=12)
    surcharge_percent = models.DecimalField(
        _("surcharge in percent"), max_digits=9, decimal_places=6, default=0, db_default=0
    )
    surcharge_fixed_minor = models.BigIntegerField(_("fixed surcharge"), default=0, db_default=0)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        db_table = "settlement_schedule"
        verbose_name = _("settlement schedule")
        verbose_name_plural = _("settlement schedules")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "effective_from", "version"], name="schedule_one_version"
            ),
            models.CheckConstraint(
                condition=Q(code__regex=CODE_PATTERN), name="schedule_code_known"
            ),
            models.CheckConstraint(
                condition=Q(surcharge_percent__gte=0, surcharge_percent__lte=100)
                & Q(surcharge_fixed_minor__gte=0),
                name="schedule_surcharge_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(code__in=SAME_DAY) | Q(surcharge_percent=0, surcharge_fixed_minor=0),
                name="schedule_surcharge_same_day_only",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} · {self.effective_from}"

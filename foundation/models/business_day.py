"""The calendar of working days, one row per day of every loaded year."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class BusinessDay(models.Model):
    """
    One day and whether banks work on it (调休 included).

    `name` is the holiday a day is off or made up for, in English as in the message catalogue, empty
    for ordinary days; `source` names the notice it comes from. Whole years without a gap: the
    database refuses anything else (docs/rules/calendar.md). Reference data.
    """

    date = models.DateField(_("date"), primary_key=True)
    is_business_day = models.BooleanField(_("working day"))
    name = models.CharField(_("holiday"), max_length=100, blank=True)
    source = models.CharField(_("source"), max_length=200)

    class Meta:
        db_table = "foundation_business_day"
        verbose_name = _("calendar day")
        verbose_name_plural = _("business calendar")

    def __str__(self) -> str:
        return self.date.isoformat()

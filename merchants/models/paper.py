"""Papers of a merchant that end: what a merchant stands on, until when, and what follows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact, FactForeignKey
from merchants.models.industry import RiskGrade

LONG_TERM: Final = date(
    9999, 12, 31
)  # 长期: no end. A day, for a NULL would pass every comparison.

# The watch is no human being, so whoever decides on what it proposes is another person. The account
# is never active: nobody signs in with it, and it holds no right.
WATCHMAN: Final = uuid.UUID("6f1d4c1e-0000-4000-8000-706170657273")


class Paper(Fact):
    """
    One paper of a merchant, from the application that was approved with it.

    It never changes and stays; the next approved application supersedes it, once. The database
    takes it only as the approved application says it (merchants/sql/paper.sql).
    """

    class Kind(models.TextChoices):
        LICENCE = "LICENCE", _("business licence")
        LEGAL_PERSON_ID = "LEGAL_PERSON_ID", _("identity paper of the legal representative")
        OWNER_ID = "OWNER_ID", _("identity paper of an owner")
        CONTRACT = "CONTRACT", pgettext_lazy("paper", "contract")
        FILING = "FILING", _("prepaid licence or filing")
        REVIEW = "REVIEW", _("periodic re-review")

    kind = models.CharField(_("paper"), max_length=15, choices=Kind)
    line_no = models.PositiveSmallIntegerField(_("owner's line"), default=0)
    about = models.CharField(_("about"), max_length=200)
    valid_until = models.DateField(_("valid until"))
    application_book = models.BigIntegerField()
    application_id = models.BigIntegerField(_("application"))
    taken_on = models.DateField(_("approved on"))
    superseded_by = models.BigIntegerField(_("superseded by application"), null=True)
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_paper"
        verbose_name = _("paper with an end")
        verbose_name_plural = _("papers with an end")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application_id", "kind", "line_no"], name="paper_once"
            ),
            models.UniqueConstraint(
                fields=["merchant", "kind", "line_no"],
                condition=Q(superseded_by=None),
                name="paper_one_current",
            ),
            models.CheckConstraint(
                condition=Q(superseded_by=None) | ~Q(superseded_by=F("application_id")),
                name="paper_superseded_by_another",
            ),
        ]
        indexes = [
            models.Index(fields=["valid_until", "id"], name="paper_by_end"),
            models.Index(
                fields=["valid_until", "merchant", "id"],
                condition=Q(superseded_by=None),
                name="paper_current_by_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.about}"

    @property
    def long_term(self) -> bool:
        """Return whether it has no end."""
        return self.valid_until == LONG_TERM

    @property
    def cut_date(self) -> date:
        """Return the last day of its grace."""
        return self.valid_until + timedelta(days=RULES[Kind(self.kind)].grace_days)


Kind = Paper.Kind


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What follows when a paper of a kind is over: for `grace_days` it is only warned of; then, where
    it `cuts`, restricting the merchant is proposed. `told`: the merchant is warned too.
    """

    grace_days: int
    cuts: bool
    told: bool = True


# The law of the watch (docs/rules/papers.md, docs/decisions/0017-papers.md). An ended contract
# never keeps a merchant from his own money: it is signed anew, or the merchant is closed.
RULES: Final[Mapping[Paper.Kind, Rule]] = {
    Kind.LICENCE: Rule(30, cuts=True),
    Kind.LEGAL_PERSON_ID: Rule(90, cuts=True),
    Kind.OWNER_ID: Rule(90, cuts=True),
    Kind.FILING: Rule(0, cuts=True),
    Kind.CONTRACT: Rule(30, cuts=False),
    Kind.REVIEW: Rule(30, cuts=False, told=False),
}
REVIEW_YEARS: Final[Mapping[RiskGrade, int]] = {
    RiskGrade.HIGH: 1,
    RiskGrade.MEDIUM: 2,
    RiskGrade.LOW: 3,
}


class Stage(models.TextChoices):
    """How near the end of a paper is; each is told of once."""

    DAYS_60 = "DAYS_60", _("within 60 days")
    DAYS_30 = "DAYS_30", _("within 30 days")
    DAYS_7 = "DAYS_7", _("within 7 days")
    END = "END", pgettext_lazy("paper", "ended")
    OVER = "OVER", _("ended, grace over")


AHEAD_DAYS: Final[Mapping[Stage, int]] = {
    Stage.DAYS_60: 60,
    Stage.DAYS_30: 30,
    Stage.DAYS_7: 7,
    Stage.END: 0,  # its last day, or later
}
WARN_DAYS: Final = max(AHEAD_DAYS.values())


def stage_of(kind: str, valid_until: date, on: date) -> Stage | None:
    """Return the nearest stage a paper has reached on a day; None while it is far."""
    left = (valid_until - on).days
    if left < -RULES[Kind(kind)].grace_days:
        return Stage.OVER
    reached = [stage for stage, days in AHEAD_DAYS.items() if left <= days]
    return reached[-1] if reached else None


class PaperNotice(Fact):
    """
    That a paper reached a stage, told once, however often the watch runs. Append-only.
    """

    paper = FactForeignKey(Paper, models.PROTECT, related_name="notices", verbose_name=_("paper"))
    stage = models.CharField(_("stage"), max_length=7, choices=Stage)
    due_date = models.DateField(_("valid until"))
    on_date = models.DateField(_("told on"))
    actor = models.CharField(_("actor"), max_length=100)
    request_id = models.CharField(_("request id"), max_length=64)

    class Meta:
        db_table = "merchants_paper_notice"
        verbose_name = _("warning of an end")
        verbose_name_plural = _("warnings of ends")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "paper", "stage"], name="paper_notice_once"
            ),
            models.CheckConstraint(condition=Q(stage__in=list(Stage)), name="paper_notice_stage"),
        ]

    def __str__(self) -> str:
        return f"{self.paper_id} {self.stage}"

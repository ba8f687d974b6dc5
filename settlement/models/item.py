"""One merchant's net in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from foundation.models import Fact, FactForeignKey
from ledger.models import Hold, JournalEntry
from settlement.models.batch import Batch


def number_of(merchant_id: int, run_date: date, cycle: int, currency: str) -> str:
    """Return an item's number outside: routing number, date and cycle of the run, currency."""
    return f"S{merchant_id:07d}-{run_date:%Y%m%d}-{cycle}-{currency}"


class Item(Fact):
    """
    What one merchant gets in one currency from one cycle of a date (SET-5).

    `net_minor` is the sum of its `line_count` lines and never changes; `advance_minor` is its part
    that was due the same day. Once posted, `to_debt_minor + surcharge_minor + to_available_minor`
    is the net: a negative net goes to the debt whole (`to_debt_minor` is negative then).
    """

    class State(models.TextChoices):
        COLLECTED = "COLLECTED", _("collected")
        FROZEN = "FROZEN", pgettext_lazy("settlement", "frozen")
        POSTED = "POSTED", _("posted")
        HELD_BACK = "HELD_BACK", _("held back")
        PAYING = "PAYING", _("paying out")
        CLOSED = "CLOSED", pgettext_lazy("settlement", "closed")

    batch = models.ForeignKey(Batch, models.PROTECT, related_name="items", verbose_name=_("batch"))
    run_date = models.DateField(_("run date"))
    cycle = models.PositiveSmallIntegerField(_("cycle"))
    currency = models.CharField(_("currency"), max_length=3)
    net_minor = models.BigIntegerField(_("net"))
    line_count = models.BigIntegerField(_("lines"))
    advance_minor = models.BigIntegerField(_("advanced"), default=0)
    surcharge_minor = models.BigIntegerField(_("surcharge"), default=0)
    to_debt_minor = models.BigIntegerField(pgettext_lazy("settlement", "to debt"), default=0)
    to_available_minor = models.BigIntegerField(_("to available"), default=0)
    hold = FactForeignKey(
        Hold,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("hold"),
    )
    entry = FactForeignKey(
        JournalEntry,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("journal entry"),
    )
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.COLLECTED)
    reason = models.CharField(_("reason"), max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    posted_at = models.DateTimeField(_("posted at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        db_table = "settlement_item"
        verbose_name = _("settlement item")
        verbose_name_plural = _("settlement items")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "run_date", "cycle", "currency"], name="item_one_per_cycle"
            ),
            models.CheckConstraint(
                condition=Q(surcharge_minor__gte=0, to_available_minor__gte=0, line_count__gte=0),
                name="item_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["POSTED", "PAYING", "CLOSED"])
                | Q(net_minor=F("to_debt_minor") + F("surcharge_minor") + F("to_available_minor")),
                name="item_sums",
            ),
            models.CheckConstraint(
                condition=~Q(state="HELD_BACK") | ~Q(reason=""), name="item_held_back_says_why"
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "batch"],
                condition=Q(state__in=["COLLECTED", "FROZEN", "HELD_BACK", "POSTED", "PAYING"]),
                name="item_unfinished",
            )
        ]

    @property
    def number(self) -> str:
        """By which people know it."""
        return number_of(self.merchant_id, self.run_date, self.cycle, self.currency)

    def __str__(self) -> str:
        return self.number


TRANSITIONS: Final[Mapping[Item.State, frozenset[Item.State]]] = {
    Item.State.COLLECTED: frozenset({Item.State.FROZEN}),
    Item.State.FROZEN: frozenset({Item.State.POSTED, Item.State.HELD_BACK, Item.State.CLOSED}),
    Item.State.HELD_BACK: frozenset({Item.State.POSTED, Item.State.CLOSED}),
    Item.State.POSTED: frozenset({Item.State.PAYING, Item.State.CLOSED}),
    Item.State.PAYING: frozenset({Item.State.CLOSED}),
    Item.State.CLOSED: frozenset(),
}

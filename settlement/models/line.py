"""One fact inside an item."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.models import Fact, FactForeignKey
from settlement.models.due import SourceKind
from settlement.models.item import Item


class Line(Fact):
    """
    A payment or refund that an item settles: at most one line per fact, appended only (I8).

    `id` is the id of the due amount it claims. In the database the primary key is
    (merchant, source_id, source_kind); one statement trigger proves per insert that the lines of
    each item are the item's count and net, which also proves item and merchant.
    """

    id = models.BigIntegerField(primary_key=True)
    merchant = models.ForeignKey(
        "merchants.Merchant",
        models.PROTECT,
        related_name="+",
        verbose_name=_("merchant"),
        db_constraint=False,
        db_index=False,
    )
    item = FactForeignKey(
        Item,
        models.PROTECT,
        related_name="lines",
        db_constraint=False,
        db_index=False,
        verbose_name=_("item"),
    )
    source_kind = models.CharField(_("kind"), max_length=16, choices=SourceKind)
    source_id = models.BigIntegerField(_("source"))
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        db_table = "settlement_line"
        verbose_name = _("settlement line")
        verbose_name_plural = _("settlement lines")
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "source_id", "source_kind"], name="line_one_per_source"
            ),
        ]
        # The lines of an item lie side by side: a block-range index finds them at little cost.
        indexes = [
            BrinIndex(fields=["item"], name="line_by_item", autosummarize=True, pages_per_range=16)
        ]

    def __str__(self) -> str:
        return f"{self.get_source_kind_display()} {self.source_id}"

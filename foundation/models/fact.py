"""
The base of every table whose rows belong to one merchant's book (docs/decisions/0003-books.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models.query import QuerySet
from django.db.models.sql.where import AND, WhereNode
from django.utils.translation import gettext_lazy as _


class FactForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """
    A relation between two facts of the same merchant.

    Every join also compares `merchant_id`, so a database spread by merchant answers it on one
    machine, and a row of another merchant can never be reached through it.
    """

    def get_extra_restriction(self, alias: str | None, related_alias: str | None) -> Any:
        """Return `alias.merchant_id = related_alias.merchant_id` for the ON clause of the join."""
        if alias is None or related_alias is None:  # a sub-query compares it by itself
            return None
        field: Any = self.model._meta.get_field("merchant")
        remote: Any = self.remote_field.model._meta.get_field("merchant")
        exact = field.get_lookup("exact")(field.get_col(alias), remote.get_col(related_alias))
        return WhereNode([exact], connector=AND)


def book_key(*, db_constraint: bool = True) -> Any:
    """
    Return the relation of a fact to the merchant whose book it stands in.

    `db_constraint=False` is for facts whose composite key to another fact contains the merchant and
    so proves it already: a second proof would lock the merchant's row once for every row written.
    """
    # No index of its own: every fact table has a unique key or index that begins with the merchant.
    return models.ForeignKey(
        "merchants.Merchant",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=db_constraint,
        verbose_name=_("merchant"),
    )


class Fact(models.Model):
    """
    A row of one merchant's book. `merchant` is set once, is part of every unique key, and never
    changes.
    """

    merchant = book_key()

    class Meta:
        abstract = True

    def _do_update(
        self,
        base_qs: QuerySet[Any],
        using: str | None,
        pk_val: Any,
        values: Iterable[Any],
        *rest: Any,
    ) -> Any:
        """
        Name the merchant in WHERE and keep it out of SET: a spread database refuses anything else.
        """
        kept = [value for value in values if value[0].name != "merchant"]
        scoped = base_qs.filter(merchant_id=self.merchant_id)
        return super()._do_update(scoped, using, pk_val, kept, *rest)

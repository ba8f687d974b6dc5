"""Who brought, reviewed and approved merchants, and what became of them (S0-03)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q

from merchants.models import Application, Merchant
from merchants.selectors.application import house_id

PARTS: Final = ("brought_by", "first_reviewer", "second_reviewer")
_FROZEN: Final = Q(became__status=Merchant.Status.FROZEN)
_TROUBLED: Final = Q(
    became__status__in=[Merchant.Status.RESTRICTED, Merchant.Status.CLOSING, Merchant.Status.CLOSED]
)


@dataclass(frozen=True, slots=True)
class Part:
    """One person's part in merchants taken on: how many, how many of them are frozen now."""

    name: str
    person_id: str
    part: str
    merchants: int
    frozen: int
    restricted_or_closed: int


def parts() -> Iterator[Part]:
    """Return every person's figures by part, most frozen first; accounts of one person together."""
    taken_on = Application.objects.filter(merchant_id=house_id(), state=Application.State.APPROVED)
    for part in PARTS:
        rows = (
            taken_on.order_by()
            .values(f"{part}__person_id", f"{part}__person__name")
            .annotate(
                many=Count("id"),
                frozen=Count("id", filter=_FROZEN),
                troubled=Count("id", filter=_TROUBLED),
            )
            .order_by("-frozen", "-many", f"{part}__person__name")
        )
        for row in rows[:200]:
            yield Part(
                name=row[f"{part}__person__name"],
                person_id=str(row[f"{part}__person_id"]),
                part=part,
                merchants=row["many"],
                frozen=row["frozen"],
                restricted_or_closed=row["troubled"],
            )


def frozen_by(person_id: str) -> list[Application]:
    """Return the applications of merchants now frozen in which a person had such a part."""
    mine = Q()
    for part in PARTS:
        mine |= Q(**{f"{part}__person_id": person_id})
    found = Application.objects.filter(_FROZEN, mine, merchant_id=house_id()).defer(
        "account_number"
    )
    return list(
        found.select_related("became", "brought_by", "first_reviewer", "second_reviewer").order_by(
            "-id"
        )[:200]
    )

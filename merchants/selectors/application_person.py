"""Who brought, reviewed and approved merchants, and what became of them (S0-03)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q

from merchants.models import Application, Merchant, MerchantTransition
from merchants.selectors.application import house_id

PARTS: Final = ("brought_by", "first_reviewer", "second_reviewer")
_FROZEN: Final = Merchant.Status.FROZEN
_TROUBLED: Final = Q(
    became__status__in=[Merchant.Status.RESTRICTED, Merchant.Status.CLOSING, Merchant.Status.CLOSED]
)


@dataclass(frozen=True, slots=True)
class Part:
    """
    One person's part in merchants taken on: how many, how many of them were ever frozen since, how
    many are frozen now.
    """

    name: str
    person_id: str
    part: str
    merchants: int
    frozen: int
    frozen_now: int
    restricted_or_closed: int


def parts() -> Iterator[Part]:
    """Return every person's figures by part, most frozen first; accounts of one person together."""
    taken_on = Application.objects.filter(merchant_id=house_id(), state=Application.State.APPROVED)
    ever = _ever_frozen()
    for part in PARTS:
        rows = (
            taken_on.order_by()
            .values(f"{part}__person_id", f"{part}__person__name")
            .annotate(
                many=Count("id"),
                frozen=Count("id", filter=Q(became_id__in=ever)),
                frozen_now=Count("id", filter=Q(became__status=_FROZEN)),
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
                frozen_now=row["frozen_now"],
                restricted_or_closed=row["troubled"],
            )


def frozen_by(person_id: str) -> list[Application]:
    """Return the applications of merchants ever frozen in which a person had such a part."""
    mine = Q()
    for part in PARTS:
        mine |= Q(**{f"{part}__person_id": person_id})
    found = Application.objects.filter(
        mine, merchant_id=house_id(), became_id__in=_ever_frozen()
    ).defer("account_number")
    people = [f"{part}__person" for part in PARTS]
    return list(found.select_related("became", *people).order_by("-id")[:200])


def _ever_frozen() -> list[int]:
    """
    Return the merchants whose history has a freeze, restored or not: by their own statement, since
    facts of two books are not joined.
    """
    freezes = MerchantTransition.objects.filter(to_status=_FROZEN)
    return list(freezes.order_by().values_list("merchant_id", flat=True).distinct())

"""Who brought, reviewed and approved merchants, and what became of them (S0-03)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from foundation import clock
from merchants.models import Agent, Application, Merchant, MerchantAgent, MerchantTransition
from merchants.selectors.application import house_id

PARTS: Final = ("brought_by", "first_reviewer", "second_reviewer")
_FROZEN: Final = Merchant.Status.FROZEN
_TROUBLED_STATES: Final = (
    Merchant.Status.RESTRICTED,
    Merchant.Status.CLOSING,
    Merchant.Status.CLOSED,
)
_TROUBLED: Final = Q(became__status__in=_TROUBLED_STATES)
FIGURES: Final = ("merchants", "frozen", "frozen_now", "restricted_or_closed")  # of an agent
MOST: Final = 200  # lines of a table


@dataclass(frozen=True, slots=True)
class Span:
    """The days on which merchants were taken on, both included; None leaves a side open."""

    first: date | None = None
    last: date | None = None

    def bounds(self) -> dict[str, object]:
        """Return the instants it lies between, None for an open side."""
        return {
            "since": None if self.first is None else clock.begins(self.first),
            "until": None if self.last is None else clock.begins(self.last + timedelta(days=1)),
        }

    def chosen(self) -> Q:
        """Return the condition on applications that their merchant was taken on then."""
        found = Q()
        for name, instant in self.bounds().items():
            if instant is not None:
                lookup = "gte" if name == "since" else "lt"
                found &= Q(**{f"became__created_at__{lookup}": instant})
        return found


EVERY_DAY: Final = Span()


def rate(part: int, whole: int) -> str:
    """Return a share in percent with one decimal; "" of nothing."""
    return f"{Decimal(part * 100) / whole:.1f} %" if whole else ""


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of the merchants that came by one agent first, whoever has them now."""

    agent_id: int
    number: str
    name: str
    merchants: int
    frozen: int
    frozen_now: int
    restricted_or_closed: int

    @property
    def rate(self) -> str:
        """How many of a hundred were ever frozen."""
        return rate(self.frozen, self.merchants)


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

    @property
    def rate(self) -> str:
        """How many of a hundred were ever frozen."""
        return rate(self.frozen, self.merchants)


def agents(span: Span = EVERY_DAY) -> list[Brought]:
    """Return the agents' figures, most frozen first, in one statement. Rule: AGT-9."""
    found = by_agent(span).order_by("-frozen", "-merchants", "number")
    names = ("number", "name", *FIGURES)
    return [Brought(*row) for row in found.values_list("pk", *names)[:MOST]]


def by_agent(span: Span = EVERY_DAY) -> QuerySet[Any]:
    """
    Return the agents by whom merchants came first on these days, each with its FIGURES.

    A merchant counts for the agent it came by first: a move to another washes no record (AGT-9).
    """
    first = MerchantAgent.objects.filter(agent=OuterRef("pk"), sequence=1).order_by()
    for name, instant in span.bounds().items():
        if instant is not None:
            lookup = "gte" if name == "since" else "lt"
            first = first.filter(**{f"merchant__created_at__{lookup}": instant})
    freezes = MerchantTransition.objects.filter(to_status=_FROZEN)
    counted = {
        "merchants": Q(),
        "frozen": Q(merchant_id__in=freezes.values("merchant_id")),
        "frozen_now": Q(merchant__status=_FROZEN),
        "restricted_or_closed": Q(merchant__status__in=_TROUBLED_STATES),
    }
    figures = {
        name: Coalesce(
            Subquery(first.filter(which).values("agent").annotate(n=Count("id")).values("n")), 0
        )
        for name, which in counted.items()
    }
    found: QuerySet[Any] = Agent.objects.annotate(**figures)
    return found.filter(merchants__gt=0)


def taken_on_in(span: Span = EVERY_DAY) -> QuerySet[Application]:
    """Return the applications that became merchants on these days."""
    return Application.objects.filter(span.chosen(), merchant_id=house_id(), became__isnull=False)


def parts(span: Span = EVERY_DAY) -> Iterator[Part]:
    """Return every person's figures by part, most frozen first; accounts of one person together."""
    taken_on = taken_on_in(span)
    ever = ever_frozen()
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
        for row in rows[:MOST]:
            yield Part(
                name=row[f"{part}__person__name"],
                person_id=str(row[f"{part}__person_id"]),
                part=part,
                merchants=row["many"],
                frozen=row["frozen"],
                frozen_now=row["frozen_now"],
                restricted_or_closed=row["troubled"],
            )


def frozen_by(person_id: str, span: Span = EVERY_DAY) -> list[Application]:
    """Return the applications of merchants ever frozen in which a person had such a part."""
    mine = Q()
    for part in PARTS:
        mine |= Q(**{f"{part}__person_id": person_id})
    found = taken_on_in(span).filter(mine, became_id__in=ever_frozen()).defer("account_number")
    people = [f"{part}__person" for part in PARTS]
    return list(found.select_related("became", *people).order_by("-id")[:MOST])


def frozen_of_agent(agent_id: int, span: Span = EVERY_DAY) -> list[Merchant]:
    """Return the merchants ever frozen that came by an agent first."""
    first = MerchantAgent.objects.filter(sequence=1, agent_id=agent_id)
    bounds = span.bounds()
    found = Merchant.objects.filter(
        pk__in=list(
            first.filter(merchant_id__in=ever_frozen()).values_list("merchant_id", flat=True)
        )
    )
    if bounds["since"] is not None:
        found = found.filter(created_at__gte=bounds["since"])
    if bounds["until"] is not None:
        found = found.filter(created_at__lt=bounds["until"])
    return list(found.select_related("agent").order_by("merchant_no")[:MOST])


def ever_frozen() -> list[int]:
    """
    Return the merchants whose history has a freeze, restored or not: by their own statement, since
    facts of two books are not joined.
    """
    freezes = MerchantTransition.objects.filter(to_status=_FROZEN)
    return list(freezes.order_by().values_list("merchant_id", flat=True).distinct())

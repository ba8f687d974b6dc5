"""How far a run is, and what it settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef, Q

from foundation import sql
from settlement.models import Batch, Item, Run

_BEFORE_POSTED = (Batch.State.COLLECTING, Batch.State.FROZEN, Batch.State.POSTING)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """An item that could not be booked, and why; `net_minor` in minor units."""

    merchant_no: str
    currency: str
    run_date: date
    cycle: int
    net_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What runs settled: counts, and the net per currency in minor units."""

    cycles: tuple[int, ...]
    batches: int
    items: int
    lines: int
    net: dict[str, int]


def unfinished_parts(*, run_id: int) -> list[int]:
    """
    Return the parts of a run that are not posted, or posted and not closed; what is held back or
    being paid out does not keep a run open.
    """
    items = Item.objects.filter(batch=OuterRef("id"))
    to_close = Exists(items.filter(state=Item.State.POSTED)) | ~Exists(
        items.filter(state=Item.State.HELD_BACK)
    )
    found = Batch.objects.filter(
        Q(state__in=_BEFORE_POSTED) | (Q(state=Batch.State.POSTED) & to_close), run_id=run_id
    )
    return list(found.order_by("part").values_list("part", flat=True).distinct())


def left_open() -> list[tuple[Run, int]]:
    """
    Return (run, part) of finished runs whose batches do not show what became of their items: one
    that was held back is booked now, or the last payout has ended, and nobody went on.
    """
    items = Item.objects.filter(batch=OuterRef("id"))
    posted, paying, held_back = (
        Exists(items.filter(state=state))
        for state in (Item.State.POSTED, Item.State.PAYING, Item.State.HELD_BACK)
    )
    found = Batch.objects.filter(
        posted | Q(paying, state=Batch.State.POSTED) | ~(paying | held_back),
        state__in=[Batch.State.POSTED, Batch.State.PAYING],
        run__state=Run.State.DONE,
    )
    pairs = {(batch.run, batch.part) for batch in found.select_related("run")}
    return sorted(pairs, key=lambda pair: (pair[0].run_date, pair[0].cycle, pair[1]))


def parts(*, run_id: int) -> tuple[int, int]:
    """Return how many parts of a run are done, and how many it has."""
    total = Batch.objects.filter(run_id=run_id).values("part").distinct().count()
    return total - len(unfinished_parts(run_id=run_id)), total


def summary(*, run_ids: list[int]) -> Summary:
    """Return what these runs settled."""
    found = sql.rows(
        "SELECT i.currency, i.cycle, count(*) AS items, sum(i.line_count)::bigint AS lines,"
        "  sum(i.net_minor)::bigint AS net, count(DISTINCT i.batch_id) AS batches"
        " FROM settlement_item i JOIN settlement_batch b ON b.id = i.batch_id"
        " WHERE b.run_id = ANY (%s) GROUP BY i.currency, i.cycle ORDER BY 1, 2",
        [run_ids],
    )
    net: dict[str, int] = {}
    for row in found:
        net[row["currency"]] = net.get(row["currency"], 0) + row["net"]
    return Summary(
        cycles=tuple(sorted({row["cycle"] for row in found})),
        batches=sum(row["batches"] for row in found),
        items=sum(row["items"] for row in found),
        lines=sum(row["lines"] for row in found),
        net=net,
    )


def held_back(*, limit: int = 1000) -> list[HeldBack]:
    """Return items that are held back, oldest first, at most `limit`."""
    found = (
        Item.objects.filter(state=Item.State.HELD_BACK)
        .select_related("merchant")
        .order_by("run_date", "cycle", "merchant_id")[:limit]
    )
    return [
        HeldBack(
            item.merchant.merchant_no,
            item.currency,
            item.run_date,
            item.cycle,
            item.net_minor,
            item.reason,
        )
        for item in found
    ]

"""A merchant's settlements and the payments inside, page by page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from django.db.models import Q

from channels.models import Payment, Pricing, Refund
from foundation.money import Money
from settlement.models import Item, Line
from settlement.models.due import SourceKind

_NUMBER: Final = re.compile(r"S([0-9]{7,18})-([0-9]{8})-([0-9]{1,4})-([A-Z]{3})")
_Fact = tuple[str, str, datetime | None, int | None]  # number, order number, when, amount


class ItemPosition(NamedTuple):
    """Where a page of settlements ends; the next one begins below it."""

    run_date: date
    cycle: int
    currency: str


@dataclass(frozen=True, slots=True)
class SettledFact:
    """One payment or refund inside a settlement, by the number people know it by."""

    id: int
    kind: str
    fact_id: int
    number: str
    order_no: str
    at: datetime | None
    gross: Money | None
    fee: Money | None
    net: Money

    @property
    def kind_name(self) -> str:
        """The kind in the reader's language."""
        return str(SourceKind(self.kind).label)


def of_merchant(
    *,
    merchant_id: int,
    below: ItemPosition | None = None,
    limit: int = 50,
    since: date | None = None,
    until: date | None = None,
    currency: str = "",
) -> list[Item]:
    """
    Return a merchant's settlements, latest first, below a position (item_one_per_cycle).

    `since` and `until` are run dates, both included.
    """
    found = Item.objects.filter(merchant_id=merchant_id)
    if since is not None:
        found = found.filter(run_date__gte=since)
    if until is not None:
        found = found.filter(run_date__lte=until)
    if currency:
        found = found.filter(currency=currency)
    if below is not None:
        found = found.filter(
            Q(run_date__lt=below.run_date)
            | Q(run_date=below.run_date, cycle__lt=below.cycle)
            | Q(run_date=below.run_date, cycle=below.cycle, currency__lt=below.currency),
            run_date__lte=below.run_date,
        )
    return list(found.order_by("-run_date", "-cycle", "-currency")[:limit])


def numbered(*, merchant_id: int, item_id: int) -> Item | None:
    """Return a merchant's settlement, None if it is not his."""
    return Item.objects.filter(merchant_id=merchant_id, id=item_id).first()


def by_number(*, merchant_id: int, number: str) -> Item | None:
    """Return a merchant's settlement by its number, None if it is not his."""
    parts = _NUMBER.fullmatch(number)
    if parts is None or int(parts[1]) != merchant_id:
        return None
    try:
        run_date = date.fromisoformat(parts[2])
    except ValueError:
        return None
    found = Item.objects.filter(
        merchant_id=merchant_id, run_date=run_date, cycle=int(parts[3]), currency=parts[4]
    ).first()
    return found if found is not None and found.number == number else None


def lines(*, item: Item, after: int = 0, limit: int = 50) -> list[SettledFact]:
    """
    Return the facts inside a settlement in the order of their due amounts, after an id.

    At most five statements, however many facts: lines, payments, prices, refunds, their payments.
    """
    found = list(
        Line.objects.filter(merchant_id=item.merchant_id, item_id=item.id, id__gt=after).order_by(
            "id"
        )[:limit]
    )
    payment_ids = [line.source_id for line in found if line.source_kind == SourceKind.PAYMENT]
    refund_ids = [line.source_id for line in found if line.source_kind != SourceKind.PAYMENT]
    payments = _payments(item.merchant_id, payment_ids)
    refunds = _refunds(item.merchant_id, refund_ids)
    fees = dict(
        Pricing.objects.filter(
            merchant_id=item.merchant_id, payment_id__in=payment_ids
        ).values_list("payment_id", "fee_minor")
        if payment_ids
        else ()
    )
    facts = []
    for line in found:
        net = Money(line.amount_minor, item.currency)
        if line.source_kind == SourceKind.PAYMENT:
            number, order_no, at, gross = payments.get(line.source_id, _unknown(line))
            fee = fees.get(line.source_id)
        else:
            number, order_no, at, gross = refunds.get(line.source_id, _unknown(line))
            fee = None
        facts.append(
            SettledFact(
                line.id,
                line.source_kind,
                line.source_id,
                number,
                order_no,
                at,
                None if gross is None else Money(gross, item.currency),
                None if fee is None else Money(fee, item.currency),
                net,
            )
        )
    return facts


def _payments(merchant_id: int, ids: Sequence[int]) -> dict[int, _Fact]:
    if not ids:
        return {}
    rows = Payment.objects.filter(merchant_id=merchant_id, id__in=ids).values_list(
        "id", "payment_no", "order_no", "captured_at", "amount_minor"
    )
    return {row_id: (number, order, at, minor) for row_id, number, order, at, minor in rows}


def _refunds(merchant_id: int, ids: Sequence[int]) -> dict[int, _Fact]:
    if not ids:
        return {}
    rows = Refund.objects.filter(merchant_id=merchant_id, id__in=ids).values_list(
        "id", "refund_no", "payment__order_no", "refunded_at", "amount_minor"
    )
    return {row_id: (number, order, at, -minor) for row_id, number, order, at, minor in rows}


def _unknown(line: Line) -> _Fact:
    """Name a fact that only its id tells."""
    return str(line.source_id), "", None, None

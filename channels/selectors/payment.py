"""Reads of payments: pages by key, look-ups by number, and what clearing made of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Prefetch, Q, QuerySet

from channels.models import Payment, Pricing, Refund
from ledger.models import PostingLine


class Place(NamedTuple):
    """Where a page ends: the next one begins behind it."""

    captured_at: datetime
    id: int


def of_merchant(*, merchant_id: int) -> QuerySet[Payment]:
    """Return a merchant's payments, latest first, with product, channel and price at hand."""
    return (
        Payment.objects.filter(merchant_id=merchant_id)
        .select_related("product", "channel")
        .prefetch_related(Prefetch("pricings", Pricing.objects.select_related("fee_rule")))
        .order_by("-captured_at", "-id")
    )


def page(
    *, merchant_id: int, behind: Place | None = None, order_no: str = "", limit: int = 50
) -> list[Payment]:
    """
    Return at most `limit` payments of a merchant, latest first, by key: no OFFSET, no count.
    """
    found = of_merchant(merchant_id=merchant_id)
    if order_no:
        found = found.filter(order_no=order_no)
    if behind is not None:
        found = found.filter(
            Q(captured_at__lt=behind.captured_at)
            | Q(captured_at=behind.captured_at, id__lt=behind.id),
            captured_at__lte=behind.captured_at,
        )
    return list(found[:limit])


def by_number(*, merchant_id: int, payment_no: str) -> Payment | None:
    """Return a merchant's payment, or None when this book has no such number."""
    return of_merchant(merchant_id=merchant_id).filter(payment_no=payment_no).first()


@dataclass(frozen=True, slots=True)
class Cleared:
    """A payment with its price, its posting lines (with posting and entry) and its refunds."""

    payment: Payment
    pricing: Pricing | None
    lines: list[PostingLine]
    refunds: list[Refund]


def cleared(*, merchant_id: int, payment_id: int) -> Cleared | None:
    """Return a payment with what clearing made of it, in a bounded number of queries."""
    payment = of_merchant(merchant_id=merchant_id).filter(id=payment_id).first()
    if payment is None:
        return None
    refunds = list(
        Refund.objects.filter(merchant_id=merchant_id, payment_id=payment_id).order_by("id")
    )
    lines = PostingLine.objects.filter(
        Q(fact_kind="payment", fact_id=payment_id)
        | Q(fact_kind="refund", fact_id__in=[refund.id for refund in refunds]),
        merchant_id=merchant_id,
    ).select_related("posting__entry", "account")
    prices = list(payment.pricings.all())
    return Cleared(payment, prices[0] if prices else None, list(lines.order_by("id")), refunds)

"""Reads of refunds: pages by key and look-ups by number."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet

from channels.models import Refund


class Place(NamedTuple):
    """Where a page ends: the next one begins behind it."""

    refunded_at: datetime
    id: int


def of_merchant(*, merchant_id: int) -> QuerySet[Refund]:
    """Return a merchant's refunds, latest first, with payment and booking at hand."""
    return (
        Refund.objects.filter(merchant_id=merchant_id)
        .select_related("payment")
        .prefetch_related("bookings")
        .order_by("-refunded_at", "-id")
    )


def page(
    *, merchant_id: int, behind: Place | None = None, order_no: str = "", limit: int = 50
) -> list[Refund]:
    """Return at most `limit` refunds of a merchant, latest first, by key: no OFFSET, no count."""
    found = of_merchant(merchant_id=merchant_id)
    if order_no:
        found = found.filter(payment__order_no=order_no)
    if behind is not None:
        found = found.filter(
            Q(refunded_at__lt=behind.refunded_at)
            | Q(refunded_at=behind.refunded_at, id__lt=behind.id),
            refunded_at__lte=behind.refunded_at,
        )
    return list(found[:limit])


def by_number(*, merchant_id: int, refund_no: str) -> Refund | None:
    """Return a merchant's refund, or None when this book has no such number."""
    return of_merchant(merchant_id=merchant_id).filter(refund_no=refund_no).first()

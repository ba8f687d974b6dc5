"""Where every merchant's money is, in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction

from foundation import sql


@dataclass(frozen=True, slots=True)
class MerchantBalance:
    """
    One merchant and currency, in minor units.

    `pending` is the whole pending balance, what a run has frozen included; `available` is what
    could be withdrawn now; `held` is what open withdrawals reserve of it; `debt` is positive;
    `waiting_refunds` are requested refunds that are not covered yet: nothing is posted for them,
    and so far a refund can only be imported, which books it at once. `paid_out` and `payout_fees`
    are net of returns. At every moment (SET-11):

        pending + available + held + reserve + paid_out + payout_fees - debt
            = payments - fees - refunds  (a surcharge is a fee)
    """

    merchant_no: str
    currency: str
    pending: int
    available: int
    held: int
    reserve: int
    debt: int
    paid_out: int
    payout_fees: int
    waiting_refunds: int = 0


def stream() -> Iterator[MerchantBalance]:
    """Yield every merchant's balances by merchant number and currency, in bounded memory."""
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(sql.load("settlement", "balances"), {"merchant_id": None})
        while rows := cursor.fetchmany(2000):
            for row in rows:
                yield MerchantBalance(*row)


def of_merchant(*, merchant_id: int) -> list[MerchantBalance]:
    """Return one merchant's balances by currency, in one snapshot."""
    found = sql.rows(sql.load("settlement", "balances"), {"merchant_id": merchant_id})
    return [MerchantBalance(**row) for row in found]

"""Books to post into by account kind, so that a test states only what matters to it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from foundation import sql
from ledger.models import Posting
from ledger.services import account as accounts
from ledger.services import hold as holds
from ledger.services import journal
from merchants.services import house
from tests.factories.merchants import MerchantFactory

_numbers = itertools.count(1)


class Leg(NamedTuple):
    """One posting by account kind; `minor` in minor units of `currency`."""

    side: str
    kind: str
    operation: str
    minor: int
    currency: str = "CNY"
    ref: str = ""
    hold_id: int | None = None


def dr(
    kind: str,
    operation: str,
    minor: int,
    *,
    currency: str = "CNY",
    ref: str = "",
    hold_id: int | None = None,
) -> Leg:
    """Return a debit."""
    return Leg("DR", kind, operation, minor, currency, ref, hold_id)


def cr(
    kind: str,
    operation: str,
    minor: int,
    *,
    currency: str = "CNY",
    ref: str = "",
    hold_id: int | None = None,
) -> Leg:
    """Return a credit."""
    return Leg("CR", kind, operation, minor, currency, ref, hold_id)


@dataclass(frozen=True)
class Book:
    """One merchant's book."""

    merchant_id: int

    def account(self, kind: str, currency: str = "CNY", ref: str = "") -> int:
        """Return the id of an account, opened where it is missing."""
        return accounts.open_slice(
            merchant_id=self.merchant_id,
            kind=kind,
            currency=currency,
            ref_kind="ref" if ref else "",
            ref_id=ref,
        )

    def postings(self, *legs: Leg) -> list[journal.NewPosting]:
        """Return the legs with their account ids."""
        return [
            journal.NewPosting(
                self.account(leg.kind, leg.currency, leg.ref),
                leg.operation,
                leg.side,
                leg.minor,
                leg.hold_id,
            )
            for leg in legs
        ]

    def post(self, *legs: Leg, cause: str = "", source_kind: str = "test") -> int:
        """Post one entry and return its id; without a cause it has one of its own."""
        return journal.post(
            merchant_id=self.merchant_id,
            source_kind=source_kind,
            source_id=cause or f"cause:{next(_numbers)}",
            postings=self.postings(*legs),
        )

    def clear(self, minor: int, *, currency: str = "CNY", cause: str = "") -> int:
        """Clear a payment without fee: the money stands in `merchant_pending`."""
        return self.post(
            dr("channel_receivable", "clear", minor, currency=currency),
            cr("merchant_pending", "clear", minor, currency=currency),
            cause=cause,
        )

    def fund(self, minor: int, *, currency: str = "CNY") -> None:
        """Clear and settle a payment without fee: the money stands in `merchant_available`."""
        self.clear(minor, currency=currency)
        self.post(
            dr("merchant_pending", "settle", minor, currency=currency),
            cr("merchant_available", "settle", minor, currency=currency),
        )

    def hold(
        self,
        minor: int,
        *,
        kind: str = "merchant_available",
        operation: str = "withdraw",
        currency: str = "CNY",
        cause: str = "",
    ) -> int:
        """Open a hold and return its id."""
        return holds.open_hold(
            merchant_id=self.merchant_id,
            account_id=self.account(kind, currency),
            operation=operation,
            amount_minor=minor,
            source_kind="test",
            source_id=cause or f"hold:{next(_numbers)}",
        )

    def balance(self, kind: str, currency: str = "CNY", ref: str = "") -> int:
        """Return what stands in an account, in its normal direction."""
        return self.state(kind, currency, ref)[0]

    def held(self, kind: str, currency: str = "CNY") -> int:
        """Return what is held of an account."""
        return self.state(kind, currency)[1]

    def state(self, kind: str, currency: str = "CNY", ref: str = "") -> tuple[int, int, int]:
        """Return balance, held and number of postings of an account."""
        row = sql.rows(
            "SELECT balance, held, seq FROM ledger_account WHERE merchant_id = %s AND id = %s",
            [self.merchant_id, self.account(kind, currency, ref)],
        )[0]
        return row["balance"], row["held"], row["seq"]

    def history(self, kind: str, currency: str = "CNY") -> list[tuple[str, str, int, int, int]]:
        """Return (operation, side, amount, seq, balance after) of every posting, in order."""
        return list(
            Posting.objects.filter(
                merchant_id=self.merchant_id, account_id=self.account(kind, currency)
            )
            .order_by("seq")
            .values_list("operation", "side", "amount_minor", "seq", "balance_after")
        )


def book() -> Book:
    """Return the book of a new merchant."""
    return Book(MerchantFactory().id)


def house_book() -> Book:
    """Return the house's own book."""
    return Book(house.house().id)


class Bulk:
    """One bulk call: lay entries, lines and holds in the intake, then book them."""

    def __init__(self) -> None:
        self.call_id = uuid.uuid4()
        self._line_numbers = itertools.count(1)

    def entry(self, book: Book, cause: str, *legs: Leg) -> None:
        """Lay one entry in the intake."""
        for posting in book.postings(*legs):
            self.posting(book.merchant_id, cause, posting)

    def posting(self, merchant_id: int, cause: str, posting: journal.NewPosting) -> None:
        """Lay one posting in the intake."""
        sql.execute(
            "INSERT INTO ledger_intake_posting (call_id, merchant_id, source_kind, source_id,"
            " account_id, operation, side, amount_minor, hold_id)"
            " VALUES (%s, %s, 'test', %s, %s, %s, %s, %s, %s)",
            [self.call_id, merchant_id, cause, *posting],
        )

    def lines(
        self, book: Book, cause: str, kind: str, operation: str, facts: Sequence[tuple[int, int]]
    ) -> None:
        """Lay lines below a posting: (number of the fact, signed amount)."""
        for fact_id, minor in facts:
            sql.execute(
                "INSERT INTO ledger_intake_line (call_id, ord, merchant_id, source_kind, source_id,"
                " account_id, operation, fact_kind, fact_id, amount_minor)"
                " VALUES (%s, %s, %s, 'test', %s, %s, %s, 'payment', %s, %s)",
                [
                    self.call_id,
                    next(self._line_numbers),
                    book.merchant_id,
                    cause,
                    book.account(kind),
                    operation,
                    fact_id,
                    minor,
                ],
            )

    def hold(self, merchant_id: int, account_id: int, minor: int, cause: str) -> None:
        """Lay a hold for a withdrawal in the intake."""
        sql.execute(
            "INSERT INTO ledger_intake_hold (call_id, merchant_id, account_id, operation,"
            " amount_minor, source_kind, source_id)"
            " VALUES (%s, %s, %s, 'withdraw', %s, 'test', %s)",
            [self.call_id, merchant_id, account_id, minor, cause],
        )

    def post(self) -> int:
        """Book the call; return how many entries are new."""
        return journal.post_bulk(call_id=self.call_id)

    def open_holds(self) -> int:
        """Open the call's holds; return how many are new."""
        return holds.open_bulk(call_id=self.call_id)

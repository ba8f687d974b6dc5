"""Posting in bulk: the same rows as one by one, whole or not at all, and again without effect."""

from __future__ import annotations

import pytest

from foundation import sql
from ledger import errors
from ledger.models import PostingLine
from tests.factories.ledger import Book, Bulk, book, cr, dr
from tests.ledger.refusals import refused

pytestmark = pytest.mark.django_db


def _chunk(bulk: Bulk, merchant: Book, cause: str, facts: list[tuple[int, int]]) -> None:
    """Lay one chunk of cleared payments: one posting per account, a line for each payment."""
    total = sum(minor for _, minor in facts)
    bulk.entry(
        merchant,
        cause,
        dr("channel_receivable", "clear", total + 1),
        cr("merchant_pending", "clear", total),
        cr("fee_income", "earn", 1),
    )
    bulk.lines(merchant, cause, "merchant_pending", "clear", facts)


def _lines(merchant: Book) -> list[tuple[int, int, int, int, int]]:
    return list(
        PostingLine.objects.filter(merchant_id=merchant.merchant_id)
        .order_by("seq", "line_no")
        .values_list("seq", "line_no", "fact_id", "amount_minor", "balance_after")
    )


class TestPostBulk:
    def test_writes_the_lines_below_their_posting_with_the_balance_after_each(self) -> None:
        merchant = book()
        merchant.clear(1_000)
        bulk = Bulk()
        _chunk(bulk, merchant, "chunk:1", [(11, 300), (12, -50), (13, 250)])

        assert bulk.post() == 1

        assert _lines(merchant) == [
            (2, 1, 11, 300, 1_300),
            (2, 2, 12, -50, 1_250),
            (2, 3, 13, 250, 1_500),
        ]
        assert merchant.history("merchant_pending")[-1] == ("clear", "CR", 500, 2, 1_500)

    def test_writes_what_one_by_one_would_have_written(self) -> None:
        alone, together, bulk = book(), book(), Bulk()
        entries = [
            [dr("channel_receivable", "clear", 100), cr("merchant_pending", "clear", 100)],
            [dr("merchant_pending", "settle", 90), cr("merchant_available", "settle", 90)],
            [
                dr("channel_receivable", "clear", 7, currency="JPY"),
                cr("merchant_pending", "clear", 7, currency="JPY"),
            ],
        ]
        for number, legs in enumerate(entries):
            alone.post(*legs, cause=f"e{number}")
            bulk.entry(together, f"e{number}", *legs)

        assert bulk.post() == 3

        for kind in ("channel_receivable", "merchant_pending", "merchant_available"):
            assert together.history(kind) == alone.history(kind)
            assert together.state(kind) == alone.state(kind)
        assert together.state("merchant_pending", "JPY") == alone.state("merchant_pending", "JPY")

    def test_books_many_books_in_one_call_and_empties_the_intake(self) -> None:
        books, bulk = [book() for _ in range(5)], Bulk()
        for number, merchant in enumerate(books):
            _chunk(bulk, merchant, "chunk:1", [(number + 1, 100)])

        assert bulk.post() == 5

        assert [merchant.balance("merchant_pending") for merchant in books] == [100] * 5
        for table in ("posting", "line"):
            assert sql.rows(f"SELECT 1 FROM ledger_intake_{table}") == []

    def test_books_only_what_is_new_when_a_chunk_comes_again(self) -> None:
        merchant = book()
        for expected, causes in ((1, ["a"]), (0, ["a"]), (1, ["a", "b"])):
            bulk = Bulk()
            for cause in causes:
                _chunk(bulk, merchant, cause, [(ord(cause), 100), (ord(cause) + 100, 50)])
            assert bulk.post() == expected

        assert merchant.state("merchant_pending") == (300, 0, 2)
        assert len(_lines(merchant)) == 4

    def test_does_nothing_for_an_empty_call(self) -> None:
        assert Bulk().post() == 0

    def test_captures_holds_in_whole_and_in_part(self) -> None:
        merchant, bulk = book(), Bulk()
        merchant.clear(1_000)
        whole = merchant.hold(600, kind="merchant_pending", operation="settle")
        part = merchant.hold(400, kind="merchant_pending", operation="settle")
        for hold_id, minor in ((whole, 600), (part, 100)):
            bulk.entry(
                merchant,
                f"settle:{hold_id}",
                dr("merchant_pending", "settle", minor, hold_id=hold_id),
                cr("merchant_available", "settle", minor),
            )

        bulk.post()

        assert merchant.state("merchant_pending")[:2] == (300, 0)
        assert merchant.balance("merchant_available") == 700


class TestPostBulkRefuses:
    def _good(self, bulk: Bulk) -> None:
        """Lay something right beside what is wrong: it must not be booked either."""
        _chunk(bulk, book(), "good", [(1, 100)])

    def test_the_same_cause_with_other_content(self) -> None:
        merchant, first, again = book(), Bulk(), Bulk()
        _chunk(first, merchant, "a", [(1, 100)])
        first.post()
        self._good(again)
        _chunk(again, merchant, "a", [(2, 100)])

        with refused(errors.EntryConflict):
            again.post()

    def test_an_account_of_another_book(self) -> None:
        merchant, other, bulk = book(), book(), Bulk()
        self._good(bulk)
        legs = dr("channel_receivable", "clear", 1), cr("merchant_pending", "clear", 1)
        bulk.posting(merchant.merchant_id, "a", merchant.postings(*legs)[0])
        bulk.posting(merchant.merchant_id, "a", other.postings(*legs)[1])

        with refused(errors.AccountNotInBook):
            bulk.post()

    def test_an_account_that_would_fall_below_what_is_held(self) -> None:
        merchant, bulk = book(), Bulk()
        merchant.fund(100)
        merchant.hold(40)
        self._good(bulk)
        for number in range(7):  # 70 of the 60 that are free
            bulk.entry(
                merchant,
                f"w{number}",
                dr("merchant_available", "withdraw", 10),
                cr("payout_in_transit", "submit", 10),
            )

        with refused(errors.InsufficientAvailableBalance):
            bulk.post()

    def test_what_does_not_balance(self) -> None:
        merchant, bulk = book(), Bulk()
        self._good(bulk)
        bulk.entry(
            merchant, "a", dr("channel_receivable", "clear", 2), cr("merchant_pending", "clear", 1)
        )

        with refused(errors.UnbalancedEntry):
            bulk.post()

    def test_a_forbidden_cell(self) -> None:
        merchant, bulk = book(), Bulk()
        merchant.clear(100)
        self._good(bulk)
        bulk.entry(
            merchant,
            "a",
            dr("merchant_pending", "withdraw", 1),
            cr("payout_in_transit", "submit", 1),
        )

        with refused(errors.AbilityRefused):
            bulk.post()

    def test_a_reverse(self) -> None:
        merchant, bulk = book(), Bulk()
        merchant.clear(100)
        bulk.entry(
            merchant,
            "a",
            dr("merchant_pending", "reverse", 100),
            cr("channel_receivable", "reverse", 100),
        )

        with refused(errors.NotAMirror):
            bulk.post()

    @pytest.mark.parametrize(
        "facts", [[(1, 60)], [(1, 60), (2, 50)], [(1, 100), (2, 5), (3, -6)]], ids=str
    )
    def test_lines_that_do_not_sum_to_their_posting(self, facts: list[tuple[int, int]]) -> None:
        merchant, bulk = book(), Bulk()
        self._good(bulk)
        bulk.entry(
            merchant,
            "a",
            dr("channel_receivable", "clear", 100),
            cr("merchant_pending", "clear", 100),
        )
        bulk.lines(merchant, "a", "merchant_pending", "clear", facts)

        with refused(errors.LinesDoNotSum):
            bulk.post()

    @pytest.mark.parametrize(
        ("cause", "kind", "operation"),
        [
            ("b", "merchant_pending", "clear"),
            ("a", "merchant_available", "clear"),
            ("a", "merchant_pending", "spend"),
        ],
        ids=["cause", "account", "operation"],
    )
    def test_lines_without_a_posting(self, cause: str, kind: str, operation: str) -> None:
        merchant, bulk = book(), Bulk()
        merchant.account(kind)
        bulk.entry(
            merchant,
            "a",
            dr("channel_receivable", "clear", 100),
            cr("merchant_pending", "clear", 100),
        )
        bulk.lines(merchant, cause, kind, operation, [(1, 100)])

        with refused(errors.LinesDoNotSum):
            bulk.post()

    def test_lines_that_fit_two_postings(self) -> None:
        merchant, bulk = book(), Bulk()
        bulk.entry(
            merchant,
            "a",
            dr("channel_receivable", "clear", 200),
            cr("merchant_pending", "clear", 100),
            cr("merchant_pending", "clear", 100),
        )
        bulk.lines(merchant, "a", "merchant_pending", "clear", [(1, 100)])

        with refused(errors.FactBookedBefore):  # it would stand below both
            bulk.post()

    def test_a_fact_that_was_booked_by_another_cause(self) -> None:
        merchant, first, again = book(), Bulk(), Bulk()
        _chunk(first, merchant, "a", [(1, 100)])
        first.post()
        self._good(again)
        _chunk(again, merchant, "b", [(1, 100)])

        with refused(errors.FactBookedBefore):
            again.post()

    def test_a_hold_that_two_postings_name(self) -> None:
        merchant, bulk = book(), Bulk()
        merchant.fund(1_000)
        hold_id = merchant.hold(100)
        self._good(bulk)
        for cause in ("a", "b"):
            bulk.entry(
                merchant,
                cause,
                dr("merchant_available", "withdraw", 50, hold_id=hold_id),
                cr("payout_in_transit", "submit", 50),
            )

        with refused(errors.HoldResolved):
            bulk.post()

    def test_a_capture_of_more_than_was_held(self) -> None:
        merchant, bulk = book(), Bulk()
        merchant.fund(1_000)
        hold_id = merchant.hold(100)
        bulk.entry(
            merchant,
            "a",
            dr("merchant_available", "withdraw", 101, hold_id=hold_id),
            cr("payout_in_transit", "submit", 101),
        )

        with refused(errors.HoldResolved):
            bulk.post()

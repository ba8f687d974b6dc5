"""Reversals: the exact mirror of one entry, once, and never of a reversal (LG-9)."""

from __future__ import annotations

import pytest

from ledger import errors
from ledger.models import JournalEntry
from ledger.services import journal
from tests.factories.ledger import Book, Leg, book, cr, dr
from tests.ledger.refusals import refused

pytestmark = pytest.mark.django_db


class TestReverse:
    def _reverse(self, merchant: Book, entry_id: int, source_id: str = "r1") -> int:
        return journal.reverse(
            merchant_id=merchant.merchant_id, entry_id=entry_id, source_id=source_id, memo="wrong"
        )

    def test_mirrors_every_posting_and_links_both(self) -> None:
        merchant = book()
        wrong = merchant.post(
            dr("channel_receivable", "clear", 100_00),
            cr("merchant_pending", "clear", 99_40),
            cr("fee_income", "earn", 60),
        )

        reversal = self._reverse(merchant, wrong)

        assert JournalEntry.objects.get(id=reversal).reverses_id == wrong
        assert merchant.history("merchant_pending")[-1] == ("reverse", "DR", 99_40, 2, 0)
        assert merchant.balance("fee_income") == merchant.balance("channel_receivable") == 0

    def test_replays_under_the_same_number(self) -> None:
        merchant = book()
        wrong = merchant.clear(100_00)

        assert self._reverse(merchant, wrong) == self._reverse(merchant, wrong)

    def test_happens_once(self) -> None:
        merchant = book()
        wrong = merchant.clear(100_00)
        merchant.clear(100_00)
        self._reverse(merchant, wrong, "r1")

        with refused(errors.AlreadyReversed):
            self._reverse(merchant, wrong, "r2")

    def test_is_refused_when_the_money_is_gone(self) -> None:
        merchant = book()
        wrong = merchant.clear(100_00)
        merchant.post(dr("merchant_pending", "settle", 1), cr("merchant_available", "settle", 1))

        with refused(errors.InsufficientAvailableBalance):
            self._reverse(merchant, wrong)

    def test_of_a_reversal_is_refused_by_the_service_and_by_the_database(self) -> None:
        merchant = book()
        wrong = merchant.clear(100_00)
        reversal = self._reverse(merchant, wrong)

        with refused(errors.NotAMirror):
            self._reverse(merchant, reversal, "r2")
        with refused(errors.NotAMirror):
            self._post_reversing(
                merchant,
                reversal,
                dr("channel_receivable", "reverse", 100_00),
                cr("merchant_pending", "reverse", 100_00),
            )

    @pytest.mark.parametrize(
        "legs",
        [
            [cr("channel_receivable", "reverse", 99_00), dr("merchant_pending", "reverse", 99_00)],
            [
                dr("channel_receivable", "reverse", 100_00),
                cr("merchant_pending", "reverse", 100_00),
            ],
            [
                cr("channel_receivable", "reverse", 60_00),
                cr("channel_receivable", "reverse", 40_00),
                dr("merchant_pending", "reverse", 100_00),
            ],
            [
                cr("channel_receivable", "reverse", 100_00),
                dr("merchant_pending", "reverse", 100_00),
                dr("merchant_pending", "settle", 1_00),
                cr("merchant_available", "settle", 1_00),
            ],
            [cr("channel_receivable", "refund", 100_00), dr("merchant_pending", "refund", 100_00)],
            [dr("channel_receivable", "clear", 1_00), cr("merchant_pending", "clear", 1_00)],
        ],
        ids=["amount", "side", "split", "more", "other operation", "unrelated"],
    )
    def test_that_does_not_mirror_exactly_is_refused(self, legs: list[Leg]) -> None:
        merchant = book()
        wrong = merchant.clear(100_00)
        merchant.fund(500_00)

        with refused(errors.NotAMirror):
            self._post_reversing(merchant, wrong, *legs)

    def test_of_another_books_entry_is_refused(self) -> None:
        merchant, other = book(), book()
        foreign = other.clear(100_00)
        merchant.clear(100_00)

        with refused(errors.NotAMirror):
            self._post_reversing(
                merchant,
                foreign,
                cr("channel_receivable", "reverse", 100_00),
                dr("merchant_pending", "reverse", 100_00),
            )

    def _post_reversing(self, merchant: Book, entry_id: int, *legs: Leg) -> None:
        journal.post(
            merchant_id=merchant.merchant_id,
            source_kind="test",
            source_id="mirror",
            postings=merchant.postings(*legs),
            reverses_id=entry_id,
        )

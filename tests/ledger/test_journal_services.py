"""Posting entries: idempotent by cause, every refusal by name and with nothing stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import translation

from foundation import actor, sql
from ledger import errors
from ledger.models import JournalEntry, Posting
from ledger.services import journal
from tests.factories.ledger import Leg, book, cr, dr
from tests.ledger.refusals import refused

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """Messages are compared here as they are written; their Chinese is tested with catalogues."""
    with translation.override("en"):
        yield


class TestPost:
    def test_finds_the_entry_that_the_same_cause_posted_before(self) -> None:
        merchant = book()

        first = merchant.clear(100_00, cause="p1")
        again = merchant.clear(100_00, cause="p1")

        assert first == again
        assert merchant.state("merchant_pending") == (100_00, 0, 1)

    def test_replays_even_when_the_money_is_gone_by_now(self) -> None:
        merchant = book()
        merchant.clear(100_00)
        legs = dr("merchant_pending", "settle", 100_00), cr("merchant_available", "settle", 100_00)

        assert merchant.post(*legs, cause="s") == merchant.post(*legs, cause="s")

    def test_knows_the_same_cause_in_two_books_as_two_entries(self) -> None:
        assert book().clear(100_00, cause="p1") != book().clear(100_00, cause="p1")

    @pytest.mark.parametrize(
        "legs",
        [
            [dr("channel_receivable", "clear", 99_00), cr("merchant_pending", "clear", 99_00)],
            [cr("merchant_pending", "clear", 100_00), dr("channel_receivable", "clear", 100_00)],
            [dr("channel_receivable", "take", 100_00), cr("merchant_pending", "clear", 100_00)],
            [
                dr("channel_receivable", "clear", 100_00, ref="wx"),
                cr("merchant_pending", "clear", 100_00),
            ],
        ],
        ids=["amount", "order", "operation", "account"],
    )
    def test_refuses_the_same_cause_with_other_content(self, legs: list[Leg]) -> None:
        merchant = book()
        first = merchant.clear(100_00, cause="p1")
        merchant.postings(*legs)  # opens the accounts

        with refused(errors.EntryConflict) as caught:
            merchant.post(*legs, cause="p1")

        assert caught.value.details["entry"] == first  # type: ignore[attr-defined]

    def test_refuses_what_does_not_balance(self) -> None:
        merchant = book()
        merchant.clear(1_00)

        with refused(errors.UnbalancedEntry):
            merchant.post(
                dr("channel_receivable", "clear", 1_00), cr("merchant_pending", "clear", 99)
            )

    def test_refuses_currencies_that_only_balance_together(self) -> None:
        merchant = book()
        merchant.clear(1)
        merchant.clear(1, currency="JPY")

        with refused(errors.UnbalancedEntry):
            merchant.post(
                dr("channel_receivable", "clear", 100),
                cr("merchant_pending", "clear", 100, currency="JPY"),
            )

    def test_refuses_a_single_posting(self) -> None:
        merchant = book()
        merchant.clear(1)

        with refused(errors.UnbalancedEntry):
            merchant.post(cr("merchant_pending", "clear", 100))

    def test_refuses_more_than_is_free_and_says_how_much_is(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        merchant.hold(30_00)

        with translation.override("en"), refused(errors.InsufficientAvailableBalance) as caught:
            merchant.post(
                dr("merchant_available", "withdraw", 70_01),
                cr("payout_in_transit", "submit", 70_01),
            )

        assert str(caught.value) == "Available: 70.00 CNY is free; 70.01 CNY was asked for."

    def test_takes_all_that_is_free_to_the_last_fen(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        merchant.hold(30_00)

        merchant.post(
            dr("merchant_available", "withdraw", 70_00), cr("payout_in_transit", "submit", 70_00)
        )

        assert merchant.state("merchant_available")[:2] == (30_00, 30_00)

    def test_lets_an_account_grow_before_the_same_entry_takes_from_it(self) -> None:
        merchant = book()
        merchant.clear(100_00)

        merchant.post(
            dr("merchant_available", "fee", 100_00),
            cr("fee_income", "earn", 100_00),
            dr("merchant_pending", "settle", 100_00),
            cr("merchant_available", "settle", 100_00),
        )

        assert merchant.history("merchant_available") == [
            ("settle", "CR", 100_00, 1, 100_00),
            ("fee", "DR", 100_00, 2, 0),
        ]

    def test_refuses_an_account_of_another_book(self) -> None:
        merchant, other = book(), book()
        other.clear(100_00)
        merchant.clear(100_00)
        stolen = other.postings(dr("merchant_pending", "settle", 1_00))
        own = merchant.postings(cr("merchant_available", "settle", 1_00))

        with refused(errors.AccountNotInBook):
            journal.post(
                merchant_id=merchant.merchant_id,
                source_kind="test",
                source_id="theft",
                postings=[*stolen, *own],
            )

    @pytest.mark.parametrize("minor", [0, -1])
    def test_refuses_an_amount_that_is_not_above_zero(self, minor: int) -> None:
        merchant = book()
        merchant.clear(100_00)

        with refused(errors.AmountNotPositive):
            merchant.post(
                dr("channel_receivable", "clear", minor), cr("merchant_pending", "clear", minor)
            )

    def test_refuses_a_cause_without_a_number(self) -> None:
        merchant = book()
        merchant.clear(1)

        with refused(errors.CauseMissing):
            merchant.post(
                dr("channel_receivable", "clear", 1),
                cr("merchant_pending", "clear", 1),
                source_kind="",
            )

    def test_keeps_who_acted_and_the_day_that_was_open(self) -> None:
        merchant = book()

        with actor.acting("system:test", "request-1"):
            entry_id = merchant.clear(1)

        entry = JournalEntry.objects.get(merchant_id=merchant.merchant_id, id=entry_id)
        today = sql.rows("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date AS day")[0]["day"]
        assert (entry.actor, entry.request_id) == ("system:test", "request-1")
        assert entry.accounting_date == today

    def test_keeps_amounts_up_to_ten_to_the_fifteen(self) -> None:
        merchant = book()

        merchant.clear(10**15)

        assert (
            Posting.objects.filter(merchant_id=merchant.merchant_id).first().amount_minor == 10**15
        )  # type: ignore[union-attr]
        assert merchant.balance("merchant_pending") == 10**15

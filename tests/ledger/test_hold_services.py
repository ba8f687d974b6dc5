"""Holds: reserve, give back, capture once; what is left of a capture is free in the same step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from django.db import connection, transaction
from django.utils import translation

from ledger import errors
from ledger.models import Hold
from ledger.services import hold as holds
from tests.factories.ledger import Book, Bulk, book, cr, dr
from tests.ledger.refusals import refused


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """Messages are compared here as they are written; their Chinese is tested with catalogues."""
    with translation.override("en"):
        yield


NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def _capture(merchant: Book, hold_id: int, minor: int) -> int:
    return merchant.post(
        dr("merchant_available", "withdraw", minor, hold_id=hold_id),
        cr("payout_in_transit", "submit", minor),
    )


@pytest.mark.django_db
class TestOpenHold:
    def test_reserves_and_posts_nothing(self) -> None:
        merchant = book()
        merchant.fund(100_00)

        merchant.hold(60_00)

        assert merchant.state("merchant_available") == (100_00, 60_00, 1)

    def test_finds_the_hold_of_the_same_cause_even_when_nothing_is_free_by_now(self) -> None:
        merchant = book()
        merchant.fund(60_00)

        first = merchant.hold(60_00, cause="w1")
        again = merchant.hold(60_00, cause="w1")

        assert first == again
        assert merchant.held("merchant_available") == 60_00

    def test_finds_the_hold_of_the_same_cause_while_enough_is_free(self) -> None:
        merchant = book()
        merchant.fund(600_00)

        assert merchant.hold(60_00, cause="w1") == merchant.hold(60_00, cause="w1")
        assert merchant.held("merchant_available") == 60_00

    @pytest.mark.parametrize("funded", [70_00, 600_00], ids=["short", "plenty"])
    def test_refuses_another_hold_of_the_same_cause(self, funded: int) -> None:
        merchant = book()
        merchant.fund(funded)
        merchant.hold(60_00, cause="w1")

        with refused(errors.HoldConflict):
            merchant.hold(61_00, cause="w1")

    def test_refuses_more_than_is_free(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        merchant.hold(60_00)

        with translation.override("en"), refused(errors.InsufficientAvailableBalance) as caught:
            merchant.hold(40_01)

        assert str(caught.value).startswith("Available: 40.00 CNY is free")

    def test_refuses_what_the_account_may_never_do(self) -> None:
        merchant = book()
        merchant.clear(100_00)

        with refused(errors.AbilityRefused):
            merchant.hold(1, kind="merchant_pending", operation="withdraw")

    @pytest.mark.parametrize("minor", [0, -1])
    def test_refuses_an_amount_that_is_not_above_zero(self, minor: int) -> None:
        merchant = book()
        merchant.fund(100_00)

        with refused(errors.AmountNotPositive):
            merchant.hold(minor)

    def test_refuses_an_account_of_another_book(self) -> None:
        merchant, other = book(), book()
        other.fund(100_00)

        with refused(errors.AccountNotInBook):
            holds.open_hold(
                merchant_id=merchant.merchant_id,
                account_id=other.account("merchant_available"),
                operation="withdraw",
                amount_minor=1,
                source_kind="test",
                source_id="theft",
            )


@pytest.mark.django_db
class TestCapture:
    def test_takes_the_money_and_resolves_the_hold(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        hold_id = merchant.hold(60_00)

        entry_id = _capture(merchant, hold_id, 60_00)

        hold = Hold.objects.get(merchant_id=merchant.merchant_id, id=hold_id)
        assert (hold.state, hold.captured_minor, hold.entry_id) == ("CAPTURED", 60_00, entry_id)
        assert merchant.state("merchant_available")[:2] == (40_00, 0)

    def test_in_part_releases_the_rest_in_the_same_step(self) -> None:
        merchant = book()
        merchant.fund(60_00)
        hold_id = merchant.hold(60_00)

        _capture(merchant, hold_id, 50_00)

        assert merchant.state("merchant_available")[:2] == (10_00, 0)
        assert merchant.hold(10_00)

    def test_refuses_more_than_was_held(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        hold_id = merchant.hold(60_00)

        with refused(errors.HoldResolved):
            _capture(merchant, hold_id, 60_01)

    def test_happens_once(self) -> None:
        merchant = book()
        merchant.fund(500_00)
        hold_id = merchant.hold(60_00)
        _capture(merchant, hold_id, 60_00)

        with refused(errors.HoldResolved):
            _capture(merchant, hold_id, 60_00)

    def test_of_one_hold_by_two_postings_of_an_entry_is_refused(self) -> None:
        merchant = book()
        merchant.fund(500_00)
        hold_id = merchant.hold(60_00)

        with refused(errors.HoldResolved):
            merchant.post(
                dr("merchant_available", "withdraw", 30_00, hold_id=hold_id),
                dr("merchant_available", "withdraw", 30_00, hold_id=hold_id),
                cr("payout_in_transit", "submit", 60_00),
            )

    def test_of_a_released_hold_is_refused(self) -> None:
        merchant = book()
        merchant.fund(500_00)
        hold_id = merchant.hold(60_00)
        holds.release(merchant_id=merchant.merchant_id, hold_id=hold_id)

        with refused(errors.HoldResolved):
            _capture(merchant, hold_id, 60_00)

    def test_for_another_operation_than_it_was_held_for_is_refused(self) -> None:
        merchant = book()
        merchant.fund(500_00)
        hold_id = merchant.hold(60_00)

        with refused(errors.HoldResolved):
            merchant.post(
                dr("merchant_available", "fee", 60_00, hold_id=hold_id),
                cr("fee_income", "earn", 60_00),
            )

    def test_of_another_books_hold_is_refused(self) -> None:
        merchant, other = book(), book()
        merchant.fund(500_00)
        other.fund(500_00)
        foreign = other.hold(60_00)

        with refused(errors.HoldResolved):
            _capture(merchant, foreign, 60_00)

    def test_that_fails_leaves_the_hold_open(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        hold_id = merchant.hold(60_00)

        with refused(errors.UnbalancedEntry):
            merchant.post(
                dr("merchant_available", "withdraw", 60_00, hold_id=hold_id),
                cr("payout_in_transit", "submit", 59_99),
            )


@pytest.mark.django_db
class TestRelease:
    def test_frees_the_money_once(self) -> None:
        merchant = book()
        merchant.fund(60_00)
        hold_id = merchant.hold(60_00)

        first = holds.release(merchant_id=merchant.merchant_id, hold_id=hold_id)
        again = holds.release(merchant_id=merchant.merchant_id, hold_id=hold_id)

        assert (first, again) == (True, False)
        assert merchant.state("merchant_available")[:2] == (60_00, 0)

    def test_of_a_captured_an_unknown_or_a_foreign_hold_is_refused(self) -> None:
        merchant, other = book(), book()
        merchant.fund(100_00)
        captured, open_one = merchant.hold(60_00), merchant.hold(10_00)
        _capture(merchant, captured, 60_00)

        for merchant_id, hold_id in (
            (merchant.merchant_id, captured),
            (merchant.merchant_id, 10**12),
            (other.merchant_id, open_one),
        ):
            with refused(errors.HoldResolved):
                holds.release(merchant_id=merchant_id, hold_id=hold_id)

    def test_in_bulk_passes_over_released_ones_and_refuses_captured_ones_whole(self) -> None:
        merchant, other = book(), book()
        merchant.fund(100_00)
        other.fund(100_00)
        ids = [merchant.hold(10_00), merchant.hold(20_00), other.hold(30_00)]
        holds.release(merchant_id=merchant.merchant_id, hold_id=ids[0])

        assert holds.release_bulk(hold_ids=ids) == 2
        assert merchant.held("merchant_available") == other.held("merchant_available") == 0

        captured, still_open = merchant.hold(10_00), merchant.hold(10_00)
        _capture(merchant, captured, 10_00)
        with refused(errors.HoldResolved):
            holds.release_bulk(hold_ids=[still_open, captured])


@pytest.mark.django_db
class TestBulkHolds:
    def test_open_all_and_again_none(self) -> None:
        merchant, other = book(), book()
        for funded in (merchant, other):
            funded.fund(100_00)

        for expected in (3, 0):
            bulk = Bulk()
            bulk.hold(merchant.merchant_id, merchant.account("merchant_available"), 60_00, "a")
            bulk.hold(merchant.merchant_id, merchant.account("merchant_available"), 40_00, "b")
            bulk.hold(other.merchant_id, other.account("merchant_available"), 1, "a")
            assert bulk.open_holds() == expected

        assert merchant.held("merchant_available") == 100_00
        assert other.held("merchant_available") == 1

    def test_refuse_all_when_one_account_is_short(self) -> None:
        merchant, other = book(), book()
        for funded in (merchant, other):
            funded.fund(100_00)
        bulk = Bulk()
        bulk.hold(other.merchant_id, other.account("merchant_available"), 1, "a")
        bulk.hold(merchant.merchant_id, merchant.account("merchant_available"), 60_00, "a")
        bulk.hold(merchant.merchant_id, merchant.account("merchant_available"), 40_01, "b")

        with refused(errors.InsufficientAvailableBalance):
            bulk.open_holds()

    @pytest.mark.parametrize("known", [True, False], ids=["before", "in the same call"])
    def test_refuse_a_cause_that_comes_with_other_content(self, known: bool) -> None:
        merchant = book()
        merchant.fund(100_00)
        account_id = merchant.account("merchant_available")
        bulk = Bulk()
        bulk.hold(merchant.merchant_id, account_id, 11_00, "a")
        if known:
            merchant.hold(10_00, cause="a")
        else:
            bulk.hold(merchant.merchant_id, account_id, 10_00, "a")

        with refused(errors.HoldConflict):
            bulk.open_holds()

    def test_refuse_an_account_of_another_book(self) -> None:
        merchant, other = book(), book()
        other.fund(100_00)
        bulk = Bulk()
        bulk.hold(merchant.merchant_id, other.account("merchant_available"), 1, "a")

        with refused(errors.AccountNotInBook):
            bulk.open_holds()


class TestExpiry:
    def _hold(self, merchant: Book, cause: str, expires_at: datetime | None) -> int:
        return holds.open_hold(
            merchant_id=merchant.merchant_id,
            account_id=merchant.account("merchant_available"),
            operation="withdraw",
            amount_minor=10_00,
            source_kind="test",
            source_id=cause,
            expires_at=expires_at,
        )

    @pytest.mark.django_db
    def test_releases_what_has_passed_its_end_and_nothing_else(self) -> None:
        merchant = book()
        merchant.fund(100_00)
        due = self._hold(merchant, "due", NOON)
        self._hold(merchant, "later", NOON + timedelta(microseconds=1))
        self._hold(merchant, "endless", None)

        released = holds.release_expired(at=NOON)

        assert released == 1
        assert Hold.objects.get(merchant_id=merchant.merchant_id, id=due).state == "RELEASED"
        assert merchant.held("merchant_available") == 20_00

    def test_passes_over_a_hold_that_is_captured_meanwhile(self, cloned_db: str) -> None:
        merchant = book()
        merchant.fund(100_00)
        captured = self._hold(merchant, "captured", NOON)
        self._hold(merchant, "due", NOON + timedelta(seconds=1))
        released: list[int] = []

        def sweep() -> None:
            try:
                released.append(holds.release_expired(at=NOON + timedelta(seconds=1)))
            finally:
                connection.close()

        with transaction.atomic():
            _capture(merchant, captured, 10_00)
            sweeper = Thread(target=sweep)
            sweeper.start()
            sweeper.join(0.5)  # it waits for the captured hold's row by now
            assert sweeper.is_alive()
        sweeper.join()

        assert released == [1]
        assert merchant.state("merchant_available")[:2] == (90_00, 0)

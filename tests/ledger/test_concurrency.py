"""Threads and processes on one database: one winner, no lost cent, no deadlock."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection, transaction

from foundation import sql
from ledger import errors
from ledger.models import Hold, JournalEntry
from ledger.selectors import invariants
from ledger.services import hold as holds
from ledger.services import journal
from tests.factories.ledger import Bulk, book, cr, dr

_ROOT = Path(__file__).resolve().parents[2]
_CLEAR = """
import sys, django
django.setup()
from ledger.services import journal
merchant_id, receivable, pending, cause, times = sys.argv[1:6]
sys.stdin.readline()  # all begin at once
for number in range(int(times)):
    source_id = cause.format(number=number, process=sys.argv[6])
    print(journal.post(
        merchant_id=int(merchant_id), source_kind="test", source_id=source_id,
        postings=[journal.debit(int(receivable), "clear", 100),
                  journal.credit(int(pending), "clear", 100)]))
"""


@pytest.fixture(autouse=True)
def database(cloned_db: str) -> str:
    """Every test here commits in a database of its own."""
    return cloned_db


def _at_once(works: list[Callable[[], object]]) -> list[object]:
    """Run each work in a thread with a connection of its own; return results or refusals."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            barrier.wait()
            return work()
        except errors.LedgerRefusal as refusal:
            return type(refusal)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def _processes(count: int, merchant_id: int, accounts: tuple[int, int], *words: str) -> list[int]:
    """Post from separate processes that begin together; return every entry id they printed."""
    command = [sys.executable, "-c", _CLEAR, str(merchant_id), *map(str, accounts), *words]
    started = [
        subprocess.Popen(
            [*command, str(number)],
            cwd=_ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * count
    return [int(line) for text in printed for line in text.split()]


def _green() -> None:
    for check in (
        invariants.balanced_entries,
        invariants.balanced_books,
        invariants.covered_holds,
        invariants.single_causes,
        invariants.resolved_holds,
    ):
        assert list(check()) == []


class TestThreads:
    def test_one_of_eight_captures_takes_the_hold(self) -> None:
        merchant = book()
        merchant.fund(1_000_00)
        hold_id = merchant.hold(60_00)
        legs = (
            dr("merchant_available", "withdraw", 60_00, hold_id=hold_id),
            cr("payout_in_transit", "submit", 60_00),
        )
        merchant.postings(*legs)

        results = _at_once([lambda: merchant.post(*legs)] * 8)

        assert results.count(errors.HoldResolved) == 7
        assert merchant.state("merchant_available")[:2] == (940_00, 0)
        assert merchant.balance("payout_in_transit") == 60_00
        _green()

    def test_a_hold_is_captured_or_released_never_both(self) -> None:
        merchant = book()
        merchant.fund(1_000_00)
        for _ in range(5):
            hold_id = merchant.hold(60_00)
            legs = (
                dr("merchant_available", "withdraw", 60_00, hold_id=hold_id),
                cr("payout_in_transit", "submit", 60_00),
            )
            merchant.postings(*legs)

            capture, release = _at_once(
                [
                    lambda legs=legs: merchant.post(*legs),  # type: ignore[misc]
                    lambda hold_id=hold_id: holds.release(  # type: ignore[misc]
                        merchant_id=merchant.merchant_id, hold_id=hold_id
                    ),
                ]
            )

            state = Hold.objects.get(merchant_id=merchant.merchant_id, id=hold_id).state
            if state == "CAPTURED":
                assert isinstance(capture, int)
                assert release is errors.HoldResolved
            else:
                assert (capture, release) == (errors.HoldResolved, True)
        _green()

    def test_fifty_holds_of_which_ten_fit(self) -> None:
        merchant = book()
        merchant.fund(100_00)

        results = [
            result for _ in range(5) for result in _at_once([lambda: merchant.hold(10_00)] * 10)
        ]

        assert results.count(errors.InsufficientAvailableBalance) == 40
        assert merchant.state("merchant_available")[:2] == (100_00, 100_00)
        _green()

    def test_one_of_eight_reversals_is_posted(self) -> None:
        merchant = book()
        wrong = merchant.clear(10_00)
        merchant.clear(500_00)

        results = _at_once(
            [
                lambda number=number: journal.reverse(  # type: ignore[misc]
                    merchant_id=merchant.merchant_id,
                    entry_id=wrong,
                    source_id=f"r{number}",
                    memo="",
                )
                for number in range(8)
            ]
        )

        assert results.count(errors.AlreadyReversed) == 7
        assert merchant.balance("merchant_pending") == 500_00
        _green()

    def test_transfers_that_cross_do_not_deadlock(self) -> None:
        merchant = book()
        merchant.clear(100_00)
        merchant.fund(100_00)
        there = (dr("merchant_pending", "settle", 1), cr("merchant_available", "settle", 1))
        back = (dr("merchant_available", "refund", 1), cr("merchant_pending", "settle", 1))
        merchant.postings(*there, *back)

        def move(legs: tuple[object, ...]) -> object:
            for _ in range(25):
                merchant.post(*legs)  # type: ignore[arg-type]
            return "done"

        results = _at_once([lambda: move(there), lambda: move(back[::-1])] * 4)

        assert results == ["done"] * 8
        assert merchant.balance("merchant_pending") == 100_00
        assert merchant.balance("merchant_available") == 100_00
        _green()

    def test_bulk_calls_over_the_same_books_in_any_order_do_not_deadlock(self) -> None:
        books = [book() for _ in range(6)]
        for merchant in books:
            merchant.clear(1)

        def call(order: int) -> object:
            for number in range(4):
                with transaction.atomic():
                    bulk = Bulk()
                    for merchant in books[::order]:
                        bulk.entry(
                            merchant,
                            f"chunk:{number}",  # every thread brings the same chunks
                            dr("channel_receivable", "clear", 5),
                            cr("merchant_pending", "clear", 5),
                        )
                    bulk.post()
            return "done"

        assert _at_once([lambda: call(1), lambda: call(-1)] * 2) == ["done"] * 4

        assert [merchant.balance("merchant_pending") for merchant in books] == [21] * 6
        assert sql.rows("SELECT 1 FROM ledger_intake_posting") == []
        _green()


class TestProcesses:
    def test_eight_post_one_cause_and_one_entry_is_made(self) -> None:
        merchant = book()
        accounts = merchant.account("channel_receivable"), merchant.account("merchant_pending")

        ids = _processes(8, merchant.merchant_id, accounts, "same", "1")

        assert len(ids) == 8
        assert len(set(ids)) == 1
        assert JournalEntry.objects.filter(merchant_id=merchant.merchant_id).count() == 1
        assert merchant.state("merchant_pending") == (1_00, 0, 1)
        _green()

    def test_four_post_two_hundred_times_to_a_hot_account_and_no_cent_is_lost(self) -> None:
        merchant = book()
        accounts = merchant.account("channel_receivable"), merchant.account("merchant_pending")

        ids = _processes(4, merchant.merchant_id, accounts, "{process}:{number}", "50")

        assert len(set(ids)) == 200
        assert merchant.state("merchant_pending") == (200_00, 0, 200)
        assert [row[3] for row in merchant.history("merchant_pending")] == list(range(1, 201))
        _green()

"""Statements against a ledger told in plain Python: pages, spans, sums, moments, queries."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.models import Posting
from ledger.selectors import balance as balances
from ledger.selectors import statement as statements
from ledger.selectors.statement import Movement, Position
from tests.factories.ledger import Book, Bulk, book, cr, dr

# An entry is unlined (an amount) or lined (the amounts of its lines).
Entry = int | list[int]
histories = st.lists(
    st.integers(1, 9) | st.lists(st.integers(1, 9) | st.just(-1), min_size=1, max_size=7).filter(
        lambda lines: sum(lines) > 0
    ),
    max_size=12,
)  # fmt: skip
_facts = count(1)


def live(merchant: Book, history: list[Entry]) -> list[int]:
    """Clear the entries in order; return every movement's amount, oldest first."""
    moved = []
    for entry in history:
        lines = [entry] if isinstance(entry, int) else entry
        bulk, cause = Bulk(), f"e{next(_facts)}"
        bulk.entry(
            merchant,
            cause,
            dr("channel_receivable", "clear", sum(lines)),
            cr("merchant_pending", "clear", sum(lines)),
        )
        if not isinstance(entry, int):
            bulk.lines(
                merchant,
                cause,
                "merchant_pending",
                "clear",
                [(next(_facts), minor) for minor in lines],
            )
        bulk.post()
        moved += lines
    return moved


def pages(merchant: Book, size: int, below: Position | None = None) -> list[list[Movement]]:
    """Walk the whole statement of `merchant_pending`, page by page."""
    found = []
    while True:
        page = statements.page(
            merchant_id=merchant.merchant_id,
            account_id=merchant.account("merchant_pending"),
            below=below,
            limit=size,
        )
        found.append(page)
        if len(page) < size:
            return found
        below = page[-1].position


@pytest.mark.django_db
class TestPages:
    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @example(history=[1, [2, 3], 4, [5, 6, 7], [8]])
    @example(history=[[1, 1], [1, 1], [1, 1]])
    @example(history=[1, 1, 1, [3, -1, 2]])
    @given(history=histories)
    def test_of_every_size_lose_no_row_and_double_none(self, history: list[Entry]) -> None:
        merchant = book()
        moved = live(merchant, history)
        newest_first = moved[::-1]
        totals = [sum(moved[: n + 1]) for n in range(len(moved))][::-1]

        for size in range(1, len(moved) + 2):
            walked = pages(merchant, size)
            rows = [row for page in walked for row in page]
            assert [row.amount_minor for row in rows] == newest_first
            assert [row.balance_after for row in rows] == totals
            assert all(len(page) == size for page in walked[:-1])
            keys = [row.position for row in rows]
            assert keys == sorted(set(keys), reverse=True)

    def test_show_a_lined_posting_by_its_lines_only(self) -> None:
        merchant = book()
        live(merchant, [5, [2, 3]])

        (rows,) = pages(merchant, 10)

        assert [(row.seq, row.line_no, row.fact_kind) for row in rows] == [
            (2, 2, "payment"),
            (2, 1, "payment"),
            (1, 0, ""),
        ]

    def test_never_show_another_book_or_account(self) -> None:
        merchant, other = book(), book()
        live(merchant, [5, [2, 3]])
        live(other, [7])

        assert [row.amount_minor for page in pages(other, 2) for row in page] == [7]
        foreign = statements.page(
            merchant_id=merchant.merchant_id, account_id=other.account("merchant_pending")
        )
        assert foreign == []

    def test_stay_as_they_are_while_entries_arrive(self) -> None:
        merchant = book()
        moved = live(merchant, [1, [2, 3], 4, [5, 6, 7]])
        walked: list[int] = []
        below: Position | None = None
        while True:
            page = statements.page(
                merchant_id=merchant.merchant_id,
                account_id=merchant.account("merchant_pending"),
                below=below,
                limit=2,
            )
            walked += [row.amount_minor for row in page]
            if len(page) < 2:
                break
            below = page[-1].position
            live(merchant, [9, [8, 8]])  # what comes later stands above where we are

        assert walked == moved[::-1]

    def test_ask_one_question_at_any_depth(self) -> None:
        merchant = book()
        live(merchant, [1] * 30 + [[1] * 20])
        account = merchant.account("merchant_pending")

        for below in (None, Position(31, 5), Position(3, 0), Position(1, 0)):
            with CaptureQueriesContext(connection) as asked:
                statements.page(
                    merchant_id=merchant.merchant_id, account_id=account, below=below, limit=7
                )
            assert len(asked) == 1


class TestWhileOthersPost:
    def test_a_walk_sees_each_row_that_was_there_once(self, cloned_db: str) -> None:
        merchant = book()
        moved = live(merchant, [[n % 9 + 1, 2] for n in range(40)])
        stop = threading.Event()

        def post() -> None:
            try:
                while not stop.is_set():
                    live(merchant, [1, [2, 3]])
            finally:
                connection.close()

        writers = [threading.Thread(target=post) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            top = Position(41, 0)
            walks = [
                [row.amount_minor for page in pages(merchant, size, top) for row in page]
                for size in (1, 3, 7, 50)
            ]
            span = statements.span(
                merchant_id=merchant.merchant_id,
                account_id=merchant.account("merchant_pending"),
                since=None,
                until=None,
            )
            told = list(statements.movements(within=span, page_size=5))
        finally:
            stop.set()
            for writer in writers:
                writer.join()

        assert all(walk == moved[::-1] for walk in walks)
        assert sum(row.amount_minor for row in told) == span.closing_minor


@pytest.fixture
def dated(cloned_db: str) -> tuple[Book, list[tuple[datetime, int]]]:
    """
    A book whose postings lie at known moments, some at the same; each movement with its moment.
    """
    merchant = book()
    live(merchant, [1, [2, 3], 4, [5, 6, 7], 8, 9, [1, 1]])
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    hours = [0, 0, 5, 24, 24, 24, 30]
    url = os.environ.get("DATABASE_SUPERUSER_URL")
    if not url:
        pytest.skip("DATABASE_SUPERUSER_URL is not set: moments can only be set by a superuser.")
    with psycopg.connect(url, dbname=cloned_db, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        for seq, hour in enumerate(hours, start=1):
            superuser.execute(
                "UPDATE ledger_posting SET posted_at = %s WHERE seq = %s",
                [begin + timedelta(hours=hour), seq],
            )
    rows = Posting.objects.filter(
        merchant_id=merchant.merchant_id, account_id=merchant.account("merchant_pending")
    )
    return merchant, [(row.posted_at, row.amount_minor) for row in rows.order_by("seq")]


class TestMoments:
    def test_balance_and_span_agree_with_brute_force_at_every_pair_of_moments(
        self, dated: tuple[Book, list[tuple[datetime, int]]]
    ) -> None:
        merchant, posted = dated
        at = {"merchant_id": merchant.merchant_id}
        account = merchant.account("merchant_pending")
        tick = timedelta(microseconds=1)
        moments = sorted({m + shift for m, _ in posted for shift in (-tick, 0 * tick, tick)})

        for until in moments:
            standing = sum(minor for moment, minor in posted if moment <= until)
            assert balances.as_of(**at, account_id=account, moment=until) == standing
        for since in [None, *moments]:
            for until in [None, *moments]:
                if since and until and until < since:
                    continue
                span = statements.span(**at, account_id=account, since=since, until=until)
                before = sum(minor for moment, minor in posted if since and moment <= since)
                within = [
                    minor
                    for moment, minor in posted
                    if not (since and moment <= since) and not (until and moment > until)
                ]
                told = list(statements.movements(within=span, page_size=2))
                assert span.opening_minor == before
                assert sum(row.amount_minor for row in told) == sum(within)
                assert span.opening_minor + sum(within) == span.closing_minor

    def test_a_span_that_ends_before_it_begins_is_empty_and_adds_up(
        self, dated: tuple[Book, list[tuple[datetime, int]]]
    ) -> None:
        merchant, posted = dated

        span = statements.span(
            merchant_id=merchant.merchant_id,
            account_id=merchant.account("merchant_pending"),
            since=posted[-1][0],
            until=posted[0][0] - timedelta(days=1),
        )

        assert list(statements.movements(within=span)) == []

    def test_an_account_that_was_never_used_stands_at_nothing(self, cloned_db: str) -> None:
        merchant = book()
        account = merchant.account("merchant_reserve")
        now = datetime(2026, 3, 1, tzinfo=UTC)

        span = statements.span(
            merchant_id=merchant.merchant_id, account_id=account, since=now, until=None
        )

        assert balances.as_of(
            merchant_id=merchant.merchant_id, account_id=account, moment=now
        ) == 0  # fmt: skip
        assert (span.opening_minor, span.closing_minor) == (0, 0)
        assert list(statements.movements(within=span)) == []

    def test_both_balances_are_of_one_moment(self, cloned_db: str) -> None:
        """One statement asks for all of it: nothing can be posted in between."""
        merchant = book()
        live(merchant, [1, 2])

        with transaction.atomic(), CaptureQueriesContext(connection) as asked:
            statements.span(
                merchant_id=merchant.merchant_id,
                account_id=merchant.account("merchant_pending"),
                since=None,
                until=None,
            )

        assert sum("ledger_seq_as_of" in query["sql"] for query in asked) == 1


@pytest.mark.django_db
class TestTheSum:
    def test_a_statement_that_does_not_add_up_is_not_told_to_its_end(self) -> None:
        merchant = book()
        live(merchant, [1, [2, 3]])
        span = statements.span(
            merchant_id=merchant.merchant_id,
            account_id=merchant.account("merchant_pending"),
            since=None,
            until=None,
        )
        wrong = statements.Span(
            span.merchant_id, span.account_id, span.floor_seq, span.last_seq, 0, 7
        )

        with pytest.raises(statements.StatementDoesNotAddUp):
            list(statements.movements(within=wrong))

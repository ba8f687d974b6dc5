"""One bad row among many in a bulk call: nothing is stored, and the refusal names its cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from foundation import sql
from ledger import errors
from ledger.services import journal
from tests.factories.ledger import Book, Bulk, book, cr, dr
from tests.ledger.refusals import refused

pytestmark = pytest.mark.django_db


@dataclass
class Chunk:
    """A bulk call of good entries over two books, to which a test adds one bad row."""

    bulk: Bulk
    own: Book
    other: Book


@pytest.fixture
def chunk() -> Chunk:
    made = Chunk(Bulk(), book(), book())
    for each in (made.own, made.other):
        each.fund(100_00)
        for number in range(20):
            made.bulk.entry(
                each,
                f"good:{number}",
                dr("channel_receivable", "clear", 5),
                cr("merchant_pending", "clear", 5),
            )
            made.bulk.lines(
                each,
                f"good:{number}",
                "merchant_pending",
                "clear",
                [(10 * number, 2), (10 * number + 1, 3)],
            )
    return made


def unbalanced(chunk: Chunk) -> None:
    chunk.bulk.entry(
        chunk.own, "bad", dr("channel_receivable", "clear", 5), cr("merchant_pending", "clear", 4)
    )


def lonely(chunk: Chunk) -> None:
    chunk.bulk.entry(chunk.own, "bad", cr("merchant_pending", "clear", 4))


def two_currencies(chunk: Chunk) -> None:
    chunk.bulk.entry(
        chunk.own,
        "bad",
        dr("channel_receivable", "clear", 5),
        cr("merchant_pending", "clear", 5, currency="USD"),
    )


def foreign_account(chunk: Chunk) -> None:
    chunk.bulk.entry(chunk.own, "bad", dr("channel_receivable", "clear", 5))
    foreign = journal.credit(chunk.other.account("merchant_pending"), "clear", 5)
    chunk.bulk.posting(chunk.own.merchant_id, "bad", foreign)


def captured_hold(chunk: Chunk) -> None:
    hold = chunk.own.hold(1_00)
    chunk.own.post(
        dr("merchant_available", "withdraw", 1_00, hold_id=hold),
        cr("payout_in_transit", "submit", 1_00),
    )
    withdrawal(chunk, hold)


def foreign_hold(chunk: Chunk) -> None:
    withdrawal(chunk, chunk.other.hold(1_00))


def hold_twice(chunk: Chunk) -> None:
    hold = chunk.own.hold(1_00)
    withdrawal(chunk, hold)
    withdrawal(chunk, hold)


def withdrawal(chunk: Chunk, hold: int) -> None:
    chunk.bulk.entry(
        chunk.own,
        "bad",
        dr("merchant_available", "withdraw", 50, hold_id=hold),
        cr("payout_in_transit", "submit", 50),
    )


def lines_off(chunk: Chunk) -> None:
    chunk.bulk.entry(
        chunk.own, "bad", dr("channel_receivable", "clear", 5), cr("merchant_pending", "clear", 5)
    )
    chunk.bulk.lines(chunk.own, "bad", "merchant_pending", "clear", [(901, 2), (902, 2)])


def lines_of_nothing(chunk: Chunk) -> None:
    chunk.bulk.lines(chunk.own, "bad", "merchant_pending", "clear", [(901, 2)])


def other_content(chunk: Chunk) -> None:
    chunk.own.post(
        dr("channel_receivable", "clear", 6), cr("merchant_pending", "clear", 6), cause="bad"
    )
    chunk.bulk.entry(
        chunk.own, "bad", dr("channel_receivable", "clear", 5), cr("merchant_pending", "clear", 5)
    )


NAMED: list[tuple[Callable[[Chunk], None], type[errors.LedgerRefusal]]] = [
    (unbalanced, errors.UnbalancedEntry),
    (lonely, errors.UnbalancedEntry),
    (two_currencies, errors.UnbalancedEntry),
    (foreign_account, errors.AccountNotInBook),
    (captured_hold, errors.HoldResolved),
    (foreign_hold, errors.HoldResolved),
    (hold_twice, errors.HoldResolved),
    (lines_off, errors.LinesDoNotSum),
    (lines_of_nothing, errors.LinesDoNotSum),
    (other_content, errors.EntryConflict),
]


class TestOneBadEntry:
    @pytest.mark.parametrize(("spoil", "error"), NAMED, ids=[each.__name__ for each, _ in NAMED])
    def test_refuses_all_and_is_named(
        self, spoil: Callable[[Chunk], None], error: type[errors.LedgerRefusal], chunk: Chunk
    ) -> None:
        spoil(chunk)

        with refused(error) as refusal:
            chunk.bulk.post()

        assert refusal.value.details["source_kind"] == "test"
        assert refusal.value.details["source_id"] == "bad"
        assert "bad" in str(refusal.value)

    @pytest.mark.parametrize(
        ("leg", "error"),
        [
            (dr("merchant_pending", "withdraw", 5), errors.AbilityRefused),
            (dr("merchant_pending", "reverse", 5), errors.NotAMirror),
            (dr("merchant_pending", "settle", 10_000_00), errors.InsufficientAvailableBalance),
            (dr("merchant_pending", "settle", 0), errors.AmountNotPositive),
            (dr("merchant_pending", "settle", -5), errors.AmountNotPositive),
            (dr("channel_receivable", "clear", 2**63 - 1), errors.AmountOutOfRange),
        ],
    )
    def test_of_a_kind_that_a_constraint_knows_refuses_all(
        self, leg: object, error: type[errors.LedgerRefusal], chunk: Chunk
    ) -> None:
        side, _kind, operation, minor, *_ = leg  # type: ignore[misc]
        counter = cr if side == "DR" else dr
        with_ = "reverse" if operation == "reverse" else "settle"
        kind = "merchant_available" if operation != "clear" else "merchant_pending"
        chunk.bulk.entry(
            chunk.own,
            "bad",
            leg,  # type: ignore[arg-type]
            counter(kind, "clear" if operation == "clear" else with_, minor),
        )

        with refused(error):
            chunk.bulk.post()

    def test_leaves_the_good_ones_bookable_without_it(self, chunk: Chunk) -> None:
        unbalanced(chunk)
        with refused(errors.UnbalancedEntry):
            chunk.bulk.post()
        good = Bulk()
        good.entry(
            chunk.own,
            "bad",
            dr("channel_receivable", "clear", 5),
            cr("merchant_pending", "clear", 5),
        )

        assert good.post() == 1


class TestTheFingerprintOfACause:
    def test_tells_an_amount_from_the_account_of_the_line_behind_it(self) -> None:
        """Written one behind the other, `1` and account `23` would read as `12` and account `3`."""
        merchant = book()
        first = Bulk()
        first.entry(
            merchant, "c", dr("channel_receivable", "clear", 7), cr("merchant_pending", "clear", 7)
        )
        first.lines(merchant, "c", "merchant_pending", "clear", [(1, 7)])
        first.post()

        stored = sql.rows("SELECT encode(content_sha256, 'hex') AS h FROM ledger_entry")[0]["h"]
        account = merchant.account
        text = (
            f"{account('channel_receivable')},clear,DR,7;{account('merchant_pending')},clear,CR,7"
            f"|{account('merchant_pending')},payment,1,7"
        )
        assert stored == sql.rows("SELECT encode(sha256(%s), 'hex') AS h", [text.encode()])[0]["h"]

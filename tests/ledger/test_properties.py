"""Any history at all: the model and the database agree, nothing is made and nothing is lost."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from foundation import sql
from ledger import errors
from ledger.selectors import invariants
from ledger.services import hold as holds
from ledger.services import journal
from tests.factories.ledger import Book, Bulk, Leg, book, cr, dr

_NORMAL = {
    "channel_receivable": "DR",
    "merchant_pending": "CR",
    "merchant_available": "CR",
    "merchant_debt": "DR",
    "payout_in_transit": "CR",
    "fee_income": "CR",
}
_NEVER_NEGATIVE = {"merchant_pending", "merchant_available", "merchant_debt"}
_causes = itertools.count(1)
_facts = itertools.count(1)
_MINOR = st.integers(1, 200_00)


@dataclass
class _Entry:
    """What the model knows of an entry."""

    id: int
    book: Book
    legs: tuple[Leg, ...]
    cause: str
    reversed: bool = False


@dataclass
class _Hold:
    """What the model knows of a hold on `merchant_available`."""

    id: int
    book: Book
    minor: int
    state: str = "OPEN"


@dataclass
class _Model:
    """Balances and holds of the books as plain numbers."""

    balances: defaultdict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    held: Counter[int] = field(default_factory=Counter)

    def free(self, merchant: Book, kind: str) -> int:
        """Return what is free; only `merchant_available` has holds here."""
        held = self.held[merchant.merchant_id] if kind == "merchant_available" else 0
        return self.balances[merchant.merchant_id, kind] - held

    def can(self, merchant: Book, legs: tuple[Leg, ...], freed: int = 0) -> bool:
        """Say whether every account that may not fall below zero would stay above."""
        moved: Counter[str] = Counter()
        for leg in legs:
            moved[leg.kind] += leg.minor if leg.side == _NORMAL[leg.kind] else -leg.minor
        return all(
            self.free(merchant, kind) + minor + (freed if kind == "merchant_available" else 0) >= 0
            for kind, minor in moved.items()
            if kind in _NEVER_NEGATIVE
        )

    def apply(self, merchant: Book, legs: tuple[Leg, ...]) -> None:
        """Move the balances."""
        for leg in legs:
            sign = 1 if leg.side == _NORMAL[leg.kind] else -1
            self.balances[merchant.merchant_id, leg.kind] += sign * leg.minor


class LedgerMachine(RuleBasedStateMachine):
    """Random posts, holds, captures, releases, reversals and replays in two books."""

    entries: Bundle[_Entry] = Bundle("entries")
    opened: Bundle[_Hold] = Bundle("opened")

    @initialize()
    def begin(self) -> None:
        self.books = [book(), book()]
        self.model = _Model()

    def _post(self, which: int, *legs: Leg) -> _Entry | None:
        """Post in both worlds; both accept or both refuse."""
        merchant, cause = self.books[which], f"c{next(_causes)}"
        if not self.model.can(merchant, legs):
            with pytest.raises(errors.InsufficientAvailableBalance):
                merchant.post(*legs, cause=cause)
            return None
        entry = _Entry(merchant.post(*legs, cause=cause), merchant, legs, cause)
        self.model.apply(merchant, legs)
        return entry

    @rule(target=entries, which=st.integers(0, 1), minor=_MINOR, fee=st.integers(1, 50))
    def clear(self, which: int, minor: int, fee: int) -> _Entry:
        entry = self._post(
            which,
            dr("channel_receivable", "clear", minor + fee),
            cr("merchant_pending", "clear", minor),
            cr("fee_income", "earn", fee),
        )
        assert entry is not None
        return entry

    @rule(which=st.integers(0, 1), minors=st.lists(_MINOR, min_size=1, max_size=5))
    def clear_in_bulk(self, which: int, minors: list[int]) -> None:
        merchant, bulk, cause = self.books[which], Bulk(), f"c{next(_causes)}"
        legs = (
            dr("channel_receivable", "clear", sum(minors)),
            cr("merchant_pending", "clear", sum(minors)),
        )
        bulk.entry(merchant, cause, *legs)
        facts = [(next(_facts), minor) for minor in minors]
        bulk.lines(merchant, cause, "merchant_pending", "clear", facts)
        assert bulk.post() == 1
        self.model.apply(merchant, legs)

    @rule(target=entries, which=st.integers(0, 1), minor=_MINOR)
    def settle(self, which: int, minor: int) -> object:
        return self._kept(
            self._post(
                which,
                dr("merchant_pending", "settle", minor),
                cr("merchant_available", "settle", minor),
            )
        )

    @rule(target=entries, which=st.integers(0, 1), minor=_MINOR, debt=_MINOR)
    def refund(self, which: int, minor: int, debt: int) -> object:
        return self._kept(
            self._post(
                which,
                dr("merchant_available", "refund", minor),
                dr("merchant_debt", "owe", debt),
                cr("channel_receivable", "refund", minor + debt),
            )
        )

    @rule(target=opened, which=st.integers(0, 1), minor=_MINOR)
    def hold(self, which: int, minor: int) -> object:
        merchant = self.books[which]
        if self.model.free(merchant, "merchant_available") < minor:
            with pytest.raises(errors.InsufficientAvailableBalance):
                merchant.hold(minor)
            return multiple()
        made = _Hold(merchant.hold(minor), merchant, minor)
        self.model.held[merchant.merchant_id] += minor
        return made

    @rule(hold=opened, part=st.integers(1, 210_00))
    def capture(self, hold: _Hold, part: int) -> None:
        legs = (
            dr("merchant_available", "withdraw", part, hold_id=hold.id),
            cr("payout_in_transit", "submit", part),
        )
        if hold.state != "OPEN" or part > hold.minor:
            with pytest.raises(errors.HoldResolved):
                hold.book.post(*legs)
            return
        hold.book.post(*legs)
        hold.state = "CAPTURED"
        self.model.held[hold.book.merchant_id] -= hold.minor
        self.model.apply(hold.book, legs)

    @rule(hold=opened)
    def release(self, hold: _Hold) -> None:
        if hold.state == "CAPTURED":
            with pytest.raises(errors.HoldResolved):
                holds.release(merchant_id=hold.book.merchant_id, hold_id=hold.id)
            return
        released = holds.release(merchant_id=hold.book.merchant_id, hold_id=hold.id)
        assert released == (hold.state == "OPEN")
        if released:
            hold.state = "RELEASED"
            self.model.held[hold.book.merchant_id] -= hold.minor

    @rule(entry=entries)
    def reverse(self, entry: _Entry) -> None:
        mirror = tuple(
            leg._replace(side="CR" if leg.side == "DR" else "DR", operation="reverse")
            for leg in entry.legs
        )
        ask = {
            "merchant_id": entry.book.merchant_id,
            "entry_id": entry.id,
            "source_id": f"r{next(_causes)}",
            "memo": "",
        }
        if entry.reversed:
            with pytest.raises(errors.AlreadyReversed):
                journal.reverse(**ask)  # type: ignore[arg-type]
        elif not self.model.can(entry.book, mirror):
            with pytest.raises(errors.InsufficientAvailableBalance):
                journal.reverse(**ask)  # type: ignore[arg-type]
        else:
            journal.reverse(**ask)  # type: ignore[arg-type]
            entry.reversed = True
            self.model.apply(entry.book, mirror)

    @rule(entry=entries)
    def replay(self, entry: _Entry) -> None:
        assert entry.book.post(*entry.legs, cause=entry.cause) == entry.id

    @rule(entry=entries)
    def contradict(self, entry: _Entry) -> None:
        other = [leg._replace(minor=leg.minor + 1) for leg in entry.legs]
        with pytest.raises(errors.EntryConflict):
            entry.book.post(*other, cause=entry.cause)

    @invariant()
    def the_database_is_the_model(self) -> None:
        ids = [merchant.merchant_id for merchant in self.books]
        rows = sql.rows(
            "SELECT merchant_id, kind, balance, held FROM ledger_account"
            " WHERE merchant_id = ANY (%s)",
            [ids],
        )
        for row in rows:
            assert row["balance"] == self.model.balances[row["merchant_id"], row["kind"]]
            if row["kind"] == "merchant_available":
                assert row["held"] == self.model.held[row["merchant_id"]]
            if row["kind"] in _NEVER_NEGATIVE:
                assert row["balance"] - row["held"] >= 0
        for merchant_id in ids:
            assert (
                sum(
                    row["balance"] if _NORMAL[row["kind"]] == "DR" else -row["balance"]
                    for row in rows
                    if row["merchant_id"] == merchant_id
                )
                == 0
            )

    def teardown(self) -> None:
        for check in (
            invariants.balanced_entries,
            invariants.balanced_books,
            invariants.covered_holds,
            invariants.single_causes,
            invariants.resolved_holds,
        ):
            assert list(check()) == []

    def _kept(self, entry: _Entry | None) -> object:
        return multiple() if entry is None else entry


class TestAnyHistory:
    def test_keeps_model_and_ledger_equal(self, cloned_db: str) -> None:
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=25,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )

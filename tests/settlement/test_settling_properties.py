"""Over any history of payments, refunds and runs every fen is where the rules say."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from foundation import sql
from ledger.services import journal
from settlement.selectors import merchant_balance, preview
from settlement.services import run as runs
from settlement.services import schedule
from tests.factories import settlement as make
from tests.settlement.runs import assert_proved
from tests.settlement.test_due_services import OF_CLEARING, TABLES, Clearing

START = date(2026, 2, 10)  # the days run through Spring Festival
days = st.integers(0, 20).map(lambda n: START + timedelta(days=n))
merchants = st.integers(0, 2)
amounts = st.integers(1, 300_00)

steps = st.one_of(
    st.tuples(st.just("pay"), merchants, amounts, st.integers(0, 100), days),
    st.tuples(st.just("refund"), st.integers(0, 30), amounts, days),
    st.tuples(st.just("settle"), days, st.integers(1, 3)),
)


class World:
    """Three merchants, what clearing did for them, and what it must come to."""

    def __init__(self, codes: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(TABLES)
        self.clearing = Clearing()
        self.merchants = [make.merchant() for _ in codes]
        for merchant, code in zip(self.merchants, codes, strict=True):
            surcharge = 7 if code in ("T0", "D0") else 0
            schedule.change(
                merchant_id=merchant, code=code, effective_from=date(2026, 1, 1),
                surcharge_fixed_minor=surcharge,
            )  # fmt: skip
        self.payments: list[tuple[int, int, int]] = []  # number, merchant, left to refund
        self.expected = dict.fromkeys(self.merchants, 0)

    def pay(self, who: int, amount: int, fee_percent: int, day: date) -> None:
        merchant, fee = self.merchants[who], amount * fee_percent // 100
        (number,) = self.clearing.payments((merchant, amount, fee, day))
        self.payments.append((number, merchant, amount))
        self.expected[merchant] += amount - fee

    def refund(self, which: int, amount: int, day: date) -> None:
        """Refund as the channels do: pending first, then available, the rest is owed."""
        if not self.payments:
            return
        index = which % len(self.payments)
        number, merchant, left = self.payments[index]
        amount = min(amount, left)
        if not amount:
            return
        self.payments[index] = (number, merchant, left - amount)
        taken = min(amount, self.free(merchant, "merchant_pending"))
        (refund,) = self.clearing.refunds((merchant, number, taken, day))
        available = min(amount - taken, self.free(merchant, "merchant_available"))
        owed = amount - taken - available
        parts = [
            ("merchant_available", "refund", available),
            ("merchant_debt", "owe", owed),
        ]
        postings = [
            journal.debit(make.account(merchant, kind), operation, minor)
            for kind, operation, minor in parts
            if minor
        ]
        if postings:
            receivable = make.account(merchant, "channel_receivable", channel="wx")
            journal.post(
                merchant_id=merchant, source_kind="test", source_id=f"rest:{refund}",
                postings=[*postings, journal.credit(receivable, "refund", available + owed)],
            )  # fmt: skip
        self.expected[merchant] -= amount

    def settle(self, run_date: date, part_size: int) -> None:
        """Settle, as the preview says; again, nothing is left."""
        seen = [(item.merchant_no, item.net_minor) for item in preview.items(run_date=run_date)]
        started = runs.start(run_date=run_date, part_size=part_size)
        if started is not None:
            runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)
            assert seen == [
                (row["merchant_no"], row["net_minor"])
                for row in sql.rows(
                    "SELECT m.merchant_no, i.net_minor FROM settlement_item i"
                    " JOIN settlement_batch b ON b.id = i.batch_id AND b.run_id = %s"
                    " JOIN merchants_merchant m ON m.id = i.merchant_id ORDER BY m.id",
                    [started.run.id],
                )
            ]
        else:
            assert seen == []
        assert runs.start(run_date=run_date) is None

    def free(self, merchant: int, kind: str) -> int:
        found = sql.rows(
            "SELECT coalesce(sum(balance - held), 0)::bigint AS free FROM ledger_account"
            " WHERE merchant_id = %s AND kind = %s",
            [merchant, kind],
        )
        return int(found[0]["free"])

    def prove(self) -> None:
        assert_proved(but=OF_CLEARING)
        total = sum(
            row.pending + row.available + row.held + row.reserve + row.paid_out + row.payout_fees
            - row.debt
            for row in merchant_balance.stream()
        )  # fmt: skip
        surcharges = sql.rows(
            "SELECT coalesce(sum(surcharge_minor), 0)::bigint AS total FROM settlement_item"
        )[0]["total"]
        assert total == sum(self.expected.values()) - surcharges


codes = st.sampled_from(["T0", "T1", "T2", "D0", "D1", "D5", "WEEKLY:3", "MONTHLY:20"])


class TestAnyHistory(TestCase):
    @settings(max_examples=30, deadline=None)
    @given(codes=st.lists(codes, min_size=3, max_size=3), history=st.lists(steps, max_size=14))
    def test_adds_up_after_every_step(self, codes: list[str], history: list[tuple]) -> None:
        world = World(codes)

        for step, *values in history:
            getattr(world, step)(*values)
            world.prove()

        world.settle(date(2026, 4, 30), 2)
        world.prove()
        assert [world.free(m, "merchant_pending") for m in world.merchants] == [0, 0, 0]

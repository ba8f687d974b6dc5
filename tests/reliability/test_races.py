"""Settling, importing and clearing at once, by several processes' worth of threads."""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import connections

from channels.models import Payment, Refund
from channels.services import clearing
from foundation import clock, sql
from ledger.models import Account
from settlement.models import Batch, Due, Item, Line, Run
from settlement.services import run as runs
from tests.factories import channels as bring_in
from tests.factories import settlement as make
from tests.factories.merchants import MerchantFactory
from tests.reliability.sweep import broken

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=place) for place in range(4)]
LAST = MONDAY + timedelta(days=30)


def at_once(*works: Callable[[], object]) -> None:
    """Do all of them at the same time, each with a connection of its own; raise what they raise."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def settle(day: date) -> None:
    words = ["--date", f"{day}", "--inline", "--threads", "1", "--part-size", "2"]
    call_command("settle", *words, stdout=io.StringIO(), stderr=io.StringIO())


def assert_everything_is_settled_once() -> None:
    assert broken() == []
    assert Line.objects.count() == Due.objects.count()
    pending = Account.objects.filter(kind_id="merchant_pending").exclude(balance_minor=0)
    assert not pending.exists()
    assert set(Item.objects.values_list("state", flat=True)) == {"CLOSED"}
    assert set(Batch.objects.values_list("state", flat=True)) == {"CLOSED"}
    assert set(Run.objects.values_list("state", flat=True)) == {"DONE"}


class TestSettlingDifferentDatesAtOnce:
    def test_takes_everything_once(self, cloned_db):
        chance = random.Random(20260302)
        merchants = [make.merchant() for _ in range(6)]
        for _round in range(3):
            for merchant in merchants:
                for day in DAYS:
                    make.payment(merchant, chance.randint(1, 100_00), day)
                if chance.random() < 0.5:
                    make.refund_rest(merchant, chance.randint(1, 50_00), chance.choice(DAYS))
            days = [day + timedelta(days=1) for day in DAYS] + [DAYS[1]]
            chance.shuffle(days)

            at_once(*[lambda day=day: settle(day) for day in days])

        settle(LAST)
        assert_everything_is_settled_once()

    def test_leaves_no_run_of_a_date_whose_money_another_date_took(self, cloned_db):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        early, late = (runs.start(run_date=day) for day in DAYS[1:3])
        assert early is not None
        assert late is not None
        runs.work_inline(run=late.run, at=make.NOON, notify=lambda done, total: None)

        def work() -> None:
            runs.work_inline(run=early.run, at=make.NOON, notify=lambda done, total: None)

        at_once(work, work, lambda: settle(DAYS[1]), lambda: runs.start(run_date=DAYS[1]))

        assert list(Run.objects.values_list("run_date", "state")) == [(DAYS[2], "DONE")]
        make.payment(merchant, 7_00, MONDAY)
        settle(DAYS[1])
        assert make.balance(merchant, "merchant_available") == 107_00
        assert_everything_is_settled_once()


@pytest.mark.slow
class TestSettlingWhileFilesComeIn:
    def test_loses_no_payment_and_settles_none_twice(self, cloned_db):
        numbers = [MerchantFactory(merchant_no=number).merchant_no for number in "ABCDE"]
        bring_in.fees("*,*,*,0.60,,,,,kept,2016-01-01")
        chance, done = random.Random(20260303), threading.Event()
        files = [
            [
                bring_in.payment_row(
                    f"P{file}-{row}",
                    chance.choice(numbers),
                    f"{chance.randint(1, 500)}.{chance.randint(10, 99)}",
                    captured_at=f"{chance.choice(DAYS)}T12:00:00+08:00",
                )
                for row in range(10)
            ]
            for file in range(32)
        ]

        def bring(mine: list[list[list[str]]]) -> None:
            for rows in mine:
                bring_in.payments(*rows)
                back = [(f"R{row[0]}", row[0], "0.50") for row in rows[::5]]
                bring_in.refunds(*back, at="2026-03-06T12:00:00+08:00")
                time.sleep(0.05)

        def until_done(work: Callable[[], object]) -> Callable[[], None]:
            def loop() -> None:
                while not done.is_set():
                    work()
                    time.sleep(0.01)

            return loop

        def files_then_done() -> None:
            try:
                at_once(lambda: bring(files[::2]), lambda: bring(files[1::2]))
            finally:
                done.set()

        at_once(
            files_then_done,
            until_done(lambda: clearing.clear_all(at=clock.now())),
            until_done(lambda: settle(DAYS[2])),
            until_done(lambda: settle(DAYS[3])),
            until_done(lambda: settle(DAYS[2])),
        )
        while_they_came = Run.objects.count()
        settle(LAST)

        assert while_they_came > 2
        assert (Payment.objects.count(), Refund.objects.count()) == (320, 64)
        assert Line.objects.filter(source_kind="payment").count() == 320
        assert_everything_is_settled_once()
        [row] = sql.rows(
            "SELECT (SELECT sum(amount_minor) FROM channels_payment)"
            " - (SELECT sum(fee_minor) FROM channels_pricing)"
            " - (SELECT sum(amount_minor) FROM channels_refund) AS due,"
            " (SELECT sum(CASE kind WHEN 'merchant_debt' THEN -balance ELSE balance END)"
            "   FROM ledger_account WHERE kind IN ('merchant_available', 'merchant_debt')) AS got"
        )
        assert row["got"] == row["due"]

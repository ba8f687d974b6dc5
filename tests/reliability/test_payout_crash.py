"""
A payout is struck at every commit, from the request to the bank line: the end is always the same,
and the channel's own book knows of each order at most once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from foundation import clock, sql
from foundation.money import Money
from foundation.services import outbox
from merchants.models import BankAccount
from settlement.models import PayoutChannel, Run
from settlement.services import payout_statement, payout_watch
from settlement.services import run as runs
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal as withdrawals
from tests.factories import payout as make
from tests.factories import settlement as dues
from tests.reliability.bank import Bank
from tests.reliability.sweep import Strike, Sweep

SECOND = timedelta(seconds=1)
WAYS: dict[str, dict[str, object]] = {
    "paid": {},
    "timed out after paying": {"answer": "timeout"},
    "refused": {"refuse": "NAME_MISMATCH", "pay_after": None},
}
TRIALS = [("paid", how) for how in Strike] + [
    (way, how)
    for way in ("timed out after paying", "refused")
    for how in (Strike.DIES_BEFORE, Strike.DIES_AFTER)
]


def pay(begin: Callable[[], object], since: timedelta = timedelta(0)) -> None:
    """Do what a person, the relay, the beat and the workers do until the payout has ended."""
    begun = clock.now() + since
    begin()
    outbox.drain(inline=True)
    for step in (5, 61, 200, 400, 600):
        payout_watch.do(begun + step * SECOND)
    outbox.drain(inline=True)


def reconcile() -> None:
    """Take the channel's day file in."""
    now = clock.now()
    payout_statement.fetch(channel_code="simulator", day=clock.business_date(now), at=now)


def again(begin: Callable[[], object]) -> None:
    """Do it all again when every lease has run out."""
    sql.execute(
        "UPDATE foundation_outbox SET next_try_at = now(), lease_expires_at = NULL"
        " WHERE state IN ('PENDING', 'SENT')"
    )
    pay(begin, timedelta(hours=1))
    reconcile()


@pytest.mark.slow
@pytest.mark.parametrize(("way", "how"), TRIALS)
def test_a_withdrawal(cloned_db, tmp_path, settings, way, how):
    ask, bank = asker(), Bank(tmp_path, [WAYS[way]])

    def work() -> None:
        pay(ask)
        if way == "paid":
            reconcile()

    sweep = Sweep(cloned_db, work, lambda: again(ask), world=bank.open, judge=bank.judge)

    wrong = sweep.strike_all(how)
    assert not wrong, wrong


@pytest.mark.slow
def test_a_channel_that_promises_nothing_is_never_sent_an_order_again(
    cloned_db, tmp_path, settings
):
    PayoutChannel.objects.update(resend_promised=False)
    ask, bank = asker(), Bank(tmp_path)
    sweep = Sweep(
        cloned_db, lambda: pay(ask), lambda: again(ask), world=bank.open, judge=bank.judge
    )
    sending = 1 + next(
        place for place, site in enumerate(sweep.sites)
        if site == "settlement_payout_attempt settlement_payout_transition"
    )  # fmt: skip

    for at in range(1, len(sweep.sites) + 1):
        wrong = sweep.strike(Strike.DIES_AFTER, at)
        book = bank.last_book

        assert all(order["submissions"] == 1 for order in book["orders"])
        if at == sending:  # nobody knows whether it left: it waits for the day file and for people
            assert any("status=UNKNOWN" in line for line in wrong), wrong
            assert book["orders"] == []
        else:
            assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("how", Strike)
def test_a_settlement_item_by_standing_instruction(cloned_db, tmp_path, settings, how):
    account = make.payee(0)
    instruct(account)
    dues.payment(account.merchant_id, 100_00, date(2026, 3, 2))
    bank = Bank(tmp_path)

    def settle() -> None:
        runs.settle_due(run_date=date(2026, 3, 3), at=clock.now())
        for run in Run.objects.filter(state=Run.State.RUNNING):
            runs.work_inline(run=run, at=clock.now(), notify=lambda done, total: None)

    sweep = Sweep(
        cloned_db, lambda: pay(settle), lambda: again(settle), world=bank.open, judge=bank.judge
    )

    wrong = sweep.strike_all(how)
    assert not wrong, wrong


def asker() -> Callable[[], object]:
    """Return how a merchant with money asks for 50.00, fee 1.00, under one order number."""
    make.fee(1_00)
    account = make.payee()
    authority = withdrawals.SignedRequest(make.key(account.merchant))
    return lambda: withdrawals.request(
        merchant_id=account.merchant_id,
        amount=Money(50_00, "CNY"),
        bank_account_id=account.id,
        order_no="C-1",
        authority=authority,
        at=clock.now(),
    )


def instruct(account: BankAccount) -> None:
    instructions.create_by_operator(
        merchant_id=account.merchant_id,
        bank_account_id=account.id,
        keep=Money(0, "CNY"),
        minimum=Money(1, "CNY"),
        at=clock.now(),
    )

"""Every commit of a payout is cut off once before and once after it: the end is always the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from merchants.models import BankAccount
from settlement.models import PayoutAttempt, Withdrawal
from settlement.services import payout as payouts
from settlement.services import payout_watch
from settlement.services import withdrawal as withdrawals
from tests.factories import payout as make
from tests.factories import simulator as simulators
from tests.factories.payout import NOON

SECOND = timedelta(seconds=1)


class Killed(BaseException):
    """The process is gone: no handler of the product may catch it."""


class Cut:
    """Counts commits, and cuts the connection at one of them."""

    def __init__(self, at: int | None, *, before: bool) -> None:
        self.at, self.before, self.seen = at, before, 0

    def commit(self, wrapper: BaseDatabaseWrapper, really: object) -> None:
        """Commit, unless this is the one."""
        self.seen += 1
        if self.seen != self.at:
            really(wrapper)  # type: ignore[operator]
            return
        if not self.before:
            really(wrapper)  # type: ignore[operator]
        wrapper.connection.close()
        raise Killed


@contextmanager
def cutting(at: int | None, *, before: bool) -> Iterator[Cut]:
    """Cut the connection at the `at`-th commit inside the block."""
    really, cut = BaseDatabaseWrapper._commit, Cut(at, before=before)
    BaseDatabaseWrapper._commit = lambda wrapper: cut.commit(wrapper, really)
    try:
        yield cut
    finally:
        BaseDatabaseWrapper._commit = really


def whole_way(account: BankAccount, authority: withdrawals.SignedRequest) -> None:
    """From the request to the result, as request, worker and beat do it; safe to run again."""
    made = make.request(account, authority=authority, order_no="C-1")
    payouts.send(**made.key, at=NOON)
    for step in (5, 61, 200, 400, 600):
        payout_watch.do(NOON + step * SECOND)


WAYS = {
    "paid": {},
    "timed out after paying": {"answer": "reset"},
    "refused": {"refuse": "NAME_MISMATCH", "pay_after": None},
}
COMMITS = {"paid": 5, "timed out after paying": 6, "refused": 6}


@pytest.fixture
def channel(tmp_path: Path, settings):
    with simulators.running(tmp_path) as running:
        make.address(running.url)
        yield running


def state(account: BankAccount) -> tuple[object, ...]:
    made = Withdrawal.objects.get(merchant_id=account.merchant_id)
    attempt = PayoutAttempt.objects.get(withdrawal=made)
    return made.status, attempt.status, attempt.sequence, make.balances(account.merchant_id)


@pytest.mark.parametrize("way", WAYS)
def test_a_payout_cut_off_anywhere_ends_as_if_nothing_had_happened(cloned_db, channel, way):
    make.fee(1_00)

    def prepare() -> tuple[BankAccount, withdrawals.SignedRequest]:
        account = make.payee()
        channel.rule(**WAYS[way])
        return account, withdrawals.SignedRequest(make.key(account.merchant))

    undisturbed = prepare()
    with cutting(None, before=True) as counted:
        whole_way(*undisturbed)
    expected = state(undisturbed[0])
    ended = {"refused": ("FAILED", "FAILED")}.get(way, ("PAID", "SUCCEEDED"))
    assert expected[:2] == ended
    assert counted.seen == COMMITS[way]

    for number in range(1, counted.seen + 1):
        for before in (True, False):
            made = prepare()
            with cutting(number, before=before), pytest.raises((Killed, OperationalError)):
                whole_way(*made)
            connection.close()
            whole_way(*made)

            assert state(made[0])[:2] == ended, (number, before)
            assert state(made[0])[3] == expected[3], (number, before)
            channel.control("reset-rules", {})

    paid = channel.paid()
    assert len(paid) == len(set(paid)) == (0 if way == "refused" else 1 + 2 * counted.seen)
    orders = channel.book()["orders"]
    assert {order["submissions"] for order in orders} == {1}
    assert make.broken() == []

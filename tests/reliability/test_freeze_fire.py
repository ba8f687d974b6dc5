"""
A thousand merchants are frozen and restored while the deciding process is killed, others move
merchants one by one, and money is settled and paid: each comes back to where it was, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Final

import pytest
from django.conf import settings
from django.db import connections

from foundation.models import Approval
from merchants.models import Merchant, MerchantTransition
from merchants.services import merchant_state as states
from settlement.services import payout as payouts
from tests.factories import merchant_state
from tests.factories import payout as pay
from tests.factories import settlement as dues
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.payout import NOON
from tests.settlement.attempts import SECOND, channel
from tests.settlement.runs import settle
from tests.settlement.test_payout_races import together

__all__ = ["channel"]  # a fixture
MANY: Final = 1_000
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
# Decides on a proposal, and stops where it is told to, to be killed there.
CHILD: Final = """
import sys, time
from datetime import datetime, UTC
import django; django.setup()
from foundation.models import Approval, User
from foundation.registries import lifecycle_listeners
from foundation.services import approval as approvals

key, checker, where = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def stop(here):
    if here == where:
        print("here", flush=True)
        time.sleep(120)

def written(*, event, merchant_ids, payload):
    if event in ("merchants.frozen", "merchants.restored"):
        stop("written")

lifecycle_listeners.register("test.killed", written)
row = Approval.objects.get(pk=key)
stop("begun")
approvals.decide(approval_id=row.id, merchant_id=row.merchant_id,
                 checker=User.objects.get(pk=checker), approve=True, reason="",
                 seen_sha256=row.content_sha256, at=datetime(2026, 3, 3, 4, tzinfo=UTC))
stop("committed")
print("done", flush=True)
"""


def child(approval: Approval, where: str) -> subprocess.Popen[str]:
    """Start a process of its own that decides on the test's database."""
    checker = UserFactory(is_superuser=True)
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(approval.id), str(checker.pk), where],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def stopped(approval: Approval, where: str) -> Iterator[None]:
    """Have a process stand where it is told to, and kill it there with -9."""
    process = child(approval, where)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "here\n"
        yield
    finally:
        process.kill()
        process.wait()


def now(ids: Sequence[int]) -> dict[int, str]:
    return dict(Merchant.objects.filter(id__in=ids).values_list("id", "status"))


def state_of(approval: Approval) -> str:
    return Approval.objects.get(id=approval.id).state


def numbers(ids: Sequence[int]) -> list[str]:
    return list(Merchant.objects.filter(id__in=ids).values_list("merchant_no", flat=True))


def institution() -> list[int]:
    """Return a thousand merchants: active, restricted and closing ones, some with money due."""
    made = MerchantFactory.build_batch(MANY - 10)
    Merchant.objects.bulk_create(made)
    earning = [dues.merchant() for _ in range(10)]
    for merchant_id in earning:
        dues.payment(merchant_id, 100_00, MONDAY)
    ids = [one.id for one in made]
    merchant_state.move(states.RESTRICT, numbers(ids[:300]))
    merchant_state.move(states.CLOSE, numbers(ids[300:500]))
    return ids + earning


def one_by_one(outside: Sequence[int]) -> None:
    """Move merchants who are not in the list, as other people do meanwhile."""
    for merchant_id in outside:
        for status in ("FROZEN", "ACTIVE", "CLOSING", "FROZEN", "ACTIVE", "ACTIVE"):
            merchant_state.stand(merchant_id, status)


def meanwhile(outside: Sequence[int], waiting: Sequence[object], second: int) -> list[object]:
    """Settle, pay and move others, all at once; return what was refused."""

    def pay_them() -> None:
        for made in waiting:
            payouts.send(**made.key, at=NOON + second * SECOND)  # type: ignore[attr-defined]

    found = together(lambda: settle(TUESDAY), pay_them, lambda: one_by_one(outside))
    return [one for one in found if isinstance(one, Exception)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_come_back_to_where_they_were(cloned_db, channel):
    listed = institution()
    waiting = [pay.attempt("READY").withdrawal for _ in range(5)]
    listed += [made.merchant_id for made in waiting]
    outside = [MerchantFactory().id for _ in range(5)]

    # Somebody moves one of the list before the decision: the whole list stays, and is named anew.
    old = merchant_state.propose(states.FREEZE, *numbers(listed), at=NOON)
    merchant_state.stand(listed[600], "RESTRICTED")
    with pytest.raises(states.StateChanged):
        approve(old, at=NOON)
    former = now(listed)
    assert Counter(former.values()) == {"ACTIVE": 504, "RESTRICTED": 301, "CLOSING": 200}
    moves = MerchantTransition.objects.filter(merchant_id__in=listed).count()

    freeze = merchant_state.propose(states.FREEZE, *numbers(listed), at=NOON)
    for where in ("begun", "written"):
        with stopped(freeze, where):
            assert state_of(freeze) == "PROPOSED"
        assert now(listed) == former
    assert meanwhile(outside, [], 0) == []
    with stopped(freeze, "committed"):
        assert set(now(listed).values()) == {"FROZEN"}
        assert meanwhile(outside, waiting, 1) == []
    assert state_of(freeze) == "APPROVED"
    assert child(freeze, "never").wait(60) != 0  # started again, it finds the decision made
    assert channel.paid() == []

    restore = merchant_state.propose(states.RESTORE, *numbers(listed), at=NOON)
    for where in ("begun", "written"):
        with stopped(restore, where):
            pass
        assert set(now(listed).values()) == {"FROZEN"}
    process = child(restore, "never")
    assert meanwhile(outside, waiting, 2) == []
    assert process.wait(60) == 0

    assert now(listed) == former
    assert MerchantTransition.objects.filter(merchant_id__in=listed).count() == moves + 2 * len(
        listed
    )
    assert set(now(outside).values()) == {"ACTIVE"}
    for made in waiting:
        payouts.send(**made.key, at=NOON + 90 * SECOND)
    settle(TUESDAY)
    assert sorted(channel.paid()) == sorted(set(channel.paid()))
    assert len(channel.paid()) == len(waiting)
    assert dues.balance(listed[MANY - 1], "merchant_available") == 100_00
    connections.close_all()
    assert pay.broken() == []

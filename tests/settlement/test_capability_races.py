"""Withdrawals that are asked for in the moment in which withdrawing is taken away."""

from __future__ import annotations

from functools import partial

from merchants.models import Capability
from settlement.models import Withdrawal
from settlement.services.withdrawal import SignedRequest
from tests.factories import capability
from tests.factories import payout as make
from tests.factories.approval import approve
from tests.factories.payout import NOON
from tests.racing import at_once


def test_each_is_wholly_before_it_or_refused(cloned_db: str) -> None:
    make.address()
    account = make.payee(100_00)
    authority = SignedRequest(make.key(account.merchant))
    proposal = capability.propose(account.merchant_id, Capability.WITHDRAW)
    ask = partial(make.request, account, 5_00, authority=authority)

    ended = at_once(*[ask] * 4, partial(approve, proposal, at=NOON), *[ask] * 4)

    assert set(ended) <= {"done", "CapabilityTaken"}
    stored = Withdrawal.objects.count()
    assert stored == ended["done"] - 1  # one of those done is the decision
    assert make.balances(account.merchant_id)["merchant_available"] == (100_00, stored * 5_00)
    assert at_once(ask) == {"CapabilityTaken": 1}

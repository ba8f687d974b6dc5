"""The freeze by one person and money that leaves: one order, whichever comes first (MST-11)."""

from __future__ import annotations

import pytest

from foundation.models import Approval
from merchants.models import Merchant
from merchants.services import merchant_emergency as emergencies
from settlement.services import payout as payouts
from tests.factories import payout as make
from tests.factories.foundation import PersonFactory, UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.payout import NOON
from tests.merchants.test_merchant_emergency_services import decide, freeze
from tests.settlement.attempts import channel, nobody, send
from tests.settlement.attempts import states as paying
from tests.settlement.test_merchant_state_services import in_freeze
from tests.settlement.test_payout_races import together

__all__ = ["channel", "in_freeze", "nobody"]  # fixtures


@pytest.mark.django_db
def test_what_waits_stays_and_goes_on_when_it_is_taken_back(channel):
    account = make.payee()
    made = make.request(account)
    approval = freeze(account.merchant, at=NOON)
    assert payouts.send(**made.key, at=NOON) is None

    decide(approval, accept=False, at=NOON)

    payouts.send(**made.key, at=NOON)
    assert paying(made) == ("SUCCEEDED", "PAID")


class TestRaces:
    def test_a_payout_behind_the_freeze_waits_for_the_decision(self, cloned_db, channel, in_freeze):
        made = make.attempt("READY").withdrawal
        approvals = []

        results = together(
            lambda: approvals.append(freeze(made.merchant, at=NOON)),
            in_freeze.behind(lambda: send(made)),
        )

        assert results[1] is None
        assert channel.paid() == []
        decide(approvals[0], accept=False, at=NOON)
        payouts.send(**made.key, at=NOON)
        assert paying(made) == ("SUCCEEDED", "PAID")

    def test_two_lists_of_one_person_are_counted_one_after_the_other(self, cloned_db):
        person = PersonFactory()
        lists = [[MerchantFactory() for _ in range(30)] for _ in range(2)]
        makers = [UserFactory(person=person, is_staff=True) for _ in lists]

        results = together(
            *[
                lambda maker=maker, shops=shops: freeze(*shops, maker=maker, at=NOON)
                for maker, shops in zip(makers, lists, strict=True)
            ]
        )

        assert sum(isinstance(one, emergencies.LimitReached) for one in results) == 1
        assert Approval.objects.count() == 1
        assert Merchant.objects.filter(status="FROZEN").count() == 30

    def test_of_two_persons_who_freeze_one_merchant_one_does(self, cloned_db):
        shop = MerchantFactory()

        results = together(*[lambda: freeze(shop, at=NOON)] * 2)

        assert sum(isinstance(one, Exception) for one in results) == 1
        assert Approval.objects.count() == 1

"""The demo waits for what goes on by itself, and for nothing that waits for people."""

from __future__ import annotations

import pytest

from settlement.demo import day
from settlement.services import withdrawal as withdrawals
from settlement.services import withdrawal_review
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories.approval import tier
from tests.factories.foundation import UserFactory


def wait() -> None:
    day.wait_for_payouts(lambda _what: lambda _done, _total: None, patience_seconds=0)


@pytest.fixture(autouse=True)
def _channel(settings: object) -> None:
    make.address()


@pytest.mark.django_db
class TestWaitForPayouts:
    def test_waits_for_one_that_is_to_be_sent(self) -> None:
        made = make.request(make.payee())
        with pytest.raises(day.NotFinished, match="1 of 1"):
            wait()

        withdrawals.cancel(**made.key, at=make.NOON)

        wait()

    def test_does_not_wait_for_people(self) -> None:
        tier(withdrawal_review.REVIEW, from_amount_minor=50_00)
        made = make.request(make.payee(), 50_00)

        wait()

        person = UserFactory(is_staff=True, is_superuser=True)
        withdrawal_review.reject(**made.key, checker=person, reason="no", at=make.NOON)
        wait()

    def test_does_not_wait_for_a_frozen_merchant(self) -> None:
        made = make.request(make.payee())

        merchant_state.stand(made.merchant_id, "FROZEN")

        wait()

"""What changes between the intent to pay and the first byte, and who may act meanwhile."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from channels.adapters.base import Kind
from channels.adapters.simulator import Simulator
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts
from settlement.models import PayoutCase, PayoutChannel, PayoutEvidence
from settlement.services import payout as payouts
from settlement.services import payout_decision as decisions
from settlement.services.payout_verdict import Verdict
from tests.factories import payout as make
from tests.factories.foundation import UserFactory
from tests.factories.payout import NOON
from tests.settlement.attempts import (
    SECOND,
    Status,
    channel,
    decide,
    nobody,
    only,
    run,
    send,
    states,
)

__all__ = ["channel", "nobody"]  # fixtures
Source = PayoutEvidence.Source


def intended(account: BankAccount):
    """Return a withdrawal whose attempt is READY: the sender died before SENDING."""
    made = make.request(account)
    assert payouts._prepare(made.merchant_id, made.id, NOON) is not None
    return made


def switch_off(account: BankAccount) -> None:
    bank_accounts.disable(
        merchant_id=account.merchant_id, bank_account_id=account.id, note="stolen", at=NOON
    )


def propose(attempt, outcome=Status.FAILED):
    return decisions.propose(
        **attempt.key,
        outcome=outcome,
        reason="letter",
        evidence="letter of the bank",
        maker=UserFactory(),
        at=NOON,
    )


@pytest.mark.django_db
class TestAfterTheIntent:
    def test_nothing_leaves_for_whom_may_no_longer_be_paid(self, channel):
        account = make.payee()
        made = intended(account)
        switch_off(account)

        assert send(made) == Verdict.DOUBT

        assert channel.submissions(only(made).number) == 0
        assert states(made) == ("UNKNOWN", "PAYING")
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 50_00)
        assert PayoutCase.objects.get().kind == "NOT_PAYABLE"
        assert make.broken() == []

    def test_two_persons_give_the_money_back(self, channel):
        account = make.payee()
        made = intended(account)
        switch_off(account)
        send(made)
        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.DOUBT

        decide(propose(only(made)), UserFactory(is_superuser=True))

        assert states(made) == ("FAILED", "FAILED")
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 0)
        assert not PayoutCase.objects.filter(closed_at=None).exists()
        assert channel.paid() == []
        assert make.broken() == []

    def test_nothing_leaves_for_another_payee_than_the_intent_names(self, channel, monkeypatch):
        made = intended(make.payee())
        monkeypatch.setattr(Simulator, "payee_hash", lambda self, payee: "another")

        assert send(made) == Verdict.DOUBT

        assert channel.submissions(only(made).number) == 0
        assert PayoutCase.objects.get().kind == "NOT_PAYABLE"
        assert states(made) == ("UNKNOWN", "PAYING")

    def test_it_waits_while_the_channel_is_switched_off(self, channel):
        made = intended(make.payee())
        PayoutChannel.objects.update(enabled=False)

        assert send(made) is None
        assert (states(made), channel.paid()) == (("READY", "PAYING"), [])
        assert PayoutCase.objects.get().kind == "NOT_PAYABLE"
        PayoutChannel.objects.update(enabled=True)

        assert send(made) == Verdict.PAY

    def test_a_lost_order_is_not_handed_in_again_to_a_channel_switched_off(self, channel):
        made = make.request(make.payee())
        channel.rule(forget=True, answer="timeout")
        send(made)
        channel.control("reset-rules", {})
        PayoutChannel.objects.update(enabled=False)

        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.DOUBT
        assert channel.submissions(only(made).number) == 0


@pytest.mark.django_db
class TestLease:
    def test_stays_with_the_sender_whatever_is_called_back_meanwhile(self, nobody):
        attempt = make.attempt("SENDING")

        for kind in (Kind.PROCESSING, Kind.FAILED_CODE, Kind.UNKNOWN):
            make.news(attempt, kind)

        found = make.fresh(attempt)
        assert (found.status, found.lease_expires_at) == ("UNKNOWN", NOON + 60 * SECOND)
        assert payouts.query(**attempt.key, at=NOON + 40 * SECOND, now=True) is None
        make.news(attempt, Kind.UNKNOWN, source=Source.ANSWER, fence=attempt.fence)
        assert make.fresh(attempt).lease_expires_at is None

    def test_of_another_is_not_given_back(self, nobody):
        attempt = make.attempt("SENDING")

        make.news(attempt, Kind.UNKNOWN, source=Source.ANSWER, fence=attempt.fence - 1)

        assert make.fresh(attempt).lease_expires_at == NOON + 60 * SECOND

    @pytest.mark.parametrize("outcome", [Status.FAILED, Status.SUCCEEDED])
    def test_keeps_people_from_deciding_what_is_on_its_way(self, nobody, outcome):
        attempt = make.attempt("SENDING")
        make.news(attempt, Kind.UNKNOWN)
        approval = propose(attempt, outcome)

        with pytest.raises(decisions.NotDecidable):
            decide(approval, UserFactory(is_superuser=True), NOON + 59 * SECOND)
        assert make.fresh(attempt).status == "UNKNOWN"

        decide(approval, UserFactory(is_superuser=True), NOON + 60 * SECOND)
        assert make.fresh(attempt).status == outcome


class TestHandingIn:
    @pytest.fixture
    def lost(self, cloned_db, channel):
        made = make.request(make.payee())
        channel.rule(forget=True, answer="timeout")
        send(made)
        channel.control("reset-rules", {})
        return made

    def test_again_is_not_decided_to_have_failed_meanwhile(self, lost, channel, monkeypatch):
        """The order leaves while two persons say that it failed: they are told to wait."""
        channel.rule(latency=0.15)
        approval, checker = propose(only(lost)), UserFactory(is_superuser=True)
        on_its_way = threading.Event()
        pay_out = Simulator.pay_out
        refused: list[BaseException] = []

        def slowly(self, order):
            on_its_way.set()
            time.sleep(0.3)
            return pay_out(self, order)

        monkeypatch.setattr(Simulator, "pay_out", slowly)

        def act(place: int) -> None:
            try:
                if place == 0:
                    payouts.query(**only(lost).key, at=NOON + 5 * SECOND)
                    return
                assert on_its_way.wait(10)
                decide(approval, checker, NOON + 6 * SECOND)
            except decisions.NotDecidable as refusal:
                refused.append(refusal)
            finally:
                connection.close()

        run(act, 2)

        assert len(refused) == 1
        assert states(lost) == ("SUCCEEDED", "PAID")
        assert channel.paid() == [only(lost).number]
        assert make.broken() == []

    def test_again_does_not_happen_once_it_was_decided_to_have_failed(
        self, lost, channel, monkeypatch
    ):
        """Two persons decide between the answer "no such order" and the next sending."""
        approval, checker = propose(only(lost)), UserFactory(is_superuser=True)
        refusal = payouts._refusal

        def decided_first(attempt, adapter):
            decide(approval, checker, NOON + 6 * SECOND)
            return refusal(attempt, adapter)

        monkeypatch.setattr(payouts, "_refusal", decided_first)

        payouts.query(**only(lost).key, at=NOON + 5 * SECOND)

        assert states(lost) == ("FAILED", "FAILED")
        assert channel.submissions(only(lost).number) == 0
        assert make.broken() == []

    def test_again_is_done_by_one_of_many_askers(self, lost, channel):
        def ask(_place: int) -> None:
            try:
                payouts.query(**only(lost).key, at=NOON + 5 * SECOND, now=True)
            finally:
                connection.close()

        run(ask, 8)

        assert channel.submissions(only(lost).number) == 1
        assert channel.paid() == [only(lost).number]
        assert states(lost) == ("SUCCEEDED", "PAID")


def test_switching_a_payee_off_and_sending_leave_no_payment_after_the_switch(cloned_db, channel):
    for _round in range(4):
        account = make.payee()
        made = make.request(account)
        barrier = threading.Barrier(2)
        moments: dict[int, float] = {}

        def act(place: int, made=made, account=account, barrier=barrier, moments=moments) -> None:
            try:
                barrier.wait(10)
                if place:
                    switch_off(account)
                else:
                    send(made)
                moments[place] = time.monotonic()
            finally:
                connection.close()

        run(act, 2)

        paid = f"{made.number}-1" in channel.paid()
        assert len(moments) == 2
        made.refresh_from_db()
        assert paid == (made.status == "PAID")
        assert make.balances(account.merchant_id)["merchant_available"] == (
            (50_00, 0) if paid else (100_00, 50_00)
        )
        assert send(made) is None
    assert make.broken() == []

"""What a merchant's state means for its money: settling, holding back, paying out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import pytest

from channels.adapters.base import Kind
from foundation.models import OutboxMessage
from foundation.registries import lifecycle_listeners
from settlement.models import Batch, Due, Item, PayoutCase, Run
from settlement.selectors import arrival as arrivals
from settlement.selectors import preview
from settlement.services import batch as batches
from settlement.services import item as items
from settlement.services import payout as payouts
from settlement.services import payout_watch as watch
from settlement.services import run as runs
from settlement.services.payout_verdict import Verdict
from tests.factories import merchant_state
from tests.factories import payout as pay
from tests.factories import settlement as make
from tests.factories.payout import NOON
from tests.settlement.attempts import SECOND, channel, nobody, only, send, states
from tests.settlement.guards import attempt_step, refused
from tests.settlement.runs import assert_proved, settle
from tests.settlement.test_payout_races import together

__all__ = ["channel", "nobody"]  # fixtures
MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)


def earned(minor: int = 100_00) -> int:
    merchant = make.merchant()
    make.payment(merchant, minor, MONDAY)
    return merchant


@pytest.mark.django_db
class TestSettling:
    def test_passes_a_frozen_merchant_over_and_settles_the_others(self):
        good, frozen = earned(), earned(70_00)
        merchant_state.stand(frozen, "FROZEN")

        settle(TUESDAY)

        assert make.balance(good, "merchant_available") == 100_00
        assert make.balance(frozen, "merchant_pending") == 70_00
        assert not Item.objects.filter(merchant_id=frozen).exists()
        (waiting,) = preview.passed_over(run_date=TUESDAY)
        assert (waiting.net_minor, waiting.line_count) == (70_00, 1)
        assert_proved()

    def test_makes_no_run_for_frozen_merchants_alone(self):
        merchant_state.stand(earned(), "FROZEN")

        assert settle(TUESDAY) is None
        assert preview.items(run_date=TUESDAY) == []
        assert not Run.objects.exists()

    def test_settles_what_waited_once_the_merchant_is_restored(self):
        merchant = earned()
        merchant_state.stand(merchant, "FROZEN")
        settle(TUESDAY)
        make.payment(merchant, 30_00, TUESDAY)
        merchant_state.stand(merchant, "ACTIVE")
        assert preview.passed_over(run_date=WEDNESDAY) == []

        settle(WEDNESDAY)

        assert make.balance(merchant, "merchant_available") == 130_00
        assert Due.objects.filter(merchant_id=merchant).count() == 2
        assert_proved()

    def test_restoring_promises_a_run_once_in_its_transaction(self):
        merchant = earned()
        merchant_state.stand(merchant, "FROZEN")
        asked = OutboxMessage.objects.filter(kind="settlement.settle_due")
        assert not asked.exists()

        merchant_state.stand(merchant, "ACTIVE")

        assert [(m.merchant.kind, m.payload) for m in asked] == [("HOUSE", {})]

    def test_settles_a_restricted_merchant_to_its_balance(self):
        merchant = earned()
        merchant_state.stand(merchant, "RESTRICTED")

        settle(TUESDAY)

        assert make.balance(merchant, "merchant_available") == 100_00
        assert_proved()

    def test_passes_over_who_is_frozen_after_the_run_was_planned(self):
        good, frozen = earned(), earned()
        started = runs.start(run_date=TUESDAY)
        assert started is not None
        merchant_state.stand(frozen, "FROZEN")

        runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)

        assert make.balance(good, "merchant_available") == 100_00
        assert make.balance(frozen, "merchant_available") == 0
        assert Run.objects.get().state == "DONE"
        assert_proved()

    def test_takes_the_run_away_when_all_it_planned_are_frozen_since(self):
        merchant = earned()
        started = runs.start(run_date=TUESDAY)
        assert started is not None
        merchant_state.stand(merchant, "FROZEN")

        runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)

        assert not Run.objects.exists()
        assert not Batch.objects.exists()

    def test_leaves_held_back_what_is_a_frozen_merchants(self, monkeypatch):
        merchant = earned()
        real = items.journal.post_bulk

        def refuse(**_: object) -> int:
            raise batches.errors.EntryConflict("not today")

        monkeypatch.setattr(items.journal, "post_bulk", refuse)
        settle(TUESDAY)
        monkeypatch.setattr(items.journal, "post_bulk", real)
        merchant_state.stand(merchant, "FROZEN")

        assert runs.retry_held_back(at=make.NOON) == 0
        assert Item.objects.get().state == "HELD_BACK"
        merchant_state.stand(merchant, "ACTIVE")

        assert runs.retry_held_back(at=make.NOON) == 1
        assert make.balance(merchant, "merchant_available") == 100_00

    def test_what_a_frozen_merchant_has_due_has_no_day(self):
        merchant = earned()
        make.payment(merchant, 30_00, TUESDAY)

        found = arrivals.upcoming(merchant_id=merchant, today=TUESDAY, frozen=True)["CNY"]

        assert [(a.due_date, a.amount.minor, a.frozen) for a in found] == [
            (None, 100_00, True),
            (WEDNESDAY, 30_00, False),
        ]


@pytest.mark.django_db
class TestPaying:
    def test_an_order_that_was_not_sent_waits_and_goes_on_when_restored(self, channel):
        attempt = pay.attempt("READY")
        made = attempt.withdrawal
        merchant_state.stand(made.merchant_id, "FROZEN")

        assert send(made) is None
        assert payouts._claim(attempt, NOON) is None
        assert (states(made), channel.submissions(attempt.number)) == (("READY", "PAYING"), 0)
        assert PayoutCase.objects.get().kind == "NOT_PAYABLE"
        merchant_state.stand(made.merchant_id, "ACTIVE")

        assert send(made) == Verdict.PAY
        assert channel.paid() == [attempt.number]
        assert not PayoutCase.objects.filter(closed_at=None).exists()
        assert pay.broken() == []

    def test_what_was_frozen_between_the_claim_and_the_first_byte_waits_too(
        self, channel, monkeypatch
    ):
        made = pay.attempt("READY").withdrawal
        claim = payouts._claim

        def frozen_behind(attempt, at):
            fence = claim(attempt, at)
            merchant_state.stand(made.merchant_id, "FROZEN")
            return fence

        monkeypatch.setattr(payouts, "_claim", frozen_behind)
        assert send(made) == Verdict.RESEND
        monkeypatch.setattr(payouts, "_claim", claim)
        later = NOON + 61 * SECOND

        assert states(made) == ("SENDING", "PAYING")
        assert watch.due_to_send(later, limit=9) == []
        assert payouts.send(**made.key, at=later) is None
        assert channel.submissions(only(made).number) == 0
        merchant_state.stand(made.merchant_id, "ACTIVE")

        assert watch.due_to_send(later, limit=9) == [(made.merchant_id, made.id)]
        assert payouts.send(**made.key, at=later) == Verdict.PAY
        assert channel.paid() == [only(made).number]
        assert pay.broken() == []

    @pytest.mark.parametrize("state", ["FROZEN", "RESTRICTED"])
    def test_what_was_sent_is_still_asked_about_and_booked(self, channel, state):
        made = pay.request(pay.payee())
        channel.rule(answer="timeout")
        assert send(made) == Verdict.DOUBT
        channel.control("reset-rules", {})
        merchant_state.stand(made.merchant_id, state)

        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.PAY

        assert states(made) == ("SUCCEEDED", "PAID")
        assert channel.paid() == [only(made).number]
        assert pay.broken() == []

    def test_a_callback_about_a_frozen_merchants_payout_is_heard(self, nobody):
        attempt = pay.attempt("UNKNOWN")
        merchant_state.stand(attempt.merchant_id, "FROZEN")

        assert pay.news(attempt, Kind.SUCCESS) == Verdict.PAY
        assert pay.fresh(attempt).status == "SUCCEEDED"

    def test_a_lost_order_of_a_frozen_merchant_is_not_handed_in_again(self, channel):
        made = pay.request(pay.payee())
        channel.rule(forget=True, answer="timeout")
        send(made)
        channel.control("reset-rules", {})
        merchant_state.stand(made.merchant_id, "FROZEN")

        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.DOUBT
        assert channel.submissions(only(made).number) == 0
        merchant_state.stand(made.merchant_id, "ACTIVE")

        assert payouts.query(**only(made).key, at=NOON + 60 * SECOND) == Verdict.PAY
        assert channel.paid() == [only(made).number]

    def test_the_database_sends_nothing_of_a_frozen_merchant(self, nobody):
        ready = pay.attempt("READY")
        merchant_state.stand(ready.merchant_id, "FROZEN")
        sending = pay.attempt("SENDING")
        merchant_state.stand(sending.merchant_id, "FROZEN")

        refused("not active", *attempt_step("SENDING", ", sent_at = now()"), attempt=ready.id)
        refused(
            "not active",
            "UPDATE settlement_payout_attempt SET fence = fence + 1 WHERE id = %(attempt)s",
            attempt=sending.id,
        )


class Gate:
    """Stops a thread at a point inside its transaction until others had their chance."""

    def __init__(self) -> None:
        self.inside, self.open = threading.Event(), threading.Event()

    def stop(self) -> None:
        self.inside.set()
        assert self.open.wait(30)

    def behind(self, work: Callable[[], object]) -> Callable[[], object]:
        """Return `work` as a thread does it that comes when the other is inside."""

        def late() -> object:
            assert self.inside.wait(30)
            threading.Timer(0.5, self.open.set).start()
            return work()

        return late


def freezing(merchant_id: int) -> Callable[[], object]:
    """Return the decision that freezes a merchant; the proposal is made here."""
    number = make.Merchant.objects.get(id=merchant_id).merchant_no
    approval = merchant_state.propose(merchant_state.states.FREEZE, number)
    return lambda: merchant_state.approve(approval, at=merchant_state.AT)


@pytest.fixture
def in_freeze(monkeypatch):
    """A gate in every freeze, after the merchant has moved and before it is committed."""
    gate = Gate()

    def listener(*, event: str, merchant_ids: object, payload: object) -> None:
        if event == "merchants.frozen":
            gate.stop()

    monkeypatch.setitem(lifecycle_listeners._items, "test.gate", listener)
    return gate


class TestRaces:
    """A freeze and money that moves stand in one order, whichever comes first."""

    @pytest.fixture(autouse=True)
    def _own(self, cloned_db):
        return cloned_db

    def test_a_payout_that_comes_behind_a_freeze_waits(self, channel, in_freeze):
        made = pay.attempt("READY").withdrawal

        results = together(freezing(made.merchant_id), in_freeze.behind(lambda: send(made)))

        assert results[1] is None
        assert states(made) == ("READY", "PAYING")
        assert channel.paid() == []
        assert pay.broken() == []

    def test_a_request_that_comes_behind_a_freeze_is_refused(self, nobody, in_freeze):
        account = pay.payee()
        authority = payouts_authority(account)

        results = together(
            freezing(account.merchant_id),
            in_freeze.behind(lambda: pay.request(account, authority=authority)),
        )

        assert type(results[1]).__name__ == "MerchantNotActive"
        assert pay.balances(account.merchant_id)["merchant_available"] == (100_00, 0)

    def test_a_settling_that_comes_behind_a_freeze_passes_over(self, in_freeze):
        merchant = earned()

        together(freezing(merchant), in_freeze.behind(lambda: settle(TUESDAY)))

        assert make.balance(merchant, "merchant_available") == 0
        assert not Item.objects.exists()
        assert_proved()

    def test_a_freeze_that_comes_behind_a_claim_waits_for_it(self, channel, monkeypatch):
        made = pay.attempt("READY").withdrawal
        gate, move = Gate(), payouts.move_attempt

        def slow(*given: object, **more: object) -> None:
            move(*given, **more)
            gate.stop()

        monkeypatch.setattr(payouts, "move_attempt", slow)
        results = together(lambda: send(made), gate.behind(freezing(made.merchant_id)))

        # Claimed first: it is paid, or proved unsent and waits; never lost, never twice.
        assert results[0] in (Verdict.PAY, Verdict.RESEND)
        assert channel.paid() == ([only(made).number] if results[0] == Verdict.PAY else [])
        merchant_state.stand(made.merchant_id, "ACTIVE")
        payouts.send(**made.key, at=NOON + 61 * SECOND)
        assert channel.paid() == [only(made).number]
        assert pay.broken() == []

    def test_a_freeze_that_comes_behind_a_settling_leaves_it_whole(self, monkeypatch):
        merchant = earned()
        gate, real = Gate(), batches.holds.open_bulk

        def slow(**call: object) -> int:
            gate.stop()
            return real(**call)

        monkeypatch.setattr(batches.holds, "open_bulk", slow)
        together(lambda: settle(TUESDAY), gate.behind(freezing(merchant)))

        assert make.balance(merchant, "merchant_available") == 100_00
        assert make.Merchant.objects.get(id=merchant).status == "FROZEN"
        assert_proved()


def payouts_authority(account):
    return pay.withdrawals.SignedRequest(pay.key(account.merchant))

"""Payouts through the real simulator: sent once, asked about, called back, judged by its book."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as project
from django.db import DatabaseError, connection, transaction
from django.test import Client

from channels.adapters.base import Kind
from config.errors import NotFound
from foundation import clock, sql
from foundation.services import approval as approvals
from foundation.services import outbox
from merchants.models import Merchant
from merchants.services import bank_account as bank_accounts
from merchants.services import house
from settlement.models import (
    PayeeBlock,
    PayoutAttempt,
    PayoutCallback,
    PayoutCase,
    PayoutChannel,
    PayoutEvidence,
    PayoutStatus,
)
from settlement.models.payout import TRANSITIONS
from settlement.services import payout as payouts
from settlement.services import payout_channel as channels
from settlement.services import payout_decision as decisions
from settlement.services import payout_watch
from settlement.services.payee import PayeeRefused
from settlement.services.payout_verdict import BACKOFF_SECONDS, Verdict
from settlement.services.transition import IllegalTransition, move_attempt
from tests import databases
from tests.factories import payout as make
from tests.factories import simulator as simulators
from tests.factories.foundation import UserFactory
from tests.factories.payout import NOON

Status = PayoutAttempt.Status
SECOND = timedelta(seconds=1)


@pytest.fixture
def channel(tmp_path: Path, settings):
    with simulators.running(tmp_path) as running:
        make.address(running.url)
        yield running


@pytest.fixture
def nobody(settings):
    make.address()


def send(made) -> Verdict | None:
    return payouts.send(**made.key, at=NOON)


def only(made) -> PayoutAttempt:
    return PayoutAttempt.objects.select_related("withdrawal").get(withdrawal=made)


def states(made) -> tuple[str, str]:
    made.refresh_from_db()
    return only(made).status, made.status


@pytest.mark.django_db
class TestSend:
    def test_pays_once_and_says_so(self, channel):
        made = make.request(make.payee())

        assert send(made) == Verdict.PAY

        assert states(made) == ("SUCCEEDED", "PAID")
        assert only(made).number == f"{made.number}-1"
        assert channel.paid() == [f"{made.number}-1"]
        assert make.broken() == []

    def test_never_sends_again(self, channel):
        made = make.request(make.payee())
        send(made)

        assert [send(made) for _ in range(4)] == [None] * 4
        assert channel.submissions(only(made).number) == 1

    @pytest.mark.parametrize("answer", ["timeout", "reset", "garbage", "http_500", "forged"])
    @pytest.mark.parametrize("paid", [True, False])
    def test_is_in_doubt_until_a_query_tells(self, channel, answer, paid):
        made = make.request(make.payee())
        later = {"pay_after": 0} if paid else {"pay_after": None, "refuse": "ACCOUNT_CLOSED"}
        channel.rule(answer=answer, **later)

        assert send(made) == Verdict.DOUBT
        assert states(made) == ("UNKNOWN", "PAYING")
        assert payouts.query(**only(made).key, at=NOON + 4 * SECOND) is None
        first = payouts.query(**only(made).key, at=NOON + 5 * SECOND)

        if paid:
            assert first == Verdict.PAY
        else:
            assert first == Verdict.COOL
            assert payouts.query(**only(made).key, at=NOON + 34 * SECOND) is None
            assert payouts.query(**only(made).key, at=NOON + 35 * SECOND) == Verdict.FAIL
        assert states(made) == (("SUCCEEDED", "PAID") if paid else ("FAILED", "FAILED"))
        assert channel.submissions(only(made).number) == 1
        assert len(channel.paid()) == paid
        assert make.broken() == []

    def test_of_an_order_that_was_lost_is_handed_in_again_where_the_channel_promises(self, channel):
        made = make.request(make.payee())
        channel.rule(forget=True, answer="timeout")
        send(made)
        channel.control("reset-rules", {})

        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.PAY

        assert channel.paid() == [only(made).number]
        assert PayoutAttempt.objects.filter(withdrawal=made).count() == 1
        assert make.broken() == []

    def test_of_an_order_the_channel_once_knew_is_not_handed_in_again(self, channel):
        made = make.request(make.payee())
        channel.rule(pay_after=None, queries=["not_found", "not_found"])
        assert send(made) == Verdict.PROCESS

        for seconds in (5, 200):
            at = NOON + seconds * SECOND
            assert payouts.query(**only(made).key, at=at) == Verdict.DOUBT

        assert channel.submissions(only(made).number) == 1

    def test_of_a_lost_order_is_not_handed_in_again_for_a_payee_switched_off(self, channel):
        account = make.payee()
        made = make.request(account)
        channel.rule(forget=True, answer="timeout")
        send(made)
        channel.control("reset-rules", {})
        bank_accounts.disable(
            merchant_id=account.merchant_id, bank_account_id=account.id, note="stolen"
        )

        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.DOUBT
        assert channel.paid() == []

    def test_of_an_order_that_was_lost_on_the_way_stays_in_doubt_otherwise(self, channel):
        PayoutChannel.objects.update(resend_promised=False)
        made = make.request(make.payee())
        channel.rule(forget=True, answer="timeout")
        send(made)

        for step in range(1, 8):
            verdict = payouts.query(**only(made).key, at=NOON + step * timedelta(minutes=20))
            assert verdict == Verdict.DOUBT

        assert states(made) == ("UNKNOWN", "PAYING")
        assert channel.submissions(only(made).number) == 0

    def test_waits_while_the_channel_is_at_it(self, channel):
        made = make.request(make.payee())
        channel.rule(pay_after=0.2)

        assert send(made) == Verdict.PROCESS
        assert payouts.query(**only(made).key, at=NOON + 5 * SECOND) == Verdict.NOTHING
        time.sleep(0.25)
        assert payouts.query(**only(made).key, at=NOON + 20 * SECOND) == Verdict.PAY

    def test_sends_the_same_order_again_when_nothing_had_left(self, channel):
        make.address()
        made = make.request(make.payee())
        assert send(made) == Verdict.RESEND
        assert states(made) == ("SENDING", "PAYING")

        make.address(channel.url)
        assert send(made) is None  # not yet
        assert payouts.send(**made.key, at=NOON + 5 * SECOND) == Verdict.PAY

        assert channel.paid() == [only(made).number]
        assert PayoutAttempt.objects.filter(withdrawal=made).count() == 1

    def test_does_not_believe_another_amount(self, channel):
        made = make.request(make.payee())
        channel.rule(answer="other_amount")

        assert send(made) == Verdict.MISMATCH
        assert states(made) == ("UNKNOWN", "PAYING")
        assert PayoutCase.objects.get(attempt=only(made)).kind == "MISMATCH"

    def test_waits_while_merchant_or_payee_may_not_be_paid(self, nobody):
        account = make.payee()
        made = make.request(account)
        Merchant.objects.filter(id=account.merchant_id).update(status="FROZEN")

        assert send(made) is None
        made.refresh_from_db()
        assert made.status == "HELD"
        case = PayoutCase.objects.get(kind="NOT_PAYABLE")
        assert case.subject == made.number

        Merchant.objects.filter(id=account.merchant_id).update(status="ACTIVE")
        assert send(made) == Verdict.RESEND
        case.refresh_from_db()
        assert case.closed_at == NOON

    def test_waits_while_the_channel_is_not_configured(self, settings):
        make.address("")
        made = make.request(make.payee())

        assert send(made) is None
        made.refresh_from_db()
        assert made.status == "HELD"


@pytest.mark.django_db
class TestQuery:
    def test_comes_later_and_later(self, nobody):
        attempt = make.attempt("UNKNOWN")
        at, pauses = NOON, []
        for _ in range(7):
            due = make.fresh(attempt).next_query_at
            pauses.append(int((due - at).total_seconds()))
            at = due
            payouts.query(**attempt.key, at=at)

        assert pauses == [5, 15, 60, 300, 600, 600, 600]
        assert BACKOFF_SECONDS == (5, 15, 60, 300, 600)

    def test_is_asked_by_one_at_a_time(self, nobody):
        attempt = make.attempt("UNKNOWN")
        at = NOON + 5 * SECOND

        assert payouts._claim_query(attempt, at, now=False)
        assert not payouts._claim_query(attempt, at, now=False)
        assert not payouts._claim_query(attempt, at + 59 * SECOND, now=True)
        assert payouts._claim_query(attempt, at + 60 * SECOND, now=True)

    def test_is_not_asked_about_what_has_ended(self, nobody):
        for status in ("READY", "SENDING", "SUCCEEDED", "FAILED", "RETURNED", "DISPUTED"):
            attempt = make.attempt(status)
            late = NOON + timedelta(days=1)
            assert payouts.query(**attempt.key, at=late, now=True) is None

    def test_does_not_know_another_merchants_attempt(self, nobody):
        attempt, other = make.attempt("UNKNOWN"), make.payee()

        assert payouts.query(merchant_id=other.merchant_id, attempt_id=attempt.id, at=NOON) is None
        with pytest.raises(NotFound):
            make.apply_result(
                merchant_id=other.merchant_id,
                attempt_id=attempt.id,
                source=PayoutEvidence.Source.QUERY,
                evidence=make.evidence(attempt, Kind.SUCCESS),
                at=NOON,
            )


@pytest.mark.django_db
class TestRecovery:
    def test_treats_an_abandoned_sending_as_unknown(self, nobody):
        attempt = make.attempt("SENDING")
        early, late = NOON + 59 * SECOND, NOON + 60 * SECOND

        assert payouts.recover(**attempt.key, at=early) is None
        assert payouts.recover(**attempt.key, at=late) == Verdict.DOUBT
        assert payouts.recover(**attempt.key, at=late) is None
        assert make.fresh(attempt).status == "UNKNOWN"
        assert payouts.send(**attempt.withdrawal.key, at=late) is None

    def test_finds_what_messages_lost(self, nobody):
        held = make.request(make.payee())
        ready, sending = make.attempt("READY"), make.attempt("SENDING")
        unknown = make.attempt("UNKNOWN")
        late = NOON + 61 * SECOND

        assert set(payouts.due_to_send(late, limit=9)) == {
            (held.merchant_id, held.id),
            (ready.merchant_id, ready.withdrawal_id),
        }
        assert payouts.due_to_recover(late, limit=9) == [(sending.merchant_id, sending.id)]
        assert payouts.due_to_query(late, limit=9) == [(unknown.merchant_id, unknown.id)]
        assert payouts.due_to_send(NOON, limit=9) == []


@pytest.mark.django_db
class TestWatch:
    def test_hands_out_ids_of_what_is_due_and_survives_without_a_broker(self, nobody, monkeypatch):
        from kombu.exceptions import OperationalError

        held, unknown = make.request(make.payee()), make.attempt("UNKNOWN")
        handed: list[tuple[str, dict[str, int]]] = []
        monkeypatch.setattr(
            payout_watch.current_app,
            "send_task",
            lambda kind, kwargs, **_: handed.append((kind, kwargs)),
        )
        late = NOON + 61 * SECOND

        assert payout_watch.look(late) == 2
        assert handed == [
            ("settlement.pay_withdrawal", held.key),
            ("settlement.query_payout", unknown.key),
        ]

        def down(*_args, **_names):
            raise OperationalError

        monkeypatch.setattr(payout_watch.current_app, "send_task", down)
        assert payout_watch.look(late) == 0

    def test_tasks_take_what_newer_or_older_code_adds(self, nobody):
        from settlement import tasks

        made, attempt = make.request(make.payee()), make.attempt("UNKNOWN")

        tasks.pay_withdrawal(**made.key, added_later=1)
        tasks.query_payout(**attempt.key, added_later=1)
        tasks.recover_payout(**attempt.key, added_later=1)
        tasks.withdrawal_changed(**made.key, added_later=1)
        tasks.alarm_payouts(added_later=1)

        assert states(made) == ("SENDING", "PAYING")


@pytest.mark.django_db
class TestAlarm:
    def test_rings_after_half_an_hour_and_again_after_a_business_day(self, nobody):
        attempt = make.attempt("UNKNOWN")  # a Monday

        def kinds() -> list[str]:
            found = PayoutCase.objects.filter(attempt=attempt).order_by("id")
            return [case.kind for case in found]

        assert payout_watch.alarm(NOON + timedelta(minutes=29)) == 0
        assert payout_watch.alarm(NOON + timedelta(minutes=30)) == 1
        assert payout_watch.alarm(NOON + timedelta(minutes=40)) == 0
        assert payout_watch.alarm(NOON + timedelta(days=1)) == 0
        assert payout_watch.alarm(NOON + timedelta(days=2)) == 1
        assert kinds() == ["UNKNOWN_ALARM", "UNKNOWN_TOO_LONG"]

    def test_ends_when_the_result_is_there(self, nobody):
        attempt = make.attempt("UNKNOWN")
        payout_watch.alarm(NOON + timedelta(minutes=30))

        make.news(attempt, Kind.SUCCESS)

        assert PayoutCase.objects.get(attempt=attempt).outcome == "SUCCEEDED"


@pytest.mark.django_db
class TestTransitions:
    @pytest.mark.parametrize("before", list(Status))
    def test_outside_of_the_table_are_refused_by_service_and_database(self, nobody, before):
        attempt = make.attempt(before)

        for after in set(Status) - TRANSITIONS[before] - {before}:
            with pytest.raises(IllegalTransition), transaction.atomic():
                move_attempt(attempt, after, at=NOON)
            with pytest.raises(DatabaseError, match="illegal_transition"), transaction.atomic():
                sql.execute(
                    "UPDATE settlement_payout_attempt SET status = %s, sequence = sequence + 1"
                    " WHERE id = %s",
                    [after, attempt.id],
                )

    def test_of_the_table_and_of_the_database_are_the_same(self):
        text = sql.load("settlement", "payout")
        pairs = {
            (before, after)
            for before in Status
            for after in Status
            if f"('{before}', '{after}')" in text
        }

        assert pairs == {(before, after) for before in Status for after in TRANSITIONS[before]}

    @pytest.mark.parametrize(
        "change",
        ["amount_minor = 1", "payee_hash = 'x'", "number = 'x'", "sent_at = now()", "fence = -1"],
    )
    def test_never_change_what_was_sent(self, nobody, change):
        attempt = make.attempt("SENDING")

        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute(
                f"UPDATE settlement_payout_attempt SET {change} WHERE id = %s", [attempt.id]
            )

    @pytest.mark.parametrize(
        ("first", "constraint"),
        [("SENDING", "attempt_one_live"), ("UNKNOWN", "attempt_one_live")],
    )
    def test_allow_no_second_live_attempt(self, nobody, first, constraint):
        attempt = make.attempt(first)

        with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
            PayoutAttempt.objects.create(
                merchant_id=attempt.merchant_id,
                withdrawal=attempt.withdrawal,
                number=f"{attempt.number}x",
                attempt_no=2,
                channel=attempt.channel,
                amount_minor=attempt.amount_minor,
                currency=attempt.currency,
                payee_hash=attempt.payee_hash,
                created_at=NOON,
            )

    @pytest.mark.parametrize(
        "table",
        ["payout_attempt", "payout_transition", "payout_evidence", "payout_status", "payout_case"],
    )
    def test_leave_a_history_that_nobody_deletes(self, nobody, table):
        make.attempt("DISPUTED")

        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute(f"DELETE FROM settlement_{table}")


@pytest.mark.django_db
class TestStatusMap:
    # One line of the reviewed map each: what is not here is UNKNOWN.
    @pytest.mark.parametrize(
        ("code", "meaning"),
        [
            ("OK", Kind.SUCCESS),
            ("IN_PROCESS", Kind.PROCESSING),
            ("ACCOUNT_CLOSED", Kind.FAILED_CODE),
            ("NAME_MISMATCH", Kind.FAILED_CODE),
            ("BANK_REFUSED", Kind.FAILED_CODE),
            ("RETURNED_BY_BANK", Kind.RETURNED),
            ("ORDER_NOT_FOUND", Kind.NOT_FOUND),
            ("ORDER_CONTENT_DIFFERS", Kind.CONTENT_DIFFERS),
            ("SYSTEM_BUSY", Kind.UNKNOWN),
        ],
    )
    def test_says(self, code, meaning):
        assert channels.meanings(channels.find("simulator"))[code] == meaning

    def test_has_no_other_line(self):
        assert len(channels.meanings(channels.find("simulator"))) == 9

    def test_takes_a_code_it_does_not_know_for_unknown(self, channel):
        made = make.request(make.payee())
        channel.rule(answer="code:INSUFFICIENT_FLOAT", pay_after=None)

        assert send(made) == Verdict.DOUBT

    def test_is_changed_by_two_persons_in_a_new_version(self, nobody):
        maker, other = UserFactory(), UserFactory(is_superuser=True)
        simulator = channels.find("simulator")
        approval = channels.propose_status(
            channel=simulator,
            code="SYSTEM_BUSY",
            meaning=PayoutStatus.Meaning.FAILED_CODE,
            reason="the channel's letter",
            maker=maker,
            at=NOON,
            expires_at=NOON + timedelta(days=1),
        )
        assert channels.meanings(simulator)["SYSTEM_BUSY"] == Kind.UNKNOWN

        decide(approval, other)

        assert channels.meanings(simulator)["SYSTEM_BUSY"] == Kind.FAILED_CODE
        assert PayoutStatus.objects.filter(code="SYSTEM_BUSY").count() == 2


def decide(approval, checker, at=NOON):
    return approvals.decide(
        approval_id=approval.id,
        merchant_id=approval.merchant_id,
        checker=checker,
        approve=True,
        reason="",
        seen_sha256=approval.content_sha256,
        at=at,
    )


@pytest.mark.django_db
class TestDecision:
    def propose(self, attempt, outcome, maker=None):
        return decisions.propose(
            **attempt.key,
            outcome=outcome,
            reason="statement of the bank",
            evidence="letter 2026-03-02",
            maker=maker or UserFactory(),
            at=NOON,
        )

    @pytest.mark.parametrize(
        ("way", "outcome", "entries", "available", "withdrawal"),
        [
            ("UNKNOWN", "SUCCEEDED", {"payout_paid": 3}, 49_00, "PAID"),
            ("UNKNOWN", "FAILED", {}, 100_00, "FAILED"),
            ("CONTRADICTED", "SUCCEEDED", {"payout_paid": 3}, 49_00, "PAID"),
            ("CONTRADICTED", "FAILED", {"payout_paid": 3, "reversal": 3}, 100_00, "FAILED"),
            (
                "CONTRADICTED",
                "RETURNED",
                {"payout_paid": 3, "payout_returned": 2},
                99_00,
                "RETURNED",
            ),
            ("DISPUTED", "SUCCEEDED", {"payout_late": 2, "payout_resolved": 2}, 100_00, "PAID"),
            ("DISPUTED", "FAILED", {"payout_late": 2, "reversal": 2}, 100_00, "FAILED"),
            ("DISPUTED", "RETURNED", {"payout_late": 2, "payout_resolved": 2}, 100_00, "RETURNED"),
        ],
    )
    def test_of_two_persons_ends_it_with_the_journal_they_saw(
        self, nobody, way, outcome, entries, available, withdrawal
    ):
        make.fee(1_00)
        attempt = make.attempt("SUCCEEDED" if way == "CONTRADICTED" else way)
        if way == "CONTRADICTED":
            make.news(attempt, Kind.FAILED_CODE)

        decide(self.propose(attempt, Status(outcome)), UserFactory(is_superuser=True))

        found = make.fresh(attempt)
        assert (found.status, found.withdrawal.status) == (outcome, withdrawal)
        causes = ("payout_paid", "payout_late", "payout_returned", "payout_resolved", "reversal")
        booked = {kind: len(make.postings(attempt.merchant_id, kind)) for kind in causes}
        assert {kind: count for kind, count in booked.items() if count} == entries
        assert make.balances(attempt.merchant_id)["merchant_available"] == (available, 0)
        assert not PayoutCase.objects.filter(attempt=attempt, closed_at=None).exists()
        assert not PayeeBlock.objects.filter(attempt=attempt, lifted_at=None).exists()
        assert PayoutEvidence.objects.filter(attempt=attempt, source="DECISION").count() == 1
        assert make.broken() == []

    def test_of_a_late_success_collects_from_the_merchant(self, nobody):
        attempt = make.attempt("DISPUTED")

        decide(self.propose(attempt, Status.SUCCEEDED), UserFactory(is_superuser=True))

        assert make.balances(attempt.merchant_id)["merchant_debt"] == (50_00, 0)
        assert "disputed_receivable" not in make.balances(attempt.merchant_id)

    def test_of_one_person_is_none(self, nobody):
        attempt, maker = make.attempt("UNKNOWN"), UserFactory(is_superuser=True)
        approval = self.propose(attempt, Status.SUCCEEDED, maker)

        with pytest.raises(approvals.SelfApprovalForbidden):
            decide(approval, maker)

        assert make.fresh(attempt).status == "UNKNOWN"

    def test_is_void_when_the_channel_spoke_meanwhile(self, nobody):
        attempt = make.attempt("UNKNOWN")
        approval = self.propose(attempt, Status.FAILED)
        make.news(attempt, Kind.SUCCESS)

        with pytest.raises(decisions.NotDecidable):
            decide(approval, UserFactory(is_superuser=True))

        assert make.fresh(attempt).status == "SUCCEEDED"

    def test_needs_its_paper_and_an_attempt_that_is_open_to_it(self, nobody):
        with pytest.raises(decisions.NotDecidable):
            self.propose(make.attempt("SUCCEEDED"), Status.FAILED)
        with pytest.raises(decisions.EvidenceMissing):
            decisions.propose(
                **make.attempt("UNKNOWN").key,
                outcome=Status.FAILED,
                reason="",
                evidence=" ",
                maker=UserFactory(),
                at=NOON,
            )

    def test_lets_the_payee_be_paid_again_only_when_it_fell(self, nobody):
        attempt = make.attempt("DISPUTED")
        account = attempt.withdrawal.bank_account
        with pytest.raises(PayeeRefused):
            make.request(account, 1_00)

        decide(self.propose(attempt, Status.FAILED), UserFactory(is_superuser=True))

        assert make.request(account, 1_00).status == "HELD"


@pytest.mark.django_db
class TestCallback:
    @pytest.fixture
    def called(self, channel, monkeypatch):
        """What the simulator would send, handed over to the door by hand."""
        from channels.simulator import callbacks

        received: list[tuple[bytes, dict[str, str]]] = []
        monkeypatch.setattr(
            callbacks, "deliver", lambda url, body, headers: received.append((body, headers)) or ""
        )
        channel.control("callback-url", {"url": "http://127.0.0.1:9/"})

        def call(order_no: str, says: str = "truth") -> tuple[bytes, dict[str, str]]:
            before = len(received)
            channel.control("callbacks", {"order_no": order_no, "says": says})
            deadline = time.monotonic() + 5
            while len(received) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            return received[before]

        return call

    def post(self, body: bytes, headers: dict[str, str], code: str = "simulator"):
        return Client().post(
            f"/channels/{code}/callback", body, content_type="application/json", headers=headers
        )

    def test_ends_what_was_unknown_and_is_answered_after_the_commit(self, channel, called):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)

        answer = self.post(*called(only(made).number))

        assert (answer.status_code, answer.content) == (200, b"SUCCESS")
        assert states(made) == ("SUCCEEDED", "PAID")
        kept = PayoutCallback.objects.get()
        assert (kept.merchant_id, kept.order_no) == (made.merchant_id, only(made).number)

    def test_doubled_is_kept_once_and_changes_nothing(self, channel, called):
        made = make.request(make.payee())
        send(made)
        said = called(only(made).number)

        answers = [self.post(*said).content for _ in range(3)]

        assert answers == [b"SUCCESS"] * 3
        assert PayoutCallback.objects.count() == 1
        assert only(made).sequence == 3
        assert make.broken() == []

    @pytest.mark.parametrize("says", ["forged", "unsigned", "stale", "garbage"])
    def test_that_is_not_the_channels_is_kept_but_not_believed(self, channel, called, says):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)

        answer = self.post(*called(only(made).number, says))

        assert (answer.status_code, answer.content) == (400, b"callback_refused")
        assert states(made) == ("UNKNOWN", "PAYING")
        assert PayoutCallback.objects.count() == 1
        assert PayoutCase.objects.get().kind == "BAD_CALLBACK"

    def test_forged_first_does_not_shut_out_the_true_one(self, channel, called):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)
        body, headers = called(only(made).number)
        self.post(body, headers | {"X-Channel-Signature": "AAAA"})

        assert self.post(body, headers).status_code == 200
        assert states(made) == ("SUCCEEDED", "PAID")

    def test_that_contradicts_is_disputed(self, channel, called):
        made = make.request(make.payee())
        send(made)

        self.post(*called(only(made).number, "code:ACCOUNT_CLOSED"))

        assert states(made) == ("DISPUTED", "DISPUTED")

    def test_with_another_amount_is_a_case(self, channel, called):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)

        assert self.post(*called(only(made).number, "other_amount")).status_code == 200
        assert states(made) == ("UNKNOWN", "PAYING")
        assert PayoutCase.objects.get().kind == "MISMATCH"

    def test_about_an_order_nobody_knows_is_a_case_and_makes_no_attempt(self, channel, called):
        made = make.request(make.payee())
        send(made)

        answer = self.post(*called(only(made).number, "other_order"))

        assert answer.content == b"SUCCESS"
        case = PayoutCase.objects.get()
        assert (case.kind, case.merchant_id) == ("UNKNOWN_ORDER", house.house().id)
        assert PayoutAttempt.objects.count() == 1

    def test_of_a_return_gives_the_money_back(self, channel, called):
        account = make.payee()
        made = make.request(account)
        send(made)

        channel.server.engine.book.take_back(only(made).number)
        self.post(*called(only(made).number))

        assert states(made) == ("RETURNED", "RETURNED")
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 0)

    @pytest.mark.parametrize(
        ("code", "method", "body", "status"),
        [
            ("nobody", "post", b"{}", 404),
            ("simulator", "get", b"", 405),
            ("simulator", "post", b"x" * 65_537, 413),
            ("simulator", "post", b"\xff\x00", 400),
            ("simulator", "post", b'{"order_no": {"a": 1}}', 400),
            ("simulator", "post", b"[" * 10_000, 400),
            ("simulator", "post", b'{"order_no": "W\\u0000\\ud800"}', 400),
            ("simulator", "post", b'{"order_no": "W26030000001-000001-1", "code": 1}', 400),
        ],
    )
    def test_that_is_nonsense_is_refused_without_a_fault(self, channel, code, method, body, status):
        call = getattr(Client(), method)
        path = f"/channels/{code}/callback"

        answer = call(path) if method == "get" else call(path, body, content_type="text/plain")

        assert answer.status_code == status


class TestDelivery:
    def test_of_each_task_five_times_at_once_pays_once(self, cloned_db, channel):
        made = [make.request(make.payee()) for _ in range(4)]
        channel.rule(order_no=f"{made[0].number}*", answer="timeout")
        barrier = threading.Barrier(20)

        def deliver(place: int) -> None:
            try:
                barrier.wait(30)
                payouts.send(**made[place % 4].key, at=NOON)
            finally:
                connection.close()

        run(deliver, 20)

        assert sorted(channel.paid()) == sorted(f"{one.number}-1" for one in made)
        assert all(channel.submissions(f"{one.number}-1") == 1 for one in made)
        assert states(made[0]) == ("UNKNOWN", "PAYING")
        attempt = only(made[0])

        def ask(_place: int) -> None:
            try:
                payouts.query(**attempt.key, at=NOON + 5 * SECOND)
            finally:
                connection.close()

        run(ask, 5)
        assert states(made[0]) == ("SUCCEEDED", "PAID")
        assert PayoutEvidence.objects.filter(attempt=attempt, source="QUERY").count() == 1
        assert make.broken() == []

    def test_of_the_same_news_ten_times_at_once_books_once(self, cloned_db, nobody):
        attempt = make.attempt("UNKNOWN")
        verdicts: list[Verdict] = []

        def tell(_place: int) -> None:
            try:
                verdicts.append(make.news(attempt, Kind.SUCCESS))
            finally:
                connection.close()

        run(tell, 10)

        assert sorted(verdicts) == [*["NOTHING"] * 9, "PAY"]
        assert make.broken() == []

    def test_by_the_outbox_pays_and_tells(self, cloned_db, channel):
        make.request(make.payee())

        drained = outbox.drain(inline=True)

        assert (drained.done, drained.failed) == (2, 0)
        assert len(channel.paid()) == 1


def run(work, count: int) -> None:
    threads = [threading.Thread(target=work, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


_SEND = """
import django
django.setup()
from foundation import clock
from settlement.services import payout
payout.send(merchant_id={merchant_id}, withdrawal_id={withdrawal_id}, at=clock.now())
"""


class TestKill:
    @pytest.mark.parametrize("paid", [True, False])
    def test_between_sending_and_the_answer_is_found_out_by_asking(self, cloned_db, channel, paid):
        made = make.request(make.payee())
        # the channel decides at once and answers late: the worker dies in between
        channel.rule(
            latency=30, pay_after=0 if paid else None, refuse="" if paid else "NAME_MISMATCH"
        )
        code = _SEND.format(merchant_id=made.merchant_id, withdrawal_id=made.id)
        worker = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=project.BASE_DIR,
            env=os.environ
            | {
                "DATABASE_URL": databases.url("DATABASE_URL", cloned_db),
                "CHANNEL_SIMULATOR_URL": channel.url,
                "CHANNEL_SIMULATOR_SECRET": project.CHANNEL_SIMULATOR["secret"],
                "DJANGO_SETTINGS_MODULE": "config.settings.test",
            },
        )
        deadline = time.monotonic() + 20
        while channel.submissions(f"{made.number}-1") == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
        assert states(made) == ("SENDING", "PAYING")
        channel.control("reset-rules", {})

        at = clock.now() + 61 * SECOND
        assert payout_watch.do(at) == 1  # recovered: unknown, to be asked about
        assert payouts.send(**made.key, at=at) is None
        payout_watch.do(at + 60 * SECOND)
        payout_watch.do(at + 200 * SECOND)

        assert states(made) == (("SUCCEEDED", "PAID") if paid else ("FAILED", "FAILED"))
        assert channel.submissions(f"{made.number}-1") == 1
        assert len(channel.paid()) == paid
        assert make.broken() == []

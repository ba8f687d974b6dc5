"""Payouts through the real simulator: sent once, asked about, found again, judged by its book."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from channels.adapters.base import Kind
from config.errors import NotFound
from foundation.models import OutboxMessage
from merchants.services import bank_account as bank_accounts
from settlement.models import (
    PayoutAttempt,
    PayoutCase,
    PayoutChannel,
    PayoutEvidence,
)
from settlement.services import payout as payouts
from settlement.services import payout_watch as watch
from settlement.services.payout_verdict import BACKOFF_SECONDS, Verdict
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories.payout import NOON
from tests.settlement.attempts import (
    SECOND,
    channel,
    nobody,
    only,
    send,
    states,
)

__all__ = ["channel", "nobody"]  # fixtures


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
            merchant_id=account.merchant_id, bank_account_id=account.id, note="stolen", at=NOON
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
        merchant_state.stand(account.merchant_id, "FROZEN")

        assert send(made) is None
        made.refresh_from_db()
        assert made.status == "HELD"
        case = PayoutCase.objects.get(kind="NOT_PAYABLE")
        assert case.subject == made.number

        merchant_state.stand(account.merchant_id, "ACTIVE")
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

        def claim(at, *, now: bool = False) -> int | None:
            return payouts._claim_query(make.fresh(attempt), at, now=now)

        assert claim(at) == attempt.fence + 1
        assert claim(at) is None
        assert payouts._claim_query(attempt, at + 60 * SECOND, now=True) is None  # seen too early
        assert claim(at + 59 * SECOND, now=True) is None
        assert claim(at + 60 * SECOND, now=True) == attempt.fence + 2

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

        assert set(watch.due_to_send(late, limit=9)) == {
            (held.merchant_id, held.id),
            (ready.merchant_id, ready.withdrawal_id),
        }
        assert watch.due_to_recover(late, limit=9) == [(sending.merchant_id, sending.id)]
        assert watch.due_to_query(late, limit=9) == [(unknown.merchant_id, unknown.id)]
        assert watch.due_to_send(NOON, limit=9) == []

    def test_passes_over_who_is_not_active_until_he_is_again(self, nobody):
        held, ready = make.request(make.payee()), make.attempt("READY")
        late = NOON + 61 * SECOND
        for one in (held, ready):
            merchant_state.stand(one.merchant_id, "FROZEN")
        assert watch.due_to_send(late, limit=9) == []

        for one in (held, ready):
            merchant_state.stand(one.merchant_id, "ACTIVE")
        assert len(watch.due_to_send(late, limit=9)) == 2

    @pytest.mark.parametrize(
        ("state", "sent_before", "found"),
        [("PENDING", 0, 0), ("PARKED", 0, 0), ("SENT", -1, 0), ("SENT", 0, 1), ("DONE", 0, 1)],
    )
    def test_leaves_to_the_outbox_what_it_carries(self, nobody, state, sent_before, found):
        make.request(make.payee())
        moments = {"SENT": {"next_try_at": NOON + (20 - sent_before) * 60 * SECOND}}
        OutboxMessage.objects.filter(kind="settlement.pay_withdrawal").update(
            state=state, done_at=NOON if state == "DONE" else None, **moments.get(state, {})
        )

        due = watch.due_to_send(NOON, limit=9, promised=False)
        due_later = watch.due_to_send(NOON + 61 * SECOND, limit=9, promised=False)
        assert (due, len(due_later)) == ([], found)
        assert len(watch.due_to_send(NOON + 61 * SECOND, limit=9)) == 1


@pytest.mark.django_db
class TestWatch:
    def test_hands_out_ids_of_what_is_due_and_survives_without_a_broker(self, nobody, monkeypatch):
        from kombu.exceptions import OperationalError

        held, unknown = make.request(make.payee()), make.attempt("UNKNOWN")
        OutboxMessage.objects.update(state="DONE", done_at=NOON)
        handed: list[tuple[str, dict[str, int]]] = []
        monkeypatch.setattr(
            watch.current_app,
            "send_task",
            lambda kind, kwargs, **_: handed.append((kind, kwargs)),
        )
        late = NOON + 61 * SECOND

        assert watch.look(late) == 2
        assert handed == [
            ("settlement.pay_withdrawal", held.key),
            ("settlement.query_payout", unknown.key),
        ]

        def down(*_args, **_names):
            raise OperationalError

        monkeypatch.setattr(watch.current_app, "send_task", down)
        assert watch.look(late) == 0

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

        assert watch.alarm(NOON + timedelta(minutes=29)) == 0
        assert watch.alarm(NOON + timedelta(minutes=30)) == 1
        assert watch.alarm(NOON + timedelta(minutes=40)) == 0
        assert watch.alarm(NOON + timedelta(days=1)) == 0
        assert watch.alarm(NOON + timedelta(days=2)) == 1
        assert kinds() == ["UNKNOWN_ALARM", "UNKNOWN_TOO_LONG"]

    def test_ends_when_the_result_is_there(self, nobody):
        attempt = make.attempt("UNKNOWN")
        watch.alarm(NOON + timedelta(minutes=30))

        make.news(attempt, Kind.SUCCESS)

        assert PayoutCase.objects.get(attempt=attempt).outcome == "SUCCEEDED"

"""The one funnel: every row of the table, its journal, and everything that must change nothing."""

from __future__ import annotations

import hashlib
import itertools
from datetime import timedelta

import pytest

from channels.adapters.base import Kind
from foundation.models import OutboxMessage
from foundation.money import Money
from settlement.models import (
    PayeeBlock,
    PayoutAttempt,
    PayoutCase,
    PayoutEvidence,
    PayoutStatement,
    Withdrawal,
)
from settlement.services import payout as payouts
from settlement.services.payout_verdict import TABLE, Verdict
from tests.factories import payout as make
from tests.factories.payout import COOLED, NOON

pytestmark = pytest.mark.django_db
Status = PayoutAttempt.Status
Source = PayoutEvidence.Source
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()
    make.fee(1_00)


@pytest.fixture(autouse=True)
def _proved():
    yield
    assert make.broken() == []


def states(attempt: PayoutAttempt) -> tuple[str, str, str]:
    found = make.fresh(attempt)
    return found.status, found.withdrawal.status, found.withdrawal.hold.state


class TestSuccess:
    @pytest.mark.parametrize("status", ["SENDING", "PROCESSING", "UNKNOWN"])
    def test_captures_the_hold(self, status):
        attempt = make.attempt(status)

        verdict = make.news(attempt, Kind.SUCCESS, channel_no="S1")

        assert verdict == Verdict.PAY
        assert states(attempt) == ("SUCCEEDED", "PAID", "CAPTURED")
        assert make.postings(attempt.merchant_id, "payout_paid") == [
            ("DR", "merchant_available", "withdraw", 51_00),
            ("CR", "fee_income", "earn", 1_00),
            ("CR", "payout_in_transit", "submit", 50_00),
        ]
        assert make.balances(attempt.merchant_id)["merchant_available"] == (49_00, 0)
        paid = make.fresh(attempt).withdrawal
        assert (paid.paid_minor, paid.paid_fee_minor) == (50_00, 1_00)

    def test_again_changes_nothing(self):
        attempt = make.attempt("SUCCEEDED")
        before = make.balances(attempt.merchant_id)

        verdicts = [make.news(attempt, Kind.SUCCESS, source=source) for source in Source.values]

        assert set(verdicts) == {Verdict.NOTHING}
        assert make.balances(attempt.merchant_id) == before
        assert make.fresh(attempt).sequence == 3

    def test_after_a_failure_that_still_cools_is_a_success(self):
        attempt = make.attempt("SENDING")
        make.news(attempt, Kind.FAILED_CODE, source=Source.ANSWER)

        make.news(attempt, Kind.SUCCESS)

        assert states(attempt) == ("SUCCEEDED", "PAID", "CAPTURED")

    def test_tells_whoever_waits(self):
        attempt = make.attempt("SUCCEEDED")

        told = OutboxMessage.objects.get(
            merchant_id=attempt.merchant_id, kind="settlement.withdrawal_changed"
        )

        assert told.payload == {
            "merchant_id": attempt.merchant_id,
            "withdrawal_id": attempt.withdrawal_id,
        }


class TestInProcess:
    def test_keeps_the_hold_and_is_asked_about(self):
        attempt = make.attempt("PROCESSING")

        assert states(attempt) == ("PROCESSING", "PAYING", "OPEN")
        assert attempt.next_query_at == NOON + 5 * SECOND

    def test_stays_unknown_what_was_unknown_and_ends_the_cooling(self):
        attempt = make.attempt("UNKNOWN")
        make.news(attempt, Kind.FAILED_CODE)

        make.news(attempt, Kind.PROCESSING)

        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")
        assert make.fresh(attempt).failure_seen_at is None
        make.news(attempt, Kind.FAILED_CODE, source=Source.QUERY, at=COOLED)
        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")


class TestFailure:
    @pytest.mark.parametrize("status", ["SENDING", "PROCESSING", "UNKNOWN"])
    def test_waits_for_the_cooling_time(self, status):
        attempt = make.attempt(status)

        verdict = make.news(attempt, Kind.FAILED_CODE, code="ACCOUNT_CLOSED")

        assert verdict == Verdict.COOL
        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")
        found = make.fresh(attempt)
        assert (found.failure_seen_at, found.failure_code) == (NOON, "ACCOUNT_CLOSED")
        assert found.next_query_at == NOON + 30 * SECOND

    def test_is_final_once_it_has_cooled_and_a_query_agrees(self):
        attempt = make.attempt("FAILED")

        assert states(attempt) == ("FAILED", "FAILED", "RELEASED")
        assert make.balances(attempt.merchant_id)["merchant_available"] == (100_00, 0)
        assert attempt.next_query_at is None

    @pytest.mark.parametrize(
        ("source", "at"),
        [(Source.CALLBACK, COOLED), (Source.ANSWER, COOLED), (Source.QUERY, NOON + 29 * SECOND)],
    )
    def test_is_not_final_by_anything_less(self, source, at):
        attempt = make.attempt("SENDING")
        make.news(attempt, Kind.FAILED_CODE, source=Source.ANSWER)

        verdict = make.news(attempt, Kind.FAILED_CODE, source=source, at=at)

        assert verdict == Verdict.NOTHING
        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")

    @pytest.mark.parametrize("kind", [Kind.NOT_FOUND, Kind.UNKNOWN, Kind.PROCESSING])
    def test_is_not_agreed_to_by_other_news(self, kind):
        attempt = make.attempt("SENDING")
        make.news(attempt, Kind.FAILED_CODE, source=Source.ANSWER)

        make.news(attempt, kind, source=Source.QUERY, at=COOLED)

        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")


class TestDoubt:
    @pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.NOT_FOUND, Kind.CONTENT_DIFFERS])
    def test_keeps_the_hold_and_asks_again_and_again(self, kind):
        attempt = make.attempt("SENDING")

        make.news(attempt, kind, source=Source.ANSWER)

        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")
        assert make.fresh(attempt).next_query_at == NOON + 5 * SECOND
        alarmed = PayoutCase.objects.filter(attempt=attempt, kind="CONTENT_DIFFERS").exists()
        assert alarmed == (kind == Kind.CONTENT_DIFFERS)

    def test_no_such_order_is_a_case_only_after_the_window_and_the_day_file(self):
        attempt = make.attempt("UNKNOWN")
        late = NOON + timedelta(days=3)

        make.news(attempt, Kind.NOT_FOUND, source=Source.QUERY, at=late)
        assert not PayoutCase.objects.filter(kind="NOT_FOUND").exists()
        PayoutStatement.objects.create(
            channel=attempt.channel,
            day=late.date(),
            sha256=hashlib.sha256(b"").hexdigest(),
            raw=b"",
            line_count=0,
            actor="test",
        )
        make.news(attempt, Kind.NOT_FOUND, source=Source.QUERY, at=late)

        assert PayoutCase.objects.get(kind="NOT_FOUND").attempt_id == attempt.id
        assert states(attempt) == ("UNKNOWN", "PAYING", "OPEN")

    def test_that_comes_late_says_nothing_about_what_is_known(self):
        for status in ("SUCCEEDED", "FAILED", "RETURNED", "DISPUTED"):
            attempt = make.attempt(status)
            for kind in (Kind.UNKNOWN, Kind.NOT_FOUND, Kind.CONTENT_DIFFERS, Kind.NOT_SENT):
                assert make.news(attempt, kind, at=COOLED) == Verdict.NOTHING
            assert make.fresh(attempt).status == status


class TestNothingLeft:
    def test_is_sent_again_with_the_same_number_and_only_by_who_holds_the_lease(self):
        attempt = make.attempt("SENDING")

        assert make.news(attempt, Kind.NOT_SENT, fence=attempt.fence - 1) == Verdict.NOTHING
        assert make.fresh(attempt).resend_at is None
        assert make.news(attempt, Kind.NOT_SENT, fence=attempt.fence) == Verdict.RESEND

        found = make.fresh(attempt)
        assert states(attempt) == ("SENDING", "PAYING", "OPEN")
        assert found.resend_at == NOON + 5 * SECOND
        assert payouts._claim(found, NOON + 4 * SECOND) is None
        assert payouts._claim(found, NOON + 5 * SECOND) == attempt.fence + 1
        assert payouts._claim(found, NOON + 6 * SECOND) is None

    def test_means_nothing_once_somebody_took_over(self):
        attempt = make.attempt("UNKNOWN")

        assert make.news(attempt, Kind.NOT_SENT, fence=attempt.fence) == Verdict.NOTHING
        assert make.fresh(attempt).status == "UNKNOWN"


class TestReturn:
    def test_gives_the_amount_back_and_keeps_the_fee(self):
        attempt = make.attempt("RETURNED")

        assert states(attempt) == ("RETURNED", "RETURNED", "CAPTURED")
        assert make.postings(attempt.merchant_id, "payout_returned") == [
            ("DR", "payout_in_transit", "return", 50_00),
            ("CR", "merchant_available", "return", 50_00),
        ]
        withdrawal = make.fresh(attempt).withdrawal
        assert (withdrawal.paid_minor, withdrawal.paid_fee_minor) == (0, 1_00)
        assert make.balances(attempt.merchant_id)["merchant_available"] == (99_00, 0)

    def test_gives_the_fee_back_where_the_rule_says_so(self):
        make.fee(1_00, fee_on_return="returned")

        attempt = make.attempt("RETURNED")

        assert make.postings(attempt.merchant_id, "payout_returned") == [
            ("DR", "fee_income", "give_back", 1_00),
            ("DR", "payout_in_transit", "return", 50_00),
            ("CR", "merchant_available", "return", 51_00),
        ]
        assert make.balances(attempt.merchant_id)["merchant_available"] == (100_00, 0)

    def test_repays_what_the_merchant_owes_first(self):
        attempt = make.attempt("SUCCEEDED")
        from tests.factories import settlement as dues

        dues.owe(attempt.merchant_id, 20_00)

        make.news(attempt, Kind.RETURNED)

        assert make.postings(attempt.merchant_id, "payout_returned") == [
            ("DR", "payout_in_transit", "return", 50_00),
            ("CR", "merchant_available", "return", 30_00),
            ("CR", "merchant_debt", "repay", 20_00),
        ]

    @pytest.mark.parametrize("status", ["SENDING", "PROCESSING", "UNKNOWN"])
    def test_without_a_success_before_books_both(self, status):
        attempt = make.attempt(status)

        assert make.news(attempt, Kind.RETURNED) == Verdict.PAY_AND_RETURN

        assert states(attempt) == ("RETURNED", "RETURNED", "CAPTURED")
        assert make.balances(attempt.merchant_id)["merchant_available"] == (99_00, 0)

    def test_twice_changes_nothing(self):
        attempt = make.attempt("RETURNED")

        assert make.news(attempt, Kind.RETURNED) == Verdict.NOTHING
        assert make.news(attempt, Kind.SUCCESS) == Verdict.NOTHING


class TestContradiction:
    @pytest.mark.parametrize("kind", [Kind.SUCCESS, Kind.RETURNED])
    def test_success_after_failure_is_disputed_booked_and_blocks_the_payee(self, kind):
        attempt = make.attempt("FAILED")

        assert make.news(attempt, kind, at=COOLED) == Verdict.LATE_SUCCESS

        assert states(attempt) == ("DISPUTED", "DISPUTED", "RELEASED")
        assert make.postings(attempt.merchant_id, "payout_late") == [
            ("DR", "disputed_receivable", "park", 50_00),
            ("CR", "payout_in_transit", "submit", 50_00),
        ]
        assert make.balances(attempt.merchant_id)["merchant_available"] == (100_00, 0)
        assert PayoutCase.objects.get(attempt=attempt, kind="LATE_SUCCESS").closed_at is None
        assert PayeeBlock.objects.get(attempt=attempt).lifted_at is None

    def test_failure_after_success_is_disputed_and_books_nothing(self):
        attempt = make.attempt("SUCCEEDED")
        before = make.balances(attempt.merchant_id)

        assert make.news(attempt, Kind.FAILED_CODE) == Verdict.CONTRADICT

        assert states(attempt) == ("DISPUTED", "DISPUTED", "CAPTURED")
        assert make.balances(attempt.merchant_id) == before
        assert PayoutCase.objects.get(attempt=attempt).kind == "CONTRADICTION"

    def test_in_process_after_failure_is_a_case(self):
        attempt = make.attempt("FAILED")

        assert make.news(attempt, Kind.PROCESSING) == Verdict.CASE
        assert states(attempt) == ("FAILED", "FAILED", "RELEASED")

    def test_what_is_disputed_is_moved_by_people_only(self):
        attempt = make.attempt("DISPUTED")

        verdicts = {make.news(attempt, kind, at=COOLED) for kind in Kind}

        assert verdicts == {Verdict.NOTHING}
        assert make.fresh(attempt).status == "DISPUTED"


class TestMismatch:
    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": Money(50_01, "CNY")},
            {"amount": Money(50_00, "USD")},
            {"amount": None},
            {"payee_hash": "f" * 64},
            {"payee_hash": ""},
            {"order_no": "W-other"},
        ],
    )
    @pytest.mark.parametrize("status", ["SENDING", "PROCESSING", "UNKNOWN", "FAILED"])
    def test_is_a_case_never_a_success(self, status, changes):
        attempt = make.attempt(status)

        verdict = make.news(attempt, Kind.SUCCESS, at=COOLED, **changes)

        assert verdict == Verdict.MISMATCH
        assert states(attempt)[0] == ("FAILED" if status == "FAILED" else "UNKNOWN")
        assert make.postings(attempt.merchant_id, "payout_paid") == []
        assert PayoutCase.objects.get(attempt=attempt).kind == "MISMATCH"

    def test_of_a_failure_is_no_failure(self):
        attempt = make.attempt("UNKNOWN")

        assert make.news(attempt, Kind.FAILED_CODE, order_no="W-other") == Verdict.MISMATCH
        assert make.fresh(attempt).failure_seen_at is None


class TestTable:
    def test_has_a_verdict_for_every_status_and_every_kind_of_news(self):
        assert set(TABLE) == set(Status)
        assert all(set(row) == set(Kind) for row in TABLE.values())

    def test_holds_in_any_order_of_any_three_news_without_paying_twice(self):
        kinds = [Kind.SUCCESS, Kind.FAILED_CODE, Kind.RETURNED, Kind.UNKNOWN, Kind.PROCESSING]
        for order in itertools.permutations(kinds, 3):
            attempt = make.attempt("SENDING")
            for step, kind in enumerate(order):
                at = NOON + step * timedelta(minutes=1)
                make.news(attempt, kind, source=Source.QUERY, at=at)
            sent = make.postings(attempt.merchant_id, "payout_paid")
            assert len(sent) in (0, 3)
        assert make.broken() == []

    def test_keeps_every_piece_of_news_as_it_came(self):
        attempt = make.attempt("SENDING")

        make.news(attempt, Kind.UNKNOWN, source=Source.ANSWER, raw=b"<html>", doubt="HTTP 502")
        make.news(attempt, Kind.SUCCESS, source=Source.QUERY)

        kept = PayoutEvidence.objects.filter(attempt=attempt).order_by("id")
        assert [(row.source, row.verdict) for row in kept] == [
            ("ANSWER", "DOUBT"),
            ("QUERY", "PAY"),
        ]
        assert bytes(kept[0].raw) == b"<html>"

    def test_leaves_everything_as_it_was_when_something_breaks(self, monkeypatch):
        attempt = make.attempt("SENDING")
        monkeypatch.setattr(
            "settlement.services.payout_journal.paid",
            lambda *_: (_ for _ in ()).throw(RuntimeError),
        )

        with pytest.raises(RuntimeError):
            make.news(attempt, Kind.SUCCESS)

        assert states(attempt) == ("SENDING", "PAYING", "OPEN")
        assert not PayoutEvidence.objects.filter(attempt=attempt).exists()


def test_news_about_a_never_sent_attempt_is_a_case():
    attempt = make.attempt("READY")

    assert make.news(attempt, Kind.SUCCESS) == Verdict.CASE
    assert Withdrawal.objects.get(id=attempt.withdrawal_id).status == "PAYING"

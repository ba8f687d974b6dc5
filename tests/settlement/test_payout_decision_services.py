"""What a payout may become, what a channel's words mean, and what two persons decide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from channels.adapters.base import Kind
from foundation import sql
from foundation.services import approval as approvals
from settlement.models import (
    PayeeBlock,
    PayoutAttempt,
    PayoutCase,
    PayoutEvidence,
    PayoutStatus,
)
from settlement.models.payout import TRANSITIONS
from settlement.services import payout_channel as channels
from settlement.services import payout_decision as decisions
from settlement.services.payee import PayeeRefused
from settlement.services.payout_verdict import Verdict
from settlement.services.transition import IllegalTransition, move_attempt
from tests.factories import payout as make
from tests.factories.foundation import UserFactory
from tests.factories.payout import NOON
from tests.settlement.attempts import (
    Status,
    channel,
    decide,
    nobody,
    send,
)

__all__ = ["channel", "nobody"]  # fixtures


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

    @pytest.mark.parametrize("first", list(Status))
    def test_allow_no_second_attempt(self, nobody, first):
        attempt = make.attempt(first)

        with pytest.raises(DatabaseError, match="not_payable"), transaction.atomic():
            PayoutAttempt.objects.create(
                merchant_id=attempt.merchant_id,
                withdrawal=attempt.withdrawal,
                number=f"{attempt.withdrawal.number}-2",
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

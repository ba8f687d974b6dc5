"""Callback, query and day file in every order, and what a day file may say that cannot be."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from channels.adapters.base import Kind, StatementRefused
from channels.simulator.book import Movement
from channels.simulator.statement import write
from foundation.money import Money
from merchants.services import house
from settlement.models import BankLine, PayoutAttempt, PayoutCase, PayoutEvidence
from settlement.services import payout_decision as decisions
from settlement.services import payout_statement
from tests.factories import payout as make
from tests.factories.foundation import UserFactory
from tests.factories.payout import COOLED, NOON
from tests.settlement.attempts import Status, decide, nobody
from tests.settlement.test_payout_races import together

__all__ = ["nobody"]  # fixture
Source = PayoutEvidence.Source
FEE = 1_00
TODAY = NOON.date()


def movement(attempt: PayoutAttempt, kind: str = "PAID", **changes: object) -> Movement:
    said = {
        "kind": kind,
        "order_no": attempt.number,
        "channel_no": "S1",
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "payee_digest": attempt.payee_hash,
        "at": "2026-03-02T04:00:00+00:00",
    }
    return Movement(**said | changes)


def take_in(*movements: Movement, day=TODAY) -> payout_statement.Imported:
    return payout_statement.take_in(
        channel_code="simulator", day=day, raw=write(movements), at=COOLED
    )


# What each source says, by outcome; the day file lists movements, none when nothing moved.
SAYS = {
    "paid": (Kind.SUCCESS, Kind.SUCCESS, ["PAID"]),
    "refused": (Kind.FAILED_CODE, Kind.FAILED_CODE, []),
    "garbage": (Kind.UNKNOWN, Kind.UNKNOWN, []),
    "garbage, but paid": (Kind.UNKNOWN, Kind.NOT_FOUND, ["PAID"]),
    "refused, but paid": (Kind.FAILED_CODE, Kind.FAILED_CODE, ["PAID"]),
    "refused late": (Kind.FAILED_CODE, Kind.SUCCESS, ["PAID"]),
    "paid late": (Kind.SUCCESS, Kind.FAILED_CODE, ["PAID"]),
    "returned": (Kind.RETURNED, Kind.SUCCESS, ["PAID", "RETURNED"]),
    "returned, but refused": (Kind.RETURNED, Kind.FAILED_CODE, []),
    "in process": (Kind.PROCESSING, Kind.NOT_FOUND, []),
}
# Where it may end; what contradicts itself ends with people.
ENDS = {
    "paid": {"SUCCEEDED"},
    "refused": {"FAILED", "UNKNOWN"},
    "garbage": {"UNKNOWN"},
    "garbage, but paid": {"SUCCEEDED"},
    "refused, but paid": {"DISPUTED", "SUCCEEDED"},  # known as paid, it is asked no more
    "refused late": {"SUCCEEDED", "DISPUTED"},
    "paid late": {"SUCCEEDED", "DISPUTED"},
    "returned": {"RETURNED"},
    "returned, but refused": {"RETURNED", "DISPUTED"},
    "in process": {"UNKNOWN"},
}
AVAILABLE = {
    "SUCCEEDED": (49_00, 0),
    "FAILED": (100_00, 0),
    "UNKNOWN": (100_00, 51_00),
    "RETURNED": (99_00, 0),  # the fee is kept
}


def sources(attempt: PayoutAttempt, outcome: str) -> list:
    called, asked, listed = SAYS[outcome]

    def query() -> None:
        """Ask twice, the second time after the cooling, as the watch does."""
        for at in (NOON, COOLED + timedelta(seconds=31)):
            if make.fresh(attempt).status in ("UNKNOWN", "PROCESSING"):
                make.news(attempt, asked, source=Source.QUERY, at=at)

    return [
        lambda: make.news(attempt, called),
        query,
        lambda: take_in(*[movement(attempt, kind) for kind in listed]),
    ]


def proved(attempt: PayoutAttempt, outcome: str) -> None:
    found = make.fresh(attempt)
    assert found.status in ENDS[outcome]
    balances = make.balances(attempt.merchant_id)
    if found.status in AVAILABLE:
        assert balances["merchant_available"] == AVAILABLE[found.status]
    else:  # disputed: either taken from the merchant, or our claim; never both, never neither
        taken = balances["merchant_available"] == (49_00, 0)
        claimed = balances.get("disputed_receivable") == (50_00, 0)
        assert taken != claimed
    assert PayoutEvidence.objects.filter(attempt=attempt, verdict="PAY").count() <= 1
    assert make.broken() == []


@pytest.mark.django_db
class TestEveryOrder:
    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    @pytest.mark.parametrize("outcome", list(SAYS))
    def test_ends_where_it_must(self, nobody, outcome, order):
        make.fee(FEE)
        attempt = make.attempt("UNKNOWN")
        told = sources(attempt, outcome)

        for place in order:
            told[place]()

        proved(attempt, outcome)

    @pytest.mark.parametrize("outcome", list(SAYS))
    def test_said_again_and_again_still_ends_there(self, nobody, outcome):
        make.fee(FEE)
        attempt = make.attempt("UNKNOWN")
        told = sources(attempt, outcome)

        for say in [*told, *reversed(told), *told]:
            say()

        proved(attempt, outcome)


class TestAtOnce:
    @pytest.mark.parametrize("outcome", list(SAYS))
    def test_ends_where_it_must(self, cloned_db, nobody, outcome):
        make.fee(FEE)
        for _round in range(3):
            attempt = make.attempt("UNKNOWN")
            told = sources(attempt, outcome)

            results = together(*told, *told)

            assert [result for result in results if isinstance(result, Exception)] == []
            proved(attempt, outcome)


@pytest.mark.django_db
class TestReturn:
    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": Money(49_99, "CNY")},
            {"amount": Money(50_01, "CNY")},
            {"amount": Money(50_00, "USD")},
            {"amount": None},
            {"payee_hash": "other"},
            {"order_no": "W26030000001-000001-1"},
        ],
    )
    @pytest.mark.parametrize("status", ["SUCCEEDED", "UNKNOWN", "FAILED"])
    def test_that_names_something_else_returns_nothing(self, nobody, status, changes):
        attempt = make.attempt(status)
        before = make.balances(attempt.merchant_id)

        make.news(attempt, Kind.RETURNED, **changes)

        assert make.fresh(attempt).status == status
        assert make.balances(attempt.merchant_id) == before
        assert PayoutCase.objects.get(attempt=attempt).kind == "MISMATCH"

    @pytest.mark.parametrize(
        ("minor", "currency"), [(49_99, "CNY"), (50_01, "CNY"), (50_00, "USD")]
    )
    def test_of_another_sum_in_a_day_file_is_left_to_people(self, nobody, minor, currency):
        attempt = make.attempt("SUCCEEDED")
        paid = movement(attempt)
        back = movement(attempt, "RETURNED", amount_minor=minor, currency=currency)

        done = take_in(paid, back)

        assert (done.booked, done.unmatched) == (1, 1)
        assert make.fresh(attempt).status == "SUCCEEDED"
        assert {case.kind for case in PayoutCase.objects.all()} == {"MISMATCH", "STATEMENT"}
        assert make.broken() == []

    def test_before_the_success_and_twice_gives_back_once(self, nobody):
        make.fee(FEE)
        attempt = make.attempt("UNKNOWN")
        back, paid = movement(attempt, "RETURNED"), movement(attempt)

        take_in(back)
        take_in(back, paid)
        make.news(attempt, Kind.RETURNED)
        make.news(attempt, Kind.SUCCESS)

        assert make.balances(attempt.merchant_id) == {
            "channel_receivable": (100_00, 0),
            "merchant_available": (99_00, 0),
            "fee_income": (1_00, 0),
        }
        assert BankLine.objects.filter(state="BOOKED").count() == 2
        assert make.broken() == []

    def test_of_an_order_nobody_knows_lies_in_the_houses_book(self, nobody):
        attempt = make.attempt("SUCCEEDED")

        done = take_in(movement(attempt, "RETURNED", order_no="X-1"))

        assert done.unmatched == 1
        assert BankLine.objects.get().merchant_id == house.house().id
        assert make.fresh(attempt).status == "SUCCEEDED"


@pytest.mark.django_db
class TestDayFile:
    def test_that_lists_an_order_twice_is_an_alarm(self, nobody):
        """Two movements under one number: the channel may have paid twice."""
        attempt = make.attempt("SUCCEEDED")

        done = take_in(movement(attempt), movement(attempt, channel_no="S2"))

        assert (done.new, done.booked) == (1, 1)
        case = PayoutCase.objects.get(kind="STATEMENT")
        assert case.subject == f"PAID {attempt.number} S2"
        assert make.broken() == []

    def test_that_repeats_one_movement_word_for_word_is_an_alarm_too(self, nobody):
        attempt = make.attempt("SUCCEEDED")

        take_in(movement(attempt), movement(attempt))

        assert PayoutCase.objects.filter(kind="STATEMENT").count() == 1

    def test_of_another_day_that_lists_it_again_is_an_alarm_unless_it_is_the_same(self, nobody):
        attempt = make.attempt("SUCCEEDED")
        take_in(movement(attempt))
        tomorrow = TODAY + timedelta(days=1)

        take_in(movement(attempt), day=tomorrow)
        assert not PayoutCase.objects.exists()
        take_in(movement(attempt, at="2026-03-03T04:00:00+00:00"), day=tomorrow)

        assert PayoutCase.objects.get().kind == "STATEMENT"
        assert BankLine.objects.count() == 1
        assert make.broken() == []

    def test_with_another_amount_for_a_known_order_is_refused_whole(self, nobody):
        attempt, other = make.attempt("SUCCEEDED"), make.attempt("SUCCEEDED")
        take_in(movement(attempt))

        with pytest.raises(StatementRefused):
            take_in(movement(other), movement(attempt, amount_minor=1))

        assert BankLine.objects.count() == 1

    def test_ends_its_case_once_the_line_is_booked(self, nobody):
        attempt = make.attempt("SUCCEEDED")
        make.news(attempt, Kind.FAILED_CODE)  # disputed: a return cannot be booked yet
        paid, back = movement(attempt), movement(attempt, "RETURNED")
        assert take_in(paid, back).unmatched == 1
        approval = decisions.propose(
            **attempt.key,
            outcome=Status.RETURNED,
            reason="day file",
            evidence="2026-03-02",
            maker=UserFactory(),
            at=NOON,
        )
        decide(approval, UserFactory(is_superuser=True))

        assert take_in(paid, back).unmatched == 0

        assert not PayoutCase.objects.filter(closed_at=None).exists()
        assert make.broken() == []


@pytest.mark.django_db
class TestBookedLine:
    @pytest.mark.parametrize("way", ["CONTRADICTED", "LATE"])
    def test_says_that_it_was_paid_whatever_two_persons_say(self, nobody, way):
        attempt = make.attempt("SUCCEEDED" if way == "CONTRADICTED" else "FAILED")
        take_in(movement(attempt))
        if way == "CONTRADICTED":
            make.news(attempt, Kind.FAILED_CODE)
        assert make.fresh(attempt).status == "DISPUTED"

        with pytest.raises(decisions.NotDecidable):
            decisions.propose(
                **attempt.key,
                outcome=Status.FAILED,
                reason="x",
                evidence="x",
                maker=UserFactory(),
                at=NOON,
            )

    def test_that_came_after_the_proposal_makes_it_void(self, nobody):
        attempt = make.attempt("SUCCEEDED")
        make.news(attempt, Kind.FAILED_CODE)
        approval = decisions.propose(
            **attempt.key,
            outcome=Status.FAILED,
            reason="x",
            evidence="x",
            maker=UserFactory(),
            at=NOON,
        )
        take_in(movement(attempt))

        with pytest.raises(decisions.NotDecidable):
            decide(approval, UserFactory(is_superuser=True))
        assert make.broken() == []

"""Two at once, by real threads on a database of their own: one wins, the money stays right."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection

from channels.adapters.base import Kind
from config.errors import DomainError
from foundation.models import User
from foundation.money import Money
from foundation.services import approval as approvals
from ledger.errors import InsufficientAvailableBalance
from merchants.services import api_key as api_keys
from merchants.services.verification_token import TokenRefused
from settlement.models import Withdrawal
from settlement.services import payout as payouts
from settlement.services import payout_decision as decisions
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal as withdrawals
from settlement.services import withdrawal_review
from tests.factories import payout as make
from tests.factories import settlement as dues
from tests.factories.approval import tier
from tests.factories.foundation import UserFactory
from tests.factories.payout import NOON
from tests.settlement.attempts import Status, channel, decide, nobody, only, states
from tests.settlement.test_standing_instruction_services import MONDAY, create, posted

__all__ = ["channel", "nobody"]  # fixtures


def together(*works: Callable[[], object]) -> list[object]:
    """Start everything at once; return what each returned or was refused with."""
    results: list[object] = [None] * len(works)
    barrier = threading.Barrier(len(works))

    def one(place: int) -> None:
        try:
            barrier.wait(30)
            results[place] = works[place]()
        except (DomainError, DatabaseError) as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def checker() -> User:
    return UserFactory(is_staff=True, is_superuser=True)


def refusals(results: list[object]) -> list[type]:
    return [type(result) for result in results if isinstance(result, Exception)]


class TestReview:
    @pytest.fixture(autouse=True)
    def _tier(self, cloned_db, nobody):
        tier(withdrawal_review.REVIEW, from_amount_minor=50_00)

    @pytest.mark.parametrize("other", ["reject", "cancel", "expire", "approve"])
    def test_approved_and_something_else_has_one_end(self, other):
        for _round in range(4):
            account = make.payee()
            made = make.request(account)
            one, two = checker(), checker()

            def act(made=made, two=two) -> object:
                late = NOON + withdrawal_review.LASTS
                match other:
                    case "reject":
                        return withdrawal_review.reject(
                            **made.key, checker=two, reason="no", at=NOON
                        )
                    case "cancel":
                        return withdrawals.cancel(**made.key, at=NOON)
                    case "expire":
                        return approvals.expire_due(at=late)
                    case _:
                        return withdrawal_review.approve(**made.key, checker=two, at=NOON)

            results = together(
                lambda made=made, one=one: withdrawal_review.approve(
                    **made.key, checker=one, at=NOON
                ),
                act,
            )

            made.refresh_from_db()
            assert not [r for r in results if isinstance(r, DatabaseError)]
            assert made.status in ("HELD", "REJECTED", "CANCELLED", "EXPIRED")
            held = 50_00 if made.status == "HELD" else 0
            assert make.balances(account.merchant_id)["merchant_available"] == (100_00, held)
            assert made.transitions.count() == made.sequence
        assert make.broken() == []

    def test_of_the_first_requests_of_one_key_makes_one_maker(self):
        account = make.payee(1_000_00)
        authority = withdrawals.SignedRequest(make.key(account.merchant))

        results = together(
            *[
                lambda place=place: make.request(account, authority=authority, order_no=f"K{place}")
                for place in range(8)
            ]
        )

        assert refusals(results) == []
        assert {result.status for result in results} == {"REVIEW"}
        assert User.objects.filter(username=f"key:{authority.key.prefix}").count() == 1
        assert make.broken() == []


class TestDecision:
    @pytest.mark.parametrize("way", ["UNKNOWN", "DISPUTED"])
    def test_of_two_operators_at_once_is_one(self, cloned_db, nobody, way):
        attempt = make.attempt(way)

        def propose(outcome: Status) -> object:
            return decisions.propose(
                **attempt.key,
                outcome=outcome,
                reason="x",
                evidence="letter",
                maker=UserFactory(),
                at=NOON,
            )

        proposed = together(lambda: propose(Status.SUCCEEDED), lambda: propose(Status.FAILED))
        assert refusals(proposed) == [approvals.AlreadyProposed]
        approval = next(one for one in proposed if not isinstance(one, Exception))
        checkers = [checker() for _ in range(4)]

        decided = together(*[lambda who=who: decide(approval, who) for who in checkers])

        assert len(refusals(decided)) == 3
        assert make.fresh(attempt).status == approval.after["status"]
        assert attempt.evidence.filter(verdict="DECIDED").count() == 1
        assert make.broken() == []

    @pytest.mark.parametrize("outcome", [Status.SUCCEEDED, Status.FAILED])
    def test_and_the_channels_word_at_once_end_in_one_truth(self, cloned_db, nobody, outcome):
        for _round in range(4):
            attempt = make.attempt("UNKNOWN")
            approval = decisions.propose(
                **attempt.key,
                outcome=outcome,
                reason="x",
                evidence="letter",
                maker=UserFactory(),
                at=NOON,
            )
            who = checker()

            together(
                lambda approval=approval, who=who: decide(approval, who),
                lambda attempt=attempt: make.news(attempt, Kind.SUCCESS),
            )

            found = make.fresh(attempt)
            assert found.status in ("SUCCEEDED", "DISPUTED")
            if found.status == "DISPUTED":  # decided first that it failed: our claim, visibly
                assert outcome == Status.FAILED
                balances = make.balances(attempt.merchant_id)
                assert balances["disputed_receivable"] == (50_00, 0)
        assert make.broken() == []


class TestMoney:
    def test_of_one_balance_goes_to_the_item_or_to_the_person(self, cloned_db, nobody):
        account = make.payee(0)
        create(account)
        batch = posted(account.merchant_id, 100_00)
        authority = make.token(account, make.owner(account.merchant), 60_00)

        results = together(
            lambda: instructions.pay_out_items(batch.id, NOON),
            lambda: instructions.pay_out_items(batch.id, NOON),
            lambda: make.request(account, 60_00, authority=authority),
        )

        held = Withdrawal.objects.filter(merchant_id=account.merchant_id)
        total = sum(one.amount_minor for one in held)
        assert total in (60_00, 100_00)
        assert held.filter(item__isnull=False).count() <= 1
        assert set(refusals(results)) <= {InsufficientAvailableBalance}
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, total)
        assert make.broken() == []

    def test_goes_out_by_one_token_once(self, cloned_db, nobody):
        account = make.payee(1_000_00)
        authority = make.token(account, make.owner(account.merchant))

        results = together(
            *[
                lambda place=place: make.request(account, authority=authority, order_no=f"T{place}")
                for place in range(8)
            ]
        )

        assert refusals(results) == [TokenRefused] * 7
        assert make.balances(account.merchant_id)["merchant_available"] == (1_000_00, 50_00)
        assert make.broken() == []


class TestTakenAway:
    @pytest.mark.parametrize("what", ["key", "instruction"])
    def test_authority_is_none_and_never_a_fault(self, cloned_db, nobody, what):
        for _round in range(4):
            account = make.payee(200_00)
            authority: withdrawals.Authority
            if what == "key":
                key = make.key(account.merchant)
                authority = withdrawals.SignedRequest(key)
            else:
                authority = withdrawals.ByInstruction(create(account), None)

            def take(account=account, authority=authority) -> object:
                if isinstance(authority, withdrawals.SignedRequest):
                    return api_keys.revoke(merchant_id=account.merchant_id, key_id=authority.key.id)
                return instructions.end(merchant_id=account.merchant_id, currency="CNY", at=NOON)

            results = together(
                lambda account=account, authority=authority: make.request(
                    account, authority=authority
                ),
                take,
            )

            assert set(refusals(results)) <= {withdrawals.AuthorityRefused}
            with pytest.raises(withdrawals.AuthorityRefused):
                make.request(account, authority=authority)
        assert make.broken() == []

    def test_instruction_that_ended_meanwhile_leaves_the_other_merchants_alone(
        self, cloned_db, nobody, monkeypatch
    ):
        first, second = make.payee(0), make.payee(0)
        create(first), create(second)
        dues.payment(second.merchant_id, 10_00, MONDAY)
        batch = posted(first.merchant_id, 10_00)
        payable = instructions.payable

        def ended_first(item, instruction, at):
            instructions.end(merchant_id=first.merchant_id, currency="CNY", at=NOON)
            return payable(item, instruction, at)

        monkeypatch.setattr(instructions, "payable", ended_first)

        done = instructions.pay_out_items(batch.id, NOON)

        assert (done.created, done.skipped) == (1, 1)
        assert Withdrawal.objects.get().merchant_id == second.merchant_id
        assert make.broken() == []


class TestSending:
    def test_and_cancelling_pay_or_give_back(self, cloned_db, channel):
        for _round in range(4):
            account = make.payee()
            made = make.request(account)

            results = together(
                lambda made=made: payouts.send(**made.key, at=NOON),
                lambda made=made: withdrawals.cancel(**made.key, at=NOON),
            )

            paid = f"{made.number}-1" in channel.paid()
            made.refresh_from_db()
            assert made.status == ("PAID" if paid else "CANCELLED")
            assert refusals(results) == ([withdrawals.NotCancellable] if paid else [])
            left = 50_00 if paid else 100_00
            assert make.balances(account.merchant_id)["merchant_available"] == (left, 0)
        assert make.broken() == []

    def test_after_a_hundred_lost_and_doubled_messages_pays_once(self, cloned_db, channel):
        made = [make.request(make.payee(), Money(10_00, "CNY").minor) for _ in range(3)]

        together(
            *[
                lambda one=one: payouts.send(**one.key, at=NOON)
                for one in made
                for _again in range(8)
            ]
        )

        assert sorted(channel.paid()) == sorted(f"{one.number}-1" for one in made)
        assert {states(one) for one in made} == {("SUCCEEDED", "PAID")}
        assert {channel.submissions(only(one).number) for one in made} == {1}
        assert make.broken() == []

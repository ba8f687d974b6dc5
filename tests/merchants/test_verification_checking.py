"""
Checking (校验安全): tries are counted and locked however they come, a code is for one request, the
matrix decides what is asked, and nobody learns more than he must.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from config.errors import DomainError
from foundation.money import Money
from foundation.verification import FactorLocked
from merchants.models import FactorCount, Membership, OneTimeCode, VerificationAttempt
from merchants.services import factor_count, verification
from merchants.services import one_time_code as codes
from merchants.services import payment_password as payment_passwords
from tests.factories.verification import (
    ELSEWHERE,
    NOON,
    PIN,
    ask,
    code,
    give,
    member,
    other,
    rule,
    sent,
)

pytestmark = pytest.mark.checking


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> Membership:
    """An owner, in whichever database the test uses."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    return member()


def at_once(times: int, work: Callable[[int], object]) -> Counter[str]:
    """Run work in as many threads, all beginning together; count what came of it by class."""
    start, results = threading.Barrier(times), list[str]()

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
            results.append("passed")
        except DomainError as refusal:
            results.append(type(refusal).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(results)


class TestThePaymentPassword:
    def test_is_locked_after_six_wrong_ones_over_any_requests(self, owner: Membership) -> None:
        results = []
        for _ in range(6):
            with pytest.raises(DomainError) as refusal:
                give(ask(owner), payment_password="111222")
            results.append(refusal.value.code)

        with pytest.raises(payment_passwords.PaymentPasswordLocked):
            give(ask(owner), payment_password=PIN)
        assert results == ["payment_password_wrong"] * 4 + ["payment_password_locked"] * 2

    @pytest.mark.usefixtures("cloned_db")
    def test_is_locked_by_wrong_ones_that_come_at_once(self, owner: Membership) -> None:
        found = at_once(12, lambda number: give(ask(owner), payment_password=f"11122{number % 10}"))

        assert found == {"PaymentPasswordWrong": 4, "PaymentPasswordLocked": 8}
        with pytest.raises(payment_passwords.PaymentPasswordLocked):
            give(ask(owner), payment_password=PIN)


class TestACode:
    @pytest.fixture(autouse=True)
    def _needed(self, owner: Membership) -> None:
        rule("one_time_code")

    def test_opens_its_request_once(self, owner: Membership) -> None:
        request, digits = sent(owner)

        assert give(request, one_time_code=digits) is not None
        with pytest.raises(verification.tokens.RequestClosed):
            give(request, one_time_code=digits)

    @pytest.mark.parametrize(
        "changed", [{}, {"amount": Money(50_01, "CNY")}, {"payee": ELSEWHERE}], ids=str
    )
    def test_of_another_request_does_not_pass(
        self, owner: Membership, changed: dict[str, Any]
    ) -> None:
        _first, digits = sent(owner)
        second, own = sent(owner, **changed)
        if own == digits:  # one in a million
            return

        with pytest.raises(codes.CodeWrong):
            give(second, one_time_code=digits)

    def test_is_over_after_five_minutes(self, owner: Membership) -> None:
        request, digits = sent(owner)

        with pytest.raises(codes.CodeGone):
            give(request, NOON + timedelta(minutes=5), one_time_code=digits)

    def test_that_was_never_sent_is_none(self, owner: Membership) -> None:
        with pytest.raises(codes.CodeGone):
            give(ask(owner), one_time_code="123456")

    def test_is_replaced_by_the_next(self, owner: Membership) -> None:
        request, first = sent(owner)
        later = NOON + timedelta(minutes=1)
        verification.prepare(request=request, at=later, again=True)
        second = code(request, later)
        assert OneTimeCode.objects.count() == 2

        if first != second:
            with pytest.raises(codes.CodeWrong):
                give(request, later, one_time_code=first)
        assert give(request, later, one_time_code=second) is not None

    def test_says_how_many_tries_are_left_and_then_until_when_it_is_locked(
        self, owner: Membership
    ) -> None:
        request, digits = sent(owner)
        left = []
        for _ in range(4):
            with pytest.raises(codes.CodeWrong) as wrong:
                give(request, one_time_code=other(digits))
            left.append(wrong.value.details["left"])

        with pytest.raises(FactorLocked, match="2026-03-02 13:00"):
            give(request, one_time_code=other(digits))
        with pytest.raises(FactorLocked):
            give(request, one_time_code=digits)
        assert left == [4, 3, 2, 1]

    def test_cannot_be_guessed_over_new_requests(self, owner: Membership) -> None:
        for _ in range(5):
            request, digits = sent(owner)
            with pytest.raises(DomainError):
                give(request, one_time_code=other(digits))

        with pytest.raises(FactorLocked):
            give(request, one_time_code=digits)
        with pytest.raises(FactorLocked):
            verification.prepare(request=ask(owner), at=NOON)

    def test_begins_anew_when_the_lock_ends(self, owner: Membership) -> None:
        request, digits = sent(owner)
        for _ in range(5):
            with pytest.raises(DomainError):
                give(request, one_time_code=other(digits))
        after = NOON + factor_count.LOCKED_FOR

        fresh, right = sent(owner, after)

        assert give(fresh, after, one_time_code=right) is not None
        assert FactorCount.objects.get().failed_count == 0

    @pytest.mark.usefixtures("cloned_db")
    def test_is_compared_five_times_however_many_guess_at_once(self, owner: Membership) -> None:
        request, digits = sent(owner)
        found = at_once(12, lambda number: give(request, one_time_code=f"{number:06d}"))

        assert found["passed"] <= (1 if int(digits) < 12 else 0)
        assert found["CodeWrong"] <= 4
        assert FactorCount.objects.get().failed_count in (0, 5)

    @pytest.mark.usefixtures("cloned_db")
    def test_given_by_eight_at_once_makes_one_token(self, owner: Membership) -> None:
        request, digits = sent(owner)

        found = at_once(8, lambda _number: give(request, one_time_code=digits))

        assert found["passed"] == 1
        assert VerificationAttempt.objects.filter(result="PASSED").count() == 1

    @pytest.mark.parametrize(
        "garbage", ["", " ", "12345", "1234567", "abcdef", "１２３４５６", "💰"]
    )
    def test_is_six_digits_and_nothing_else(self, owner: Membership, garbage: str) -> None:
        request, _digits = sent(owner)

        with pytest.raises(DomainError):
            give(request, one_time_code=garbage)


class TestSending:
    @pytest.fixture(autouse=True)
    def _needed(self, owner: Membership) -> None:
        rule("one_time_code")

    def test_waits_a_minute_and_ends_with_the_third(self, owner: Membership) -> None:
        request, _digits = sent(owner)
        refused = []
        for seconds in (59, 60, 119, 120, 300):
            try:
                at = NOON + timedelta(seconds=seconds)
                verification.prepare(request=request, at=at, again=True)
            except codes.CodeNotSent:
                refused.append(seconds)

        assert refused == [59, 119, 300]
        assert OneTimeCode.objects.count() == 3

    def test_is_limited_over_all_requests_of_an_hour(self, owner: Membership) -> None:
        for _ in range(10):
            verification.prepare(request=ask(owner), at=NOON)

        with pytest.raises(factor_count.SentTooOften):
            verification.prepare(request=ask(owner), at=NOON)
        later = NOON + timedelta(hours=1)
        verification.prepare(request=ask(owner, at=later), at=later)

    @pytest.mark.usefixtures("cloned_db")
    def test_is_limited_when_all_ask_at_once(self, owner: Membership) -> None:
        requests = [ask(owner) for _ in range(14)]

        found = at_once(14, lambda number: verification.prepare(request=requests[number], at=NOON))

        assert found == {"passed": 10, "SentTooOften": 4}

    @pytest.mark.usefixtures("cloned_db")
    def test_sends_one_code_of_a_request_when_asked_twice_at_once(self, owner: Membership) -> None:
        request = ask(owner)

        found = at_once(4, lambda _number: verification.prepare(request=request, at=NOON))

        assert OneTimeCode.objects.count() == 1
        assert found["CodeNotSent"] + found["passed"] == 4

    def test_needs_an_address(self, owner: Membership) -> None:
        owner.user.email = ""
        owner.user.save()

        with pytest.raises(codes.CodeNotSent):
            verification.prepare(request=ask(owner), at=NOON)

    def test_sends_nothing_late_replaced_or_twice(self, owner: Membership) -> None:
        request = ask(owner)
        verification.prepare(request=request, at=NOON)
        first = codes.newest(merchant_id=owner.merchant_id, request_id=request.id)
        assert first is not None
        late = NOON + timedelta(minutes=5)
        codes.send(merchant_id=owner.merchant_id, code_id=first.id, at=late)
        later = NOON + timedelta(minutes=1)
        verification.prepare(request=request, at=later, again=True)
        codes.send(merchant_id=owner.merchant_id, code_id=first.id, at=later)
        assert mail.outbox == []

        code(request, later)
        second = codes.newest(merchant_id=owner.merchant_id, request_id=request.id)
        assert second is not None
        codes.send(merchant_id=owner.merchant_id, code_id=second.id, at=later)
        assert len(mail.outbox) == 1


@pytest.mark.django_db
class TestTheOrder:
    def test_is_that_of_the_matrix_and_what_passed_stays(self, owner: Membership) -> None:
        rule("payment_password", "one_time_code")
        request = ask(owner)
        names = [factor.name for factor in verification.asked(request).now]
        with pytest.raises(verification.ProofMissing):
            give(request, one_time_code="123456")
        assert give(request, payment_password=PIN) is None
        verification.prepare(request=request, at=NOON)
        with pytest.raises(codes.CodeWrong):
            give(request, one_time_code="x")

        assert give(request, one_time_code=code(request)) is not None
        assert names == ["payment_password"]

    def test_a_code_is_not_sent_before_the_password_was_right(self, owner: Membership) -> None:
        rule("payment_password", "one_time_code")

        verification.prepare(request=ask(owner), at=NOON)

        assert not OneTimeCode.objects.exists()

    def test_leaves_of_each_proof_its_factor_level_and_result(self, owner: Membership) -> None:
        rule("payment_password", "one_time_code")
        request = ask(owner)
        with pytest.raises(DomainError):
            give(request, payment_password="111222")
        give(request, payment_password=PIN)
        verification.prepare(request=request, at=NOON)
        give(request, one_time_code=code(request))

        found = VerificationAttempt.objects.order_by("id").values_list(
            "factor", "level", "result", "reason"
        )
        assert list(found) == [
            ("payment_password", 1, "REFUSED", "payment_password_wrong"),
            ("payment_password", 1, "PASSED", ""),
            ("one_time_code", 2, "PASSED", ""),
        ]

"""The payment password: strong enough, counted under lock, locked after five failures."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from config.errors import DomainError, Forbidden
from foundation.models import AuditEvent, History
from merchants.models import Membership, PaymentPassword
from merchants.services import payment_password as payment_passwords
from merchants.services.pepper import PepperUnknown
from tests.factories.merchants import MembershipFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
GOOD = "285913"
WRONG = "285914"


def member_with_password() -> Membership:
    member = MembershipFactory()
    payment_passwords.set_password(
        merchant_id=member.merchant_id, user=member.user, payment_password=GOOD, at=NOON
    )
    return member


def check(member: Membership, password: str, at: datetime = NOON) -> None:
    payment_passwords.check(
        merchant_id=member.merchant_id, user=member.user, payment_password=password, at=at
    )


def fail(member: Membership, times: int) -> None:
    for _ in range(times):
        with pytest.raises(DomainError):
            check(member, WRONG)


@pytest.mark.django_db
class TestSetting:
    @pytest.mark.parametrize(
        "password",
        [
            *("12345", "1234567890123", "28591a", "２８５９１３", "", "285913\n"),
            *("111111", "123456", "654321", "901234", "121212", "123123"),
            *("147258", "520131", "112211"),
        ],
    )
    def test_refuses_the_short_the_foreign_and_the_guessable(self, password: str) -> None:
        member = MembershipFactory()

        with pytest.raises(payment_passwords.PaymentPasswordWeak):
            payment_passwords.set_password(
                merchant_id=member.merchant_id,
                user=member.user,
                payment_password=password,
                at=NOON,
            )

        assert not PaymentPassword.objects.exists()

    def test_stores_a_salted_argon2_hash_that_needs_the_pepper(
        self, settings: pytest.FixtureRequest
    ) -> None:
        one, other = member_with_password(), member_with_password()
        hashes = PaymentPassword.objects.values_list("password_hash", flat=True)
        assert len(set(hashes)) == 2
        assert all(text.startswith("$argon2id$") and GOOD not in text for text in hashes)

        check(one, GOOD)
        settings.PASSWORD_PEPPER = "another"  # type: ignore[attr-defined]
        with pytest.raises(PepperUnknown):
            check(other, GOOD)

    @pytest.mark.parametrize("role", [Membership.Role.VIEWER, Membership.Role.CASHIER])
    def test_is_for_those_who_may_withdraw(self, role: str) -> None:
        member = MembershipFactory(role=role)

        with pytest.raises(Forbidden):
            payment_passwords.set_password(
                merchant_id=member.merchant_id, user=member.user, payment_password=GOOD, at=NOON
            )

    def test_nothing_secret_stands_in_audit_or_history(self) -> None:
        member_with_password()

        written = [str(vars(row)) for model in (AuditEvent, History) for row in model.objects.all()]
        stored = PaymentPassword.objects.get().password_hash
        assert any("payment_password.set" in text for text in written)
        assert not [text for text in written if GOOD in text or stored in text]

    def test_a_generated_one_is_strong(self) -> None:
        for _ in range(50):
            payment_passwords.require_strong(payment_passwords.generate())


@pytest.mark.django_db
class TestChecking:
    def test_says_how_many_tries_are_left_and_never_the_password(self) -> None:
        member = member_with_password()

        with pytest.raises(payment_passwords.PaymentPasswordWrong) as refusal:
            check(member, WRONG)

        assert refusal.value.details == {"left": 4}
        assert WRONG not in f"{refusal.value!r} {refusal.value.details}"

    def test_a_right_one_begins_the_count_anew(self) -> None:
        member = member_with_password()
        fail(member, 4)

        check(member, GOOD)
        fail(member, 4)

        check(member, GOOD)

    def test_the_fifth_failure_in_a_row_locks_even_the_right_one(self) -> None:
        member = member_with_password()
        fail(member, 5)

        with pytest.raises(payment_passwords.PaymentPasswordLocked):
            check(member, GOOD, NOON + payment_passwords.LOCKED_FOR - timedelta(seconds=1))

        assert AuditEvent.objects.filter(action="payment_password.lock").count() == 1

    def test_the_lock_ends_and_five_tries_begin(self) -> None:
        member = member_with_password()
        fail(member, 5)
        later = NOON + payment_passwords.LOCKED_FOR

        with pytest.raises(payment_passwords.PaymentPasswordWrong) as refusal:
            check(member, WRONG, later)

        assert refusal.value.details == {"left": 4}
        check(member, GOOD, later)

    def test_setting_a_new_one_ends_the_lock(self) -> None:
        member = member_with_password()
        fail(member, 5)

        payment_passwords.set_password(
            merchant_id=member.merchant_id, user=member.user, payment_password="739281", at=NOON
        )

        check(member, "739281")

    def test_another_merchants_password_of_the_same_person_does_not_open(self) -> None:
        member = member_with_password()
        elsewhere = MembershipFactory(user=member.user)

        with pytest.raises(payment_passwords.PaymentPasswordNotSet):
            check(elsewhere, GOOD)


@pytest.mark.usefixtures("cloned_db")
class TestAtOnce:
    def test_of_twenty_parallel_guesses_five_are_compared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        member = member_with_password()
        compared: list[str] = []
        matches = payment_passwords._matches

        def watched(hashed: str, password: str) -> bool:
            compared.append(password)
            return matches(hashed, password)

        monkeypatch.setattr(payment_passwords, "_matches", watched)
        start, refusals = threading.Barrier(20), list[str]()

        def guess() -> None:
            start.wait()
            try:
                check(member, WRONG)
            except DomainError as refusal:
                refusals.append(refusal.code)
            finally:
                connection.close()

        threads = [threading.Thread(target=guess) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(compared) == 5
        assert sorted(refusals) == (
            ["payment_password_locked"] * 16 + ["payment_password_wrong"] * 4
        )
        row = PaymentPassword.objects.get()
        assert (row.failed_count, row.locked_until) == (5, NOON + payment_passwords.LOCKED_FOR)

"""One-time codes: each opens once, wrong ones are counted one by one and lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.db import DatabaseError, connection, transaction

from config.errors import DomainError
from foundation import crypto
from foundation.models import AuditEvent, History, SecondFactorGuard, User
from foundation.services import key_rotation, totp
from foundation.services import second_factor as second_factors
from tests.factories.foundation import UserFactory
from tests.factories.second_factor import Telephone, telephone_of

NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
STEP = timedelta(seconds=30)


@pytest.fixture
def person() -> User:
    return UserFactory.create()


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as said:
        act()
    return said.value.code


@pytest.mark.django_db
class TestEnrol:
    def test_keeps_the_secret_only_encrypted_and_bound_to_the_account(self, person: User) -> None:
        telephone = telephone_of(person, NOON)

        stored = Authenticator.objects.get(user=person).data["secret"]
        assert telephone.secret not in str(stored)
        other = UserFactory.create()
        Authenticator.objects.create(
            user=other, type=Authenticator.Type.TOTP, data={"secret": stored}
        )
        code = telephone.code(NOON)
        with pytest.raises(crypto.Tampered):
            totp.check_totp(other, code, NOON)

    def test_needs_a_code_of_the_new_secret(self, person: User) -> None:
        telephone = Telephone(totp.new_secret())

        code = telephone.wrong(NOON)

        assert refused(
            lambda: totp.enrol(user=person, secret=telephone.secret, code=code, at=NOON)
        ) == ("second_factor_wrong")
        assert not Authenticator.objects.exists()

    def test_is_refused_while_there_is_one(self, person: User) -> None:
        telephone_of(person, NOON)

        assert refused(lambda: telephone_of(person, NOON)) == "second_factor_exists"

    def test_leaves_an_audit_event_and_a_masked_line_of_history(self, person: User) -> None:
        telephone = telephone_of(person, NOON)

        assert AuditEvent.objects.get(action="second_factor.add").object_id == str(person.pk)
        line = History.objects.get(table="mfa_authenticator")
        assert line.after["data"] == "*** (new)"
        assert telephone.secret not in str(line.after)

    def test_shows_an_svg_that_loads_nothing(self, person: User) -> None:
        svg = totp.picture(person, totp.new_secret())

        assert svg.startswith("<svg")
        assert "<script" not in svg
        assert "href" not in svg


@pytest.mark.django_db
class TestCheck:
    def test_takes_the_present_code_and_those_of_a_clock_that_is_off(self, person: User) -> None:
        telephone = telephone_of(person, NOON)

        for shown in (-STEP, timedelta(0), STEP):
            totp.check_totp(person, telephone.code(NOON + shown), NOON)

    @pytest.mark.parametrize("off", [-2 * STEP, 2 * STEP])
    def test_refuses_codes_of_other_times(self, person: User, off: timedelta) -> None:
        telephone = telephone_of(person, NOON - 10 * STEP)

        code = telephone.code(NOON + off)

        assert refused(lambda: totp.check_totp(person, code, NOON)) == "second_factor_wrong"

    def test_takes_a_code_once_and_none_of_before_it(self, person: User) -> None:
        telephone = telephone_of(person, NOON)
        totp.check_totp(person, telephone.code(NOON), NOON)

        again = [
            refused(lambda shown=shown: totp.check_totp(person, telephone.code(shown), NOON))
            for shown in (NOON, NOON - STEP)
        ]

        assert again == ["second_factor_used", "second_factor_used"]
        assert SecondFactorGuard.objects.get(user=person).failed_count == 0

    def test_reads_digits_of_a_chinese_keyboard_and_blanks(self, person: User) -> None:
        telephone = telephone_of(person, NOON)
        wide = telephone.code(NOON).translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})

        totp.check_totp(person, f" {wide[:3]} {wide[3:]} ", NOON)

    @pytest.mark.parametrize("garbage", ["", "0" * 500, "\0", "💰", "abcdef", "١٢٣٤٥٦", "-1"])
    def test_counts_garbage_as_wrong(self, person: User, garbage: str) -> None:
        telephone_of(person, NOON)

        assert refused(lambda: totp.check_totp(person, garbage, NOON)) == "second_factor_wrong"

    def test_says_when_there_is_no_app(self, person: User) -> None:
        assert refused(lambda: totp.check_totp(person, "123456", NOON)) == "second_factor_not_set"

    def test_locks_after_five_wrong_ones_even_for_the_right_one(self, person: User) -> None:
        telephone = telephone_of(person, NOON)
        wrong = telephone.wrong(NOON)

        said = [refused(lambda: totp.check_totp(person, wrong, NOON)) for _ in range(5)]
        right = telephone.code(NOON)

        assert said == ["second_factor_wrong"] * 4 + ["second_factor_locked"]
        assert refused(lambda: totp.check_totp(person, right, NOON)) == "second_factor_locked"
        assert AuditEvent.objects.filter(action="second_factor.lock").count() == 1
        later = NOON + second_factors.LOCKED_FOR
        totp.check_totp(person, telephone.code(later), later)
        assert SecondFactorGuard.objects.get(user=person).failed_count == 0


class TestAtOnce:
    def test_a_code_opens_once_and_wrong_ones_are_counted_one_by_one(self, cloned_db: str) -> None:
        person = UserFactory.create()
        telephone = telephone_of(person, NOON)

        def result(code: str) -> str:
            try:
                totp.check_totp(person, code, NOON)
            except DomainError as refusal:
                return refusal.code
            finally:
                connection.close()
            return "open"

        with ThreadPoolExecutor(8) as pool:
            right = sorted(pool.map(result, [telephone.code(NOON)] * 8))
            wrong = sorted(pool.map(result, [telephone.wrong(NOON)] * 12))

        assert right == ["open"] + ["second_factor_used"] * 7
        assert wrong == ["second_factor_locked"] * 8 + ["second_factor_wrong"] * 4


@pytest.mark.django_db
class TestInTheDatabase:
    def test_a_used_step_never_falls_and_a_guard_never_goes(self, person: User) -> None:
        telephone = telephone_of(person, NOON)
        totp.check_totp(person, telephone.code(NOON), NOON)

        for statement in (
            "UPDATE foundation_second_factor_guard SET last_step = 0",
            "DELETE FROM foundation_second_factor_guard",
            "UPDATE foundation_second_factor_guard SET failed_count = 6",
            'INSERT INTO account_emailaddress (email, verified, "primary", user_id)'
            f" VALUES ('a@b.c', true, true, '{person.pk}')",
        ):
            with (
                pytest.raises(DatabaseError),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)


class TestRotation:
    def test_writes_secrets_with_the_new_key(self, cloned_db: str, settings) -> None:
        old = settings.FIELD_KEYS
        person = UserFactory.create()
        telephone = telephone_of(person, NOON)
        settings.FIELD_KEYS = {"new": "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=", **old}
        assert key_rotation.secrets_waiting() == 1

        key_rotation.rotate()

        assert key_rotation.secrets_waiting() == 0
        settings.FIELD_KEYS = {"new": settings.FIELD_KEYS["new"]}
        totp.check_totp(person, telephone.code(NOON), NOON)

"""
Storage (存储安全): slow salted hashes with a pepper that is not in the database, hashed anew when
cost or pepper change; fast hashes are impossible; no code, password or token can be read anywhere.
"""

from __future__ import annotations

from typing import Any

import argon2
import pytest
from django.core import checks
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from foundation.models import User
from merchants.checks import check_hashing, check_peppers
from merchants.models import (
    FactorCount,
    Membership,
    OneTimeCode,
    PaymentPassword,
    VerificationAttempt,
    VerificationRequest,
    VerificationRule,
)
from merchants.services import one_time_code as codes
from merchants.services import payment_password as payment_passwords
from merchants.services import pepper, verification
from tests.config.test_settings import settings_of_production
from tests.factories.foundation import UserFactory
from tests.factories.verification import ELSEWHERE, NOON, PIN, ask, code, member, rule
from tests.hashers import Argon2PasswordHasher

pytestmark = [pytest.mark.django_db, pytest.mark.storage]
OLD, NEW = "the pepper of last year", "the pepper of this year"


def check(one: Membership, password: str = PIN) -> None:
    payment_passwords.check(
        merchant_id=one.merchant_id, user=one.user, payment_password=password, at=NOON
    )


def stored() -> PaymentPassword:
    return PaymentPassword.objects.get()


class TestTheSalt:
    def test_is_another_for_each_person_and_each_time(self) -> None:
        member()
        member()
        for _twice in range(2):
            user = UserFactory()
            user.set_password(PIN)
            user.save()

        hashes = [*PaymentPassword.objects.values_list("password_hash", flat=True)]
        assert len(set(hashes)) == 2
        kept = [*User.objects.filter(password__startswith="argon2$argon2id$").values_list(
            "password", flat=True
        )]  # fmt: skip
        assert len(set(kept)) == len(kept) >= 2
        salts = [one.split("$")[4] for one in hashes] + [one.split("$")[5] for one in kept]
        assert len(set(salts)) == len(salts)

    def test_of_a_sign_in_password_is_drawn_anew_when_the_cost_is_raised(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = UserFactory()
        user.set_password(PIN)
        user.save()
        before = user.password
        monkeypatch.setattr(Argon2PasswordHasher, "time_cost", Argon2PasswordHasher.time_cost + 1)

        assert not user.check_password("111222")
        assert user.password == before
        assert user.check_password(PIN)

        assert user.password != before
        user.refresh_from_db()
        assert user.password != before


class TestThePepper:
    def test_is_not_in_the_database(self, settings: Any) -> None:
        settings.PASSWORD_PEPPER = OLD
        member()
        row = stored()

        assert OLD not in str(vars(row))
        assert row.pepper == pepper.name(OLD)
        with pytest.raises(argon2.exceptions.VerifyMismatchError):
            argon2.PasswordHasher().verify(row.password_hash, PIN)

    def test_is_changed_while_people_go_on(self, settings: Any) -> None:
        settings.PASSWORD_PEPPER = OLD
        one = member()
        settings.PASSWORD_PEPPER, settings.PASSWORD_PEPPERS_FORMER = NEW, [OLD]

        check(one)

        assert stored().pepper == pepper.name(NEW)
        settings.PASSWORD_PEPPERS_FORMER = []
        check(one)
        assert check_peppers(databases=["default"]) == []

    def test_of_a_row_from_before_there_were_several_is_found(self, settings: Any) -> None:
        settings.PASSWORD_PEPPER = OLD
        one = member()
        PaymentPassword.objects.update(pepper="")
        settings.PASSWORD_PEPPER, settings.PASSWORD_PEPPERS_FORMER = NEW, [OLD]

        with pytest.raises(payment_passwords.PaymentPasswordWrong):
            check(one, "111222")
        check(one)

        assert (stored().pepper, stored().failed_count) == (pepper.name(NEW), 0)

    def test_that_is_gone_counts_nothing_and_is_said_by_the_check(self, settings: Any) -> None:
        settings.PASSWORD_PEPPER = OLD
        one = member()
        settings.PASSWORD_PEPPER = NEW

        with pytest.raises(pepper.PepperUnknown):
            check(one)

        assert stored().failed_count == 0
        assert [found.id for found in check_peppers(databases=["default"])] == ["merchants.E003"]

    def test_changed_between_making_and_sending_a_code_sends_the_same_code(
        self, settings: Any
    ) -> None:
        settings.PASSWORD_PEPPER = OLD
        one = member()
        rule("one_time_code")
        request = ask(one)
        verification.prepare(request=request, at=NOON)
        settings.PASSWORD_PEPPER, settings.PASSWORD_PEPPERS_FORMER = NEW, [OLD]

        given = {"one_time_code": code(request)}

        assert verification.prove(request=request, given=given, at=NOON) is not None


class TestTheCost:
    def test_of_production_is_not_that_of_tests(self) -> None:
        hashers, cost = settings_of_production("PASSWORD_HASHERS", "PAYMENT_PASSWORD_ARGON2")

        assert hashers == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
        assert cost == {"time_cost": 3, "memory_cost": 65536, "parallelism": 4}

    def test_is_that_of_the_settings(self, settings: Any) -> None:
        settings.PAYMENT_PASSWORD_ARGON2 = {
            "time_cost": 3,
            "memory_cost": 20000,
            "parallelism": 2,
        }
        member()

        assert stored().password_hash.startswith("$argon2id$v=19$m=20000,t=3,p=2$")

    def test_raised_hashes_anew_at_the_next_right_password_only(self, settings: Any) -> None:
        settings.PAYMENT_PASSWORD_ARGON2 = {
            "time_cost": 2,
            "memory_cost": 19456,
            "parallelism": 1,
        }
        one = member()
        before = stored().password_hash
        settings.PAYMENT_PASSWORD_ARGON2 = {
            "time_cost": 3,
            "memory_cost": 20000,
            "parallelism": 1,
        }

        with pytest.raises(payment_passwords.PaymentPasswordWrong):
            check(one, "111222")
        assert stored().password_hash == before
        check(one)

        assert "m=20000,t=3" in stored().password_hash
        check(one)


class TestFastHashes:
    @pytest.mark.parametrize(
        "hasher",
        [
            "django.contrib.auth.hashers.MD5PasswordHasher",
            "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
            "django.contrib.auth.hashers.UnsaltedSHA1PasswordHasher",
            "django.contrib.auth.hashers.UnsaltedMD5PasswordHasher",
        ],
    )
    def test_stop_the_product_at_its_start(self, settings: Any, hasher: str) -> None:
        settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, hasher]

        found = [one for one in checks.run_checks() if one.id == "merchants.E004"]

        assert [one.is_serious() for one in found] == [True]

    @pytest.mark.parametrize(
        "cost",
        [
            {"time_cost": 1, "memory_cost": 65536, "parallelism": 4},
            {"time_cost": 3, "memory_cost": 8, "parallelism": 1},
            {},
            {"time_cost": 3, "memory_cost": 65536, "parallelism": 4, "type": argon2.Type.I},
        ],
    )
    def test_are_not_argon2_of_little_cost_either(
        self, settings: Any, cost: dict[str, int]
    ) -> None:
        settings.PAYMENT_PASSWORD_ARGON2 = cost

        assert [one.id for one in check_hashing()] == ["merchants.E005"]

    def test_are_no_short_pepper_either(self, settings: Any) -> None:
        settings.PASSWORD_PEPPERS_FORMER = ["short"]

        assert [one.id for one in check_hashing()] == ["merchants.E006"]

    def test_are_not_configured(self) -> None:
        assert check_hashing() == []

    @pytest.mark.parametrize(
        "text",
        [PIN, "md5$a$b", "5f4dcc3b5aa765d61d8327deb882cf99", "$argon2i$v=19$m=1,t=1,p=1$a$b"],
    )
    def test_are_refused_by_the_database(self, text: str) -> None:
        member()

        with (
            pytest.raises(IntegrityError, match="payment_password_argon2id"),
            transaction.atomic(),
        ):
            PaymentPassword.objects.update(password_hash=text)


class TestTheDatabase:
    def test_holds_no_code_password_or_token_in_any_table(self) -> None:
        one = member()
        rule("payment_password", "one_time_code")
        request = ask(one)
        verification.prove(request=request, given={"payment_password": PIN}, at=NOON)
        verification.prepare(request=request, at=NOON)
        digits = code(request)
        token = verification.prove(request=request, given={"one_time_code": digits}, at=NOON)

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
                " AND table_type = 'BASE TABLE'"
            )
            tables = [name for (name,) in cursor.fetchall()]
            found = []
            for table in tables:
                cursor.execute(
                    f'SELECT count(*) FROM public."{table}" t WHERE t::text LIKE ANY (%s)',
                    [[f"%{PIN}%", f"%{token}%", f"% {digits} %", f"%,{digits},%"]],
                )
                found += [table] if cursor.fetchone() != (0,) else []

        assert len(tables) > 50
        assert found == []

    def test_hashes_a_code_with_the_pepper_and_what_it_is_for(self, settings: Any) -> None:
        one = member()
        rule("one_time_code")
        first, second = ask(one), ask(one, payee=ELSEWHERE)
        for request in (first, second):
            verification.prepare(request=request, at=NOON)
        row, other = (codes.newest(merchant_id=one.merchant_id, request_id=request.id)
                      for request in (first, second))  # fmt: skip
        assert row is not None
        assert other is not None
        digits = code(first)

        assert bytes(row.code_hash) == codes._hash(pepper.current(), codes._bound(row), digits)
        assert bytes(row.code_hash) != codes._hash("another", codes._bound(row), digits)
        assert bytes(row.code_hash) != codes._hash(pepper.current(), codes._bound(other), digits)

    @pytest.mark.parametrize(
        ("model", "change"),
        [
            (VerificationRequest, {"amount_minor": 1}),
            (VerificationRequest, {"payee": "8"}),
            (VerificationAttempt, {"result": "PASSED"}),
            (OneTimeCode, {"code_hash": bytes(32)}),
            (OneTimeCode, {"request_id": 1}),
            (FactorCount, {"failed_count": 6}),
            (VerificationRule, {"factors": ["payment_password"]}),
            (VerificationRule, {"in_force": False}),
        ],
    )
    def test_refuses_to_rewrite_what_was_asked_given_and_agreed(
        self, model: Any, change: dict[str, Any]
    ) -> None:
        one = member()
        rule("one_time_code")
        request = ask(one)
        verification.prepare(request=request, at=NOON)
        with pytest.raises(codes.CodeWrong):
            verification.prove(request=request, given={"one_time_code": "x"}, at=NOON)

        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.all().delete()

    def test_refuses_a_rule_that_was_agreed_on_before_the_present_one(self) -> None:
        rule("payment_password", "one_time_code", tier=7)
        row = VerificationRule.objects.get(from_amount_minor=7)
        weaker = row.approval_id
        rule("payment_password", tier=7)
        VerificationRule.objects.get(from_amount_minor=7)

        with (
            pytest.raises(IntegrityError, match="verification_rule_approved"),
            transaction.atomic(),
        ):
            VerificationRule.objects.filter(from_amount_minor=7).update(
                factors=row.factors, approval_id=weaker
            )

    def test_refuses_a_rule_nobody_approved(self) -> None:
        with (
            pytest.raises(IntegrityError, match="verification_rule_approved"),
            transaction.atomic(),
        ):
            VerificationRule.objects.create(
                operation="withdrawal", currency="USD", factors=["payment_password"]
            )

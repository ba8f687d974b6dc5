"""Verification tokens: bound to one act, good once, five minutes; nothing else opens."""

from __future__ import annotations

import hashlib
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.db.utils import DatabaseError

from config.errors import DomainError, Forbidden
from foundation import registries
from foundation.money import Money
from foundation.verification import Presented, ProofField, VerificationFactor
from merchants.models import Membership, VerificationAttempt, VerificationToken
from merchants.services import payment_password as payment_passwords
from merchants.services import verification
from merchants.services import verification_rule as rules
from merchants.services import verification_token as tokens
from tests.factories.merchants import MembershipFactory
from tests.factories.verification import PAYEE, ask, rule

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
PASSWORD = "285913"
FIFTY = Money(50_00, "CNY")


@pytest.fixture
def member(request: pytest.FixtureRequest) -> Membership:
    """An owner with a payment password, in whichever database the test uses."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    member: Membership = MembershipFactory()
    payment_passwords.set_password(
        merchant_id=member.merchant_id, user=member.user, payment_password=PASSWORD, at=NOON
    )
    return member


class NotThere(DomainError):
    """Nobody answered."""

    code = "not_there"


def _red(presented: Presented) -> None:
    if set(presented.given.values()) != {"red"}:
        raise NotThere("nobody answered")


def declare(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Add factors that pass by the word red, for this test."""
    known = dict(registries.verification_factors.items())
    for name in names:
        fields = (ProofField(name, name),)
        known[name] = VerificationFactor(name, name, level=1, fields=fields, check=_red)
    monkeypatch.setattr(registries.verification_factors, "_items", known)


def issue(member: Membership, **changed: Any) -> str:
    asked: dict[str, Any] = {
        "merchant_id": member.merchant_id,
        "user": member.user,
        "operation": "withdrawal",
        "amount": FIFTY,
        "payee": "7",
        "payment_password": PASSWORD,
        "at": NOON,
    }
    return verification.issue(**{**asked, **changed})


def consume(member: Membership, token: str, **changed: Any) -> int:
    asked: dict[str, Any] = {
        "merchant_id": member.merchant_id,
        "user": member.user,
        "token": token,
        "operation": "withdrawal",
        "amount": FIFTY,
        "payee": "7",
        "at": NOON + timedelta(minutes=1),
    }
    with transaction.atomic():
        return tokens.consume(**{**asked, **changed})


def refusal_of(member: Membership, token: str, **changed: Any) -> str:
    with pytest.raises(tokens.TokenRefused) as refusal:
        consume(member, token, **changed)
    assert token not in f"{refusal.value} {refusal.value!r} {refusal.value.details}"
    return refusal.value.reason


class TestIssuing:
    def test_stores_only_the_hash_and_what_the_token_is_for(self, member: Membership) -> None:
        token = issue(member)

        row = VerificationToken.objects.get()
        assert bytes(row.token_hash) == hashlib.sha256(token.encode()).digest()
        assert (row.operation, row.amount_minor, row.currency, row.payee) == (
            "withdrawal",
            50_00,
            "CNY",
            "7",
        )
        assert (row.expires_at - row.issued_at, row.used_at) == (timedelta(minutes=5), None)
        assert row.factors == ["payment_password"]

    def test_needs_the_payment_password_and_counts_a_wrong_one(self, member: Membership) -> None:
        with pytest.raises(payment_passwords.PaymentPasswordWrong):
            issue(member, payment_password="999998")
        with pytest.raises(verification.ProofMissing):
            issue(member, payment_password="")

        assert not VerificationToken.objects.exists()

    @pytest.mark.parametrize("role", [Membership.Role.VIEWER, Membership.Role.CASHIER])
    def test_is_for_those_who_may_withdraw(self, member: Membership, role: str) -> None:
        Membership.objects.update(role=role)

        with pytest.raises(Forbidden):
            issue(member)

    def test_a_membership_that_was_switched_off_opens_nothing(self, member: Membership) -> None:
        Membership.objects.update(active=False)

        with pytest.raises(Forbidden):
            issue(member)

    def test_an_operation_nobody_declared_is_a_bug(self, member: Membership) -> None:
        with pytest.raises(registries.NotRegistered):
            issue(member, operation="nothing")

    def test_nothing_secret_is_logged(
        self, member: Membership, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        token = issue(member)
        consume(member, token)
        refusal_of(member, token)

        logged = " ".join(record.getMessage() for record in caplog.records)
        assert token not in logged
        assert PASSWORD not in logged


class TestMatrix:
    @pytest.mark.parametrize(
        ("minor", "currency", "factors"),
        [
            (0, "USD", ("payment_password",)),
            (999_99, "USD", ("payment_password",)),
            (1_000_00, "USD", ("payment_password", "call")),
            (10_000_00, "USD", ("payment_password", "call", "badge")),
            (5_000_00, "JPY", ("badge",)),
            (10_000_00, "EUR", ("payment_password", "call")),
        ],
    )
    def test_the_worked_table(
        self,
        member: Membership,
        monkeypatch: pytest.MonkeyPatch,
        minor: int,
        currency: str,
        factors: tuple[str, ...],
    ) -> None:
        declare(monkeypatch, "call", "badge")
        for code, tier, needed in (
            ("", 1_000_00, ["payment_password", "call"]),
            ("USD", 1_000_00, ["payment_password", "call"]),
            ("USD", 10_000_00, ["payment_password", "call", "badge"]),
            ("JPY", 0, ["badge"]),
        ):
            rule(*needed, currency=code, tier=tier)

        found = rules.needed(operation="withdrawal", amount=Money(minor, currency))

        assert found.factors == factors

    def test_a_rule_out_of_force_opens_nothing(self, member: Membership) -> None:
        rule("payment_password", in_force=False)

        with pytest.raises(rules.OperationNotVerifiable):
            issue(member)

    def test_every_factor_is_asked_and_each_may_refuse(
        self, member: Membership, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        declare(monkeypatch, "call")
        rule("payment_password", "call")

        with pytest.raises(verification.ProofMissing):
            issue(member)
        with pytest.raises(NotThere):
            issue(member, proofs={"call": "blue"})
        with pytest.raises(payment_passwords.PaymentPasswordWrong):
            issue(member, payment_password="999998", proofs={"call": "red"})
        issue(member, proofs={"call": "red"})

        assert VerificationToken.objects.get().factors == ["payment_password", "call"]


class TestConsuming:
    def test_opens_exactly_the_act_it_was_issued_for_once(self, member: Membership) -> None:
        token = issue(member)

        used = consume(member, token)

        assert VerificationToken.objects.get(id=used).used_at == NOON + timedelta(minutes=1)
        assert refusal_of(member, token) == "used"

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"amount": Money(50_01, "CNY")}, "other_amount"),
            ({"amount": Money(50_00, "USD")}, "other_amount"),
            ({"payee": "8"}, "other_payee"),
            ({"operation": "bank_account.add"}, "other_operation"),
            ({"at": NOON + timedelta(minutes=5)}, "expired"),
            ({"at": NOON - timedelta(seconds=1)}, "expired"),
        ],
    )
    def test_opens_nothing_else(
        self, member: Membership, changed: dict[str, Any], reason: str
    ) -> None:
        token = issue(member)

        assert refusal_of(member, token, **changed) == reason
        consume(member, token)  # a refusal does not use it up

    def test_a_made_up_token_does_not_open(self, member: Membership) -> None:
        issue(member)

        assert refusal_of(member, "made up") == "unknown"

    def test_another_persons_token_does_not_open(self, member: Membership) -> None:
        colleague = MembershipFactory(merchant=member.merchant)

        assert refusal_of(member, issue(member), user=colleague.user) == "other_user"

    def test_another_merchants_token_does_not_open(self, member: Membership) -> None:
        elsewhere = MembershipFactory(user=member.user)

        token = issue(member)

        assert refusal_of(member, token, merchant_id=elsewhere.merchant_id) == "unknown"

    def test_an_act_that_rolls_back_gives_the_token_back(self, member: Membership) -> None:
        token = issue(member)

        with transaction.atomic():
            consume(member, token)
            transaction.set_rollback(True)

        consume(member, token)

    @pytest.mark.usefixtures("cloned_db")
    def test_is_never_consumed_outside_of_a_transaction(self, member: Membership) -> None:
        with pytest.raises(TransactionManagementError):
            tokens.consume(
                merchant_id=member.merchant_id,
                user=member.user,
                token=issue(member),
                operation="withdrawal",
                amount=FIFTY,
                payee="7",
                at=NOON,
            )

    @pytest.mark.usefixtures("cloned_db")
    def test_of_ten_that_come_at_once_one_opens(self, member: Membership) -> None:
        token = issue(member)
        start, results = threading.Barrier(10), list[str]()

        def work() -> None:
            start.wait()
            try:
                consume(member, token)
                results.append("opened")
            except tokens.TokenRefused as refusal:
                results.append(refusal.reason)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results) == ["opened"] + ["used"] * 9


@pytest.mark.django_db
class TestDatabase:
    @pytest.mark.parametrize(
        "change",
        [
            {"amount_minor": 1},
            {"payee": "9"},
            {"expires_at": NOON + timedelta(minutes=4)},
            {"used_at": NOON + timedelta(minutes=5)},
        ],
    )
    def test_refuses_any_change_but_one_use_in_time(
        self, member: Membership, change: dict[str, Any]
    ) -> None:
        issue(member)

        with pytest.raises(DatabaseError), transaction.atomic():
            VerificationToken.objects.update(**change)

    def test_refuses_to_use_a_token_again_or_to_free_it(self, member: Membership) -> None:
        consume(member, issue(member))

        for used_at in (None, NOON + timedelta(minutes=2)):
            with pytest.raises(DatabaseError), transaction.atomic():
                VerificationToken.objects.update(used_at=used_at)
        with pytest.raises(DatabaseError), transaction.atomic():
            VerificationToken.objects.all().delete()

    @pytest.mark.parametrize(
        ("changed", "name"),
        [
            ({}, "verification_token_unproved"),
            ({"amount_minor": 50_01}, "verification_token_request"),
            ({"payee": "8"}, "verification_token_request"),
            ({"operation": "bank_account.add"}, "verification_token_request"),
            ({"factors": []}, "verification_token_request"),
            ({"issued_at": NOON - timedelta(seconds=1)}, "verification_token_request"),
            ({"issued_at": NOON + timedelta(minutes=15)}, "verification_token_request"),
        ],
    )
    def test_refuses_a_token_that_nothing_proves(
        self, member: Membership, changed: dict[str, Any], name: str
    ) -> None:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            self.write(member, **changed)

    def test_refuses_a_token_that_lives_longer(self, member: Membership) -> None:
        with (
            pytest.raises(IntegrityError, match="verification_token_short"),
            transaction.atomic(),
        ):
            self.write(member, proved=True, expires_at=NOON + timedelta(minutes=5, seconds=1))

    def write(self, member: Membership, *, proved: bool = False, **changed: Any) -> None:
        """Write a token for a request as the application's role could."""
        request = ask(member)
        if proved:
            VerificationAttempt.objects.create(
                merchant_id=member.merchant_id,
                verification=request,
                factor="payment_password",
                result="PASSED",
                level=1,
                at=NOON,
                actor="test",
                request_id="test",
            )
        content: dict[str, Any] = {
            "merchant_id": member.merchant_id,
            "request": request,
            "user": member.user,
            "operation": "withdrawal",
            "amount_minor": 50_00,
            "currency": "CNY",
            "payee": PAYEE,
            "factors": ["payment_password"],
            "token_hash": bytes(32),
            "issued_at": NOON,
        }
        content |= changed
        content.setdefault("expires_at", content["issued_at"] + timedelta(minutes=5))
        VerificationToken.objects.create(**content)

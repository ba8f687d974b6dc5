"""
Transport (传输安全): what is replayed, old, somebody else's or changed on the way opens nothing,
and no secret travels where others read: logs, tasks, pages, messages.
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from config.errors import DomainError, Forbidden, NotFound
from foundation.models import AuditEvent, History, OutboxMessage
from foundation.money import Money
from foundation.services import outbox
from merchants.models import Membership
from merchants.services import verification
from merchants.services import verification_token as tokens
from tests.config.test_settings import check, settings_of_production
from tests.factories.merchants import MembershipFactory
from tests.factories.verification import ELSEWHERE, FIFTY, NOON, PAYEE, PIN, ask, code, member, rule

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(seconds=1)


@pytest.fixture
def owner() -> Membership:
    """An owner whose withdrawals need password and code."""
    made = member()
    rule("payment_password", "one_time_code")
    return made


def proved(owner: Membership, **changed: Any) -> str:
    """Give both proofs for one act, and return the token."""
    request = ask(owner, **changed)
    assert verification.prove(request=request, given={"payment_password": PIN}, at=NOON) is None
    verification.prepare(request=request, at=NOON)
    given = {"one_time_code": code(request)}
    token = verification.prove(request=request, given=given, at=NOON)
    assert token is not None
    return token


def use(owner: Membership, token: str, **changed: Any) -> int:
    """Use a token for the withdrawal it is for, unless something else is said."""
    act: dict[str, Any] = {
        "merchant_id": owner.merchant_id,
        "user": owner.user,
        "token": token,
        "operation": "withdrawal",
        "amount": FIFTY,
        "payee": PAYEE,
        "at": LATER,
    }
    with transaction.atomic():
        return tokens.consume(**{**act, **changed})


def refused(owner: Membership, token: str, **changed: Any) -> str:
    with pytest.raises(tokens.TokenRefused) as refusal:
        use(owner, token, **changed)
    return refusal.value.reason


@pytest.mark.checking
class TestAToken:
    def test_that_is_replayed_opens_nothing(self, owner: Membership) -> None:
        token = proved(owner)
        use(owner, token)

        assert refused(owner, token) == "used"

    def test_that_is_expired_opens_nothing(self, owner: Membership) -> None:
        assert refused(owner, proved(owner), at=NOON + timedelta(minutes=5)) == "expired"

    def test_of_another_user_opens_nothing(self, owner: Membership) -> None:
        colleague = MembershipFactory(merchant=owner.merchant)

        assert refused(owner, proved(owner), user=colleague.user) == "other_user"

    @pytest.mark.parametrize("amount", [Money(50_01, "CNY"), Money(49_99, "CNY"), Money(1, "CNY")])
    def test_of_another_amount_opens_nothing(self, owner: Membership, amount: Money) -> None:
        assert refused(owner, proved(owner), amount=amount) == "other_amount"

    def test_of_another_payee_opens_nothing(self, owner: Membership) -> None:
        assert refused(owner, proved(owner), payee=ELSEWHERE) == "other_payee"

    def test_of_another_operation_opens_nothing(self, owner: Membership) -> None:
        token = proved(owner, operation="bank_account.add")

        assert refused(owner, token) == "other_operation"

    def test_of_a_person_who_lost_the_role_opens_nothing(self, owner: Membership) -> None:
        token = proved(owner)
        Membership.objects.filter(id=owner.id).update(role="VIEWER")

        with pytest.raises(Forbidden):
            use(owner, token)

    def test_opens_nothing_once_the_matrix_asks_for_more(self, owner: Membership) -> None:
        rule("payment_password", currency="CNY")
        request = ask(owner)
        token = verification.prove(request=request, given={"payment_password": PIN}, at=NOON)
        assert token is not None
        rule("payment_password", "one_time_code", currency="CNY")

        assert refused(owner, token) == "more_needed"


@pytest.mark.checking
class TestARequest:
    @pytest.mark.parametrize(
        "changed",
        [
            {"operation": "bank_account.add"},
            {"amount": Money(50_01, "CNY")},
            {"amount": Money(50_00, "USD")},
            {"payee": ELSEWHERE},
            {"at": NOON + timedelta(minutes=15)},
            {"at": NOON - timedelta(seconds=1)},
            {"number": "x" * 22},
            {"number": "\0"},
            {"number": ""},
        ],
    )
    def test_is_for_exactly_one_act_and_its_minutes(
        self, owner: Membership, changed: dict[str, Any]
    ) -> None:
        request = ask(owner)
        act: dict[str, Any] = {
            "merchant_id": owner.merchant_id,
            "user": owner.user,
            "number": request.number,
            "operation": "withdrawal",
            "amount": FIFTY,
            "payee": PAYEE,
            "at": NOON,
        }
        assert verification.find(**act) == request

        with pytest.raises(NotFound):
            verification.find(**{**act, **changed})

    def test_is_nobody_elses(self, owner: Membership) -> None:
        request, colleague = ask(owner), member(merchant=owner.merchant)

        for who in (colleague.user, MembershipFactory().user):
            with pytest.raises(NotFound):
                verification.find(
                    merchant_id=owner.merchant_id,
                    user=who,
                    number=request.number,
                    operation="withdrawal",
                    amount=FIFTY,
                    payee=PAYEE,
                    at=NOON,
                )

    def test_gives_one_token(self, owner: Membership) -> None:
        rule("payment_password", currency="CNY")
        request = ask(owner)
        verification.prove(request=request, given={"payment_password": PIN}, at=NOON)

        with pytest.raises(tokens.RequestClosed):
            verification.prove(request=request, given={"payment_password": PIN}, at=NOON)
        with pytest.raises(tokens.RequestClosed):
            tokens.give(request=request, at=NOON)


@pytest.mark.transport
class TestSecrets:
    def test_stand_in_no_log_task_audit_row_history_or_outbox(
        self, owner: Membership, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        token = proved(owner)
        use(owner, token)
        request = ask(owner)
        with pytest.raises(DomainError) as wrong:
            verification.prove(request=request, given={"payment_password": "111222"}, at=NOON)
        verification.prove(request=request, given={"payment_password": PIN}, at=NOON)
        verification.prepare(request=request, at=NOON)
        digits = code(request)

        read = " ".join(record.getMessage() for record in caplog.records)
        read += str(wrong.value.__dict__) + repr(wrong.value)
        for model in (AuditEvent, History, OutboxMessage):
            read += " ".join(str(vars(row)) for row in model.objects.all())
        said = [what for what in (PIN, "111222", token, digits) if what in read]
        assert said == []

    def test_a_code_is_sent_by_a_task_that_knows_ids_alone(
        self, owner: Membership, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = ask(owner)
        verification.prove(request=request, given={"payment_password": PIN}, at=NOON)
        verification.prepare(request=request, at=NOON)
        message = OutboxMessage.objects.get(kind="merchants.send_one_time_code")

        monkeypatch.setattr("foundation.clock.now", lambda: LATER)
        outbox.drain(inline=True)
        outbox.drain(inline=True)

        assert set(message.payload) == {"merchant_id", "code_id"}
        assert len(json.dumps(message.payload)) < 60
        assert len(mail.outbox) == 1
        assert mail.outbox[0].to == [owner.user.email]
        for said in ("50.00 CNY", owner.merchant.name):
            assert said in mail.outbox[0].body

    def test_the_letter_says_in_the_persons_language_what_the_code_is_for(
        self, owner: Membership
    ) -> None:
        texts = []
        for language in ("zh-hans", "en"):
            owner.user.language = language
            owner.user.save()
            request = ask(owner)
            verification.prove(request=request, given={"payment_password": PIN}, at=NOON)
            verification.prepare(request=request, at=NOON)
            code(request)
            texts.append(str(mail.outbox[-1].body))

        assert "用途：提现" in texts[0]
        assert "For: withdraw" in texts[1]

    def test_a_presented_proof_shows_nothing_of_itself(self, owner: Membership) -> None:
        presented = verification._presented(ask(owner), {"payment_password": PIN}, NOON)

        assert PIN not in repr(presented)


@pytest.mark.transport
class TestOnTheWire:
    def test_production_sends_plain_requests_on_and_its_cookies_over_tls_alone(self) -> None:
        told = settings_of_production(
            "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE",
            "SESSION_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS",
        )  # fmt: skip

        assert told[:4] == [True, True, True, True]
        assert told[4] >= 31_536_000

    def test_production_speaks_tls_alone(self) -> None:
        told = check(SECURE_SSL_REDIRECT="false", DATABASE_URL="postgresql://127.0.0.1:1/none")

        assert "security.W008" in told.stderr

"""Bank-card elements as a factor: asked of a channel, of who is on file, and kept nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from channels.services import bank_card
from config.errors import DomainError
from foundation.models import AuditEvent, History, OutboxMessage
from foundation.verification import FactorLocked, FactorUndecided
from merchants.models import FactorCount, Membership, VerificationAttempt, VerificationRequest
from merchants.portal.verification import NUMBER, Step
from merchants.services import verification
from tests.factories import application
from tests.factories import simulator as simulators
from tests.factories.confirmation import merchant_with_phone
from tests.factories.simulator import Simulated
from tests.factories.verification import FIFTY, NOON, PAYEE, PIN, ask, give, member, rule
from tests.merchants.test_verification_checking import at_once

HOLDER = application.OWNER["name"]
RIGHT = {
    "bank_card_holder": HOLDER,
    "bank_card_number": application.CARD,
    "bank_card_identity": application.IDENTITY,
    "bank_card_phone": application.PHONE,
}
KNOWN = {
    "holder": HOLDER, "card": application.CARD, "identity": application.IDENTITY,
    "phone": application.PHONE,
}  # fmt: skip
OTHER_CARD = "6222020200012345670"


@pytest.fixture
def channel(tmp_path: Path, settings: LazySettings) -> Iterator[Simulated]:
    """A bank that knows one card, configured as the channel of this machine."""
    with simulators.running(tmp_path) as running:
        settings.CHANNEL_SIMULATOR = running.config
        running.control("cards", KNOWN)
        yield running


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> Membership:
    """The owner on file, of whom the matrix asks for his card."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    made = member(merchant=merchant_with_phone())
    made.user.person.name = HOLDER
    made.user.person.save()
    rule("bank_card")
    return made


def tried(owner: Membership, **changed: str) -> str | None:
    return give(ask(owner), **{**RIGHT, **changed})


class TestTheElements:
    def test_open_when_the_bank_knows_them(self, owner: Membership, channel: Simulated) -> None:
        spelt = {"bank_card_holder": f" {HOLDER} ", "bank_card_phone": "+86 138 0013 8000"}

        assert tried(owner) is not None
        assert tried(owner, **spelt) is not None
        passed = VerificationAttempt.objects.filter(factor="bank_card", result="PASSED")
        assert {one.level for one in passed} == {3}

    @pytest.mark.parametrize(
        "changed",
        [
            {"bank_card_number": OTHER_CARD},
            {"bank_card_phone": "13900139000"},
            {"bank_card_holder": "李雷"},
            {"bank_card_identity": "11010519491231002X"},
        ],
        ids=str,
    )
    def test_are_wrong_when_one_differs(
        self, owner: Membership, channel: Simulated, changed: dict[str, str]
    ) -> None:
        with pytest.raises(bank_card.BankCardWrong, match="4"):
            tried(owner, **changed)

    @pytest.mark.parametrize(
        "changed",
        [
            {"bank_card_number": "6222020200012345674"},
            {"bank_card_number": "12"},
            {"bank_card_identity": "110105194912310020"},
            {"bank_card_phone": "x"},
            {"bank_card_holder": " \u3000 "},
            {"bank_card_phone": "x", "bank_card_number": "6222020200012345674"},
        ],
        ids=str,
    )
    def test_that_no_card_has_count_for_nothing(
        self, owner: Membership, channel: Simulated, changed: dict[str, str]
    ) -> None:
        with pytest.raises(DomainError) as refusal:
            tried(owner, **changed)

        assert not isinstance(refusal.value, bank_card.BankCardWrong)
        assert set(refusal.value.details["fields"]) == set(changed)
        assert next(iter(changed.values())) not in str(refusal.value)
        assert not FactorCount.objects.filter(factor="bank_card", failed_count__gt=0).exists()

    def test_that_cannot_be_right_are_named_with_other_factors_in_one_step_too(
        self, owner: Membership, channel: Simulated
    ) -> None:
        rule("bank_card", "payment_password", together=True)
        request = ask(owner)
        changed = {**RIGHT, "bank_card_phone": "x"}
        said = []
        for password in (PIN, "111222"):  # whatever the other proof is
            with pytest.raises(bank_card.ElementsMalformed) as refusal:
                verification.prove(
                    request=request, given={**changed, "payment_password": password}, at=NOON
                )
            said.append(refusal.value.details)

        assert said[0] == said[1]

    def test_stand_beside_their_field_on_the_page(
        self, owner: Membership, channel: Simulated
    ) -> None:
        act: dict[str, Any] = {
            "operation": "withdrawal", "amount": FIFTY, "payee": PAYEE, "at": NOON,
        }  # fmt: skip
        number = Step(owner, **act).request.number
        step = Step(owner, **act, given={**RIGHT, NUMBER: number, "bank_card_phone": "x"})

        assert step.submit() is None

        assert list(step.form.errors) == ["bank_card_phone"]
        assert step.problems == []
        shown = "".join(str(field) for field in step.form)
        assert not [value for value in RIGHT.values() if value in shown]

        step = Step(owner, **act, given={**RIGHT, NUMBER: number, "bank_card_number": OTHER_CARD})
        assert step.submit() is None
        assert not step.form.errors
        assert len(step.problems) == 1

    def test_of_a_card_of_ones_own_prove_nothing(
        self, owner: Membership, channel: Simulated
    ) -> None:
        """A thief has a card too: it must be that of the owner on file, in his own name."""
        thief = {**KNOWN, "holder": "韩梅梅", "identity": "11010519491231002X"}
        channel.control("cards", thief)
        changed = {"bank_card_holder": "韩梅梅", "bank_card_identity": "11010519491231002X"}
        colleague = member(merchant=owner.merchant)

        with pytest.raises(bank_card.BankCardWrong):
            tried(owner, **changed)
        with pytest.raises(bank_card.BankCardWrong):
            tried(colleague)  # the right card of somebody else


class TestTheChannel:
    @pytest.mark.parametrize(
        "answer",
        ["timeout", "reset", "garbage", "empty", "http_500", "http_429", "unsigned", "forged",
         "stale", "other_order", "other_payee", "code:SYSTEM_BUSY"],
    )  # fmt: skip
    def test_that_does_not_say_clearly_passes_nobody_and_counts_nothing(
        self, owner: Membership, channel: Simulated, answer: str
    ) -> None:
        channel.rule(order_no="E*", answer=answer)

        with pytest.raises(FactorUndecided):
            tried(owner)

        assert VerificationAttempt.objects.get().result == "UNDECIDED"
        assert FactorCount.objects.get(factor="bank_card").failed_count == 0
        assert tried(owner) is not None

    def test_that_is_slow_is_waited_for(self, owner: Membership, channel: Simulated) -> None:
        channel.rule(order_no="E*", latency=0.1)

        assert tried(owner) is not None

    def test_that_is_not_there_passes_nobody(
        self, owner: Membership, settings: LazySettings
    ) -> None:
        settings.CHANNEL_SIMULATOR = {**settings.CHANNEL_SIMULATOR, "base_url": ""}

        with pytest.raises(FactorUndecided):
            tried(owner)

    @pytest.mark.usefixtures("cloned_db")
    def test_is_asked_outside_of_every_transaction(
        self, owner: Membership, channel: Simulated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside = []
        asked = bank_card._ask

        def spy(elements: Any) -> Any:
            inside.append(connection.in_atomic_block)
            return asked(elements)

        monkeypatch.setattr(bank_card, "_ask", spy)

        assert tried(owner) is not None
        assert inside == [False]


class TestTheLock:
    def test_closes_after_five_the_right_card_too(
        self, owner: Membership, channel: Simulated
    ) -> None:
        said = []
        for _n in range(6):
            with pytest.raises(DomainError) as refusal:
                tried(owner, bank_card_number=OTHER_CARD)
            said.append(isinstance(refusal.value, FactorLocked))

        assert said == [False] * 4 + [True] * 2
        with pytest.raises(FactorLocked):
            tried(owner)

    @pytest.mark.usefixtures("cloned_db")
    def test_lets_five_of_eight_at_once_through(
        self, owner: Membership, channel: Simulated
    ) -> None:
        found = at_once(8, lambda number: tried(owner, bank_card_number=OTHER_CARD))

        assert found == {"BankCardWrong": 4, "FactorLocked": 4}

    @pytest.mark.usefixtures("cloned_db")
    def test_counts_a_try_whose_process_died_before_the_answer(
        self, owner: Membership, channel: Simulated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(elements: Any) -> Any:
            raise SystemExit

        def run() -> None:
            try:
                with pytest.raises(SystemExit):
                    tried(owner)
            finally:
                connection.close()

        monkeypatch.setattr(bank_card, "_ask", die)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

        assert FactorCount.objects.get(factor="bank_card").failed_count == 1


class TestSecrets:
    def test_are_kept_nowhere_and_logged_nowhere(
        self, owner: Membership, channel: Simulated, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        channel.rule(order_no="E*", answer="garbage")
        said = []
        for changed in ({}, {"bank_card_number": OTHER_CARD}):
            with pytest.raises(DomainError) as refusal:
                tried(owner, **changed)
            said.append(f"{refusal.value!r}{refusal.value.details}")
        assert tried(owner) is not None

        tables = (AuditEvent, History, OutboxMessage, VerificationRequest, VerificationAttempt)
        kept = [str(list(model.objects.values())) for model in (*tables, FactorCount)]
        book = str(channel.book()) + str(channel.server.engine.__dict__)
        for secret in (application.CARD, OTHER_CARD, application.IDENTITY, application.PHONE):
            for text in (*kept, *said, book, caplog.text):
                assert secret not in text

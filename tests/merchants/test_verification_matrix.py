"""The matrix: what is asked for how much, together or in turn, and more after a new device."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from config.errors import DomainError
from foundation import registries
from foundation.models import SignIn
from foundation.money import Money
from foundation.verification import FactorLocked
from merchants.models import Membership, VerificationAttempt
from merchants.services import verification
from merchants.services import verification_rule as rules
from tests.factories.second_factor import telephone_of
from tests.factories.verification import NOON, PIN, ask, give, member, other, rule, sent


@pytest.fixture
def owner(db: None) -> Membership:
    """An owner with payment password and e-mail."""
    return member()


@pytest.mark.django_db
class TestTogether:
    @pytest.fixture(autouse=True)
    def _needed(self, owner: Membership) -> None:
        rule("payment_password", "one_time_code", together=True)

    def test_passes_when_all_are_right(self, owner: Membership) -> None:
        request, digits = sent(owner)

        assert give(request, payment_password=PIN, one_time_code=digits) is not None

    def test_tells_nobody_which_one_was_wrong(self, owner: Membership) -> None:
        request, digits = sent(owner)
        said = set()
        for password, typed in (
            ("111222", digits),
            (PIN, other(digits)),
            ("111222", other(digits)),
        ):
            with pytest.raises(verification.ProofsRefused) as refusal:
                give(request, payment_password=password, one_time_code=typed)
            said.add((str(refusal.value), str(refusal.value.details)))

        assert len(said) == 1
        assert [factor.name for factor in verification.asked(request).now] == [
            "payment_password",
            "one_time_code",
        ]
        assert VerificationAttempt.objects.filter(result="SPOILT").count() == 2
        assert not VerificationAttempt.objects.filter(result="PASSED").exists()

    def test_needs_all_at_once(self, owner: Membership) -> None:
        request, digits = sent(owner)

        for given in ({"payment_password": PIN}, {"one_time_code": digits}):
            with pytest.raises(verification.ProofMissing):
                give(request, **given)


@pytest.mark.django_db
class TestTheMatrix:
    def test_has_a_rule_for_every_operation_of_any_size(self) -> None:
        names = [name for name, _operation in registries.verified_operations.items()]

        assert len(names) >= 8
        for name in names:
            for amount in (Money(0, "CNY"), Money(10**15, "CNY"), Money(1, "USD")):
                assert rules.needed(operation=name, amount=amount).factors

    def test_asks_more_of_more_money(self) -> None:
        found = [
            rules.needed(operation="withdrawal", amount=Money(minor, "CNY"))
            for minor in (49_999_99, 50_000_00, 500_000_00)
        ]

        assert [len(one.factors) for one in found][:2] == [1, 2]
        assert [one.together for one in found] == [False, False, True]

    @pytest.mark.parametrize(
        "changed",
        [
            {"operation": "nothing"},
            {"factors": ("nothing",)},
            {"factors": ()},
            {"factors": ("payment_password", "payment_password")},
            {"currency": "XXX"},
            {"tier": -1},
            {"tier": 10**16},
        ],
        ids=str,
    )
    def test_takes_nothing_that_does_not_exist(self, changed: dict[str, Any]) -> None:
        content: dict[str, Any] = {"factors": ("payment_password",), **changed}

        with pytest.raises(DomainError):
            rule(*content.pop("factors"), **content)


@pytest.mark.django_db
class TestANewDevice:
    @pytest.fixture
    def stranger(self, owner: Membership, monkeypatch: pytest.MonkeyPatch) -> Membership:
        """An owner who signed in from a new device within the day."""
        asks = {"test": lambda *, user, at: user == owner.user}
        monkeypatch.setattr(registries.step_ups, "_items", asks)
        return owner

    @pytest.mark.parametrize(
        ("minor", "factors", "together"),
        [
            (50_00, ["payment_password", "one_time_code"], False),
            (50_000_00, ["payment_password", "one_time_code"], True),
        ],
    )
    def test_asks_for_what_the_next_tier_asks(
        self, stranger: Membership, minor: int, factors: list[str], together: bool
    ) -> None:
        request = ask(stranger, amount=Money(minor, "CNY"))

        assert (request.factors[:2], request.together) == (factors, together)
        assert request.stepped_up

    def test_adds_a_code_where_there_is_no_next_tier(self, stranger: Membership) -> None:
        request = ask(stranger, operation="payment_password.change")

        assert request.factors == ["payment_password", "one_time_code"]

    def test_is_nobody_elses_business(self, stranger: Membership) -> None:
        colleague = member(merchant=stranger.merchant)

        assert ask(colleague).factors == ["payment_password"]


@pytest.mark.django_db
class TestTheAuthenticatorApp:
    @pytest.fixture(autouse=True)
    def _needed(self, owner: Membership) -> None:
        rule("payment_password", "totp", together=True)

    def test_opens_once_for_whatever_it_was_asked_for(self, owner: Membership) -> None:
        digits = telephone_of(owner.user, NOON).code(NOON)

        assert give(ask(owner), payment_password=PIN, totp=digits) is not None
        with pytest.raises(verification.ProofsRefused):
            give(ask(owner), payment_password=PIN, totp=digits)

    def test_is_locked_after_five_wrong_ones(self, owner: Membership) -> None:
        telephone, said = telephone_of(owner.user, NOON), []
        for _ in range(6):
            with pytest.raises(DomainError) as refusal:
                give(ask(owner), payment_password=PIN, totp=telephone.wrong(NOON))
            said.append(type(refusal.value))

        assert said == [verification.ProofsRefused] * 4 + [FactorLocked] * 2

    def test_is_asked_of_nobody_who_has_none(self, owner: Membership) -> None:
        with pytest.raises(verification.ProofsRefused):
            give(ask(owner), payment_password=PIN, totp="123456")
        found = VerificationAttempt.objects.get(factor="totp")
        assert (found.level, found.reason) == (3, "second_factor_not_set")


@pytest.mark.django_db
class TestSigningInFromANewPlace:
    def test_raises_the_level_for_a_day(self, owner: Membership) -> None:
        SignIn.objects.create(
            user=owner.user,
            door="portal",
            session_hash="x",
            device_hash=bytes(32),
            device="a browser",
            address="192.0.2.7",
            network="192.0.2.0/24",
            new_device=False,
            new_place=True,
            signed_in_at=NOON,
            last_seen_at=NOON,
        )

        found = [ask(owner, NOON + timedelta(hours=hours)).stepped_up for hours in (0, 23, 25)]

        assert found == [True, True, False]

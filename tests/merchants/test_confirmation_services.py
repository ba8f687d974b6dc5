"""A second person and a call-back: who may say so, when, to what, and that nothing goes round."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction

from config.errors import DomainError, Forbidden
from foundation.models import AuditEvent, User
from foundation.money import Money
from foundation.services import outbox
from merchants.models import Confirmation, Membership, VerificationRequest, VerificationToken
from merchants.services import confirmation as confirmations
from merchants.services import verification
from merchants.services import verification_token as tokens
from tests.factories.confirmation import merchant_with_phone
from tests.factories.foundation import UserFactory
from tests.factories.verification import FIFTY, NOON, PIN, ask, give, member, rule
from tests.merchants.test_verification_checking import at_once

LATER = NOON + timedelta(hours=3)


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> Membership:
    """An owner of a merchant with an approved telephone number."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    return member(merchant=merchant_with_phone())


@pytest.fixture
def colleague(owner: Membership) -> Membership:
    return member(merchant=owner.merchant)


def proved(owner: Membership, *factors: str) -> VerificationRequest:
    """Return a request whose own proof is right and which waits for others."""
    rule("payment_password", *factors)
    request = ask(owner)
    assert give(request, payment_password=PIN) is None
    return request


def only() -> Confirmation:
    return Confirmation.objects.get()


def yes(one: Membership, at: datetime = LATER, **changed: Any) -> Confirmation:
    """Prove it as a colleague and say yes."""
    row = only()
    asked = row.verification
    act: dict[str, Any] = {
        "merchant_id": one.merchant_id, "user": one.user, "operation": confirmations.OPERATION,
        "amount": Money(asked.amount_minor, asked.currency), "payee": asked.number, "at": at,
    }  # fmt: skip
    token = verification.issue(**{**act, **changed}, payment_password=PIN)
    return confirmations.confirm(
        merchant_id=one.merchant_id, confirmation_id=row.id, by=one.user, token=token, at=at
    )


class TestASecondPerson:
    def test_opens_what_waits_hours_later(self, owner: Membership, colleague: Membership) -> None:
        request = proved(owner, "second_person")

        assert verification.asked(request).others
        assert give(request, at=LATER) is None
        yes(colleague)
        token = give(request, at=LATER)

        assert token is not None
        with transaction.atomic():
            tokens.consume(
                merchant_id=owner.merchant_id, user=owner.user, token=token,
                operation="withdrawal", amount=FIFTY, payee=request.payee, at=LATER,
            )  # fmt: skip
        with pytest.raises(tokens.RequestClosed):
            give(request, at=LATER)
        said = AuditEvent.objects.filter(action__startswith="confirmation.").order_by("id")
        assert [one.action for one in said] == ["confirmation.ask", "confirmation.yes"]

    def test_is_told_what_it_is_about(self, owner: Membership, colleague: Membership) -> None:
        proved(owner, "second_person")
        give(VerificationRequest.objects.get())  # asked once more, told once
        mail.outbox.clear()

        outbox.drain(inline=True)

        (letter,) = [one for one in mail.outbox if one.to == [colleague.user.email]]
        assert "50.00 CNY" in str(letter.body)

    def test_is_never_the_person_himself(self, owner: Membership, colleague: Membership) -> None:
        proved(owner, "second_person")
        second_account = member(merchant=owner.merchant, user=UserFactory(person=owner.user.person))

        for same in (owner, second_account):
            with pytest.raises(confirmations.OwnConfirmation):
                yes(same)
        assert only().state == "WAITING"

    @pytest.mark.parametrize("role", ["CASHIER", "VIEWER"])
    def test_may_do_the_same_himself(
        self, owner: Membership, colleague: Membership, role: str
    ) -> None:
        proved(owner, "second_person")
        Membership.objects.filter(id=colleague.id).update(role=role)

        with pytest.raises(Forbidden):
            yes(colleague)
        with pytest.raises(Forbidden):
            confirmations.refuse(
                merchant_id=owner.merchant_id, confirmation_id=only().id, by=colleague.user,
                note="no", at=LATER,
            )  # fmt: skip

    def test_belongs_to_the_merchant(self, owner: Membership, colleague: Membership) -> None:
        proved(owner, "second_person")
        stranger = member()
        row = only()

        with pytest.raises(DomainError):
            confirmations.confirm(
                merchant_id=stranger.merchant_id, confirmation_id=row.id, by=stranger.user,
                token="x", at=LATER,
            )  # fmt: skip
        with pytest.raises(Forbidden):
            confirmations.confirm(
                merchant_id=owner.merchant_id, confirmation_id=row.id, by=stranger.user,
                token="x", at=LATER,
            )  # fmt: skip

    @pytest.mark.parametrize(
        "changed",
        [{"amount": Money(50_01, "CNY")}, {"payee": "x" * 22}, {"operation": "withdrawal"}],
        ids=str,
    )
    def test_proves_it_for_exactly_this(
        self, owner: Membership, colleague: Membership, changed: dict[str, Any]
    ) -> None:
        proved(owner, "second_person")
        if "operation" in changed:
            rule("payment_password")

        with pytest.raises(tokens.TokenRefused):
            yes(colleague, **changed)
        assert only().state == "WAITING"

    def test_comes_too_late_after_a_day(self, owner: Membership, colleague: Membership) -> None:
        request = proved(owner, "second_person")
        late = request.opened_at + timedelta(hours=24)

        with pytest.raises(confirmations.ConfirmationOver):
            yes(colleague, at=late)
        with pytest.raises(tokens.RequestClosed):
            give(request, at=late)

    def test_says_no_for_good(self, owner: Membership, colleague: Membership) -> None:
        request = proved(owner, "second_person")
        confirmations.refuse(
            merchant_id=owner.merchant_id, confirmation_id=only().id, by=colleague.user,
            note="we never ordered that", at=LATER,
        )  # fmt: skip

        with pytest.raises(confirmations.ConfirmationRefused, match="never ordered"):
            give(request, at=LATER)
        with pytest.raises(confirmations.ConfirmationOver):
            yes(colleague)
        assert not VerificationToken.objects.filter(request=request).exists()

    def test_is_missed_before_anybody_waits_in_vain(self, owner: Membership) -> None:
        rule("payment_password", "second_person")

        with pytest.raises(confirmations.NobodyElse):
            give(ask(owner), payment_password=PIN)

    def test_does_not_make_own_proofs_good_for_a_day(
        self, owner: Membership, colleague: Membership
    ) -> None:
        rule("payment_password", "second_person")
        request = ask(owner)

        with pytest.raises(tokens.RequestClosed):
            give(request, at=NOON + timedelta(minutes=15), payment_password=PIN)

    @pytest.mark.usefixtures("cloned_db")
    def test_says_it_once_of_six_at_once(self, owner: Membership, colleague: Membership) -> None:
        proved(owner, "second_person")

        found = at_once(6, lambda number: yes(colleague))

        assert found == {"passed": 1, "ConfirmationOver": 5}

    def test_is_asked_for_where_one_can_come_back_alone(self, owner: Membership) -> None:
        with pytest.raises(DomainError, match=r"cannot wait|不能等待"):
            rule("payment_password", "second_person", operation="api_key.create")


class TestACallBack:
    @pytest.fixture
    def staff(self) -> User:
        made: User = UserFactory(is_staff=True)
        return made

    def said(self, staff: User, confirmed: bool, at: datetime = LATER) -> Confirmation:
        row = only()
        return confirmations.called(
            merchant_id=row.merchant_id, confirmation_id=row.id, by=staff, confirmed=confirmed,
            note="spoke with Li Lei", at=at,
        )  # fmt: skip

    def test_goes_to_the_number_of_the_approved_application(
        self, owner: Membership, staff: User
    ) -> None:
        request = proved(owner, "call_back")
        row = only()

        assert "13800138000" not in str(row.__dict__)
        assert row.phone_masked.endswith("8000")
        assert confirmations.number_on_file(
            merchant_id=row.merchant_id, confirmation_id=row.id, by=staff
        ) == ("陈立", "13800138000")
        event = AuditEvent.objects.get(action="confirmation.number_shown")
        assert "13800138000" not in str(event.__dict__)
        self.said(staff, confirmed=True)
        assert give(request, at=LATER) is not None

    def test_that_is_not_confirmed_ends_it(self, owner: Membership, staff: User) -> None:
        request = proved(owner, "call_back")
        self.said(staff, confirmed=False)

        with pytest.raises(confirmations.ConfirmationRefused):
            give(request, at=LATER)
        with pytest.raises(confirmations.ConfirmationOver):
            self.said(staff, confirmed=True)

    def test_is_done_by_staff_who_act_for_the_merchant_under_no_account(
        self, owner: Membership, colleague: Membership
    ) -> None:
        proved(owner, "call_back")
        Membership.objects.filter(id=colleague.id).update(active=False)
        insider = UserFactory(is_staff=True, person=colleague.user.person)

        with pytest.raises(confirmations.OwnConfirmation):
            self.said(insider, confirmed=True)
        with (
            pytest.raises(DatabaseError, match="confirmation_insider"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "UPDATE merchants_confirmation SET state = 'CONFIRMED', decided_at = asked_at,"
                " decided_by_id = %s",
                [insider.pk],
            )
        assert only().state == "WAITING"

    def test_is_done_by_staff_who_are_not_the_person(self, owner: Membership) -> None:
        proved(owner, "call_back")

        with pytest.raises(confirmations.OwnConfirmation):
            self.said(UserFactory(is_staff=True, person=owner.user.person), confirmed=True)
        with pytest.raises(Forbidden):
            self.said(owner.user, confirmed=True)
        assert only().state == "WAITING"

    @pytest.mark.django_db
    def test_needs_a_number_on_file(self) -> None:
        rule("payment_password", "call_back")

        with pytest.raises(confirmations.NobodyToCall):
            give(ask(member()), payment_password=PIN)

    def test_and_a_second_person_are_both_needed(
        self, owner: Membership, colleague: Membership, staff: User
    ) -> None:
        request = proved(owner, "second_person", "call_back")
        call = Confirmation.objects.get(factor="call_back")
        confirmations.called(
            merchant_id=call.merchant_id, confirmation_id=call.id, by=staff, confirmed=True,
            note="Li Lei", at=LATER,
        )  # fmt: skip

        assert give(request, at=LATER) is None
        assert [one.name for one in verification.asked(request).others] == ["second_person"]


class TestRawSql:
    """The product's role, whatever it runs."""

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE merchants_confirmation SET state = 'CONFIRMED', decided_at = asked_at, "
            "decided_by_id = '{owner}'",
            "UPDATE merchants_confirmation SET state = 'CONFIRMED', decided_at = asked_at, "
            "decided_by_id = '{colleague}'",  # proved nothing
            "UPDATE merchants_confirmation SET state = 'REFUSED', decided_at = asked_at, "
            "decided_by_id = '{stranger}'",
            "UPDATE merchants_confirmation SET expires_at = expires_at + interval '1 day'",
            "UPDATE merchants_confirmation SET state = 'CONFIRMED'",
            "DELETE FROM merchants_confirmation",
            "INSERT INTO merchants_verification_attempt (merchant_id, verification_id, factor, "
            "result, level, reason, at, actor, request_id) SELECT merchant_id, verification_id, "
            "'second_person', 'PASSED', 4, '', asked_at, 'x', 'x' FROM merchants_confirmation",
            "INSERT INTO merchants_confirmation (merchant_id, verification_id, factor, state, "
            "asked_at, expires_at, contact_name, phone_masked, note) SELECT merchant_id, "
            "verification_id, 'other', 'WAITING', asked_at, expires_at, '', '', '' "
            "FROM merchants_confirmation",
        ],
        ids=range(8),
    )
    def test_confirms_nothing(
        self, owner: Membership, colleague: Membership, statement: str
    ) -> None:
        proved(owner, "second_person")
        words = {
            "owner": owner.user.pk, "colleague": colleague.user.pk, "stranger": UserFactory().pk,
        }  # fmt: skip

        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(**words))
        assert only().state == "WAITING"

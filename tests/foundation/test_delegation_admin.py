"""The pages on which a right is lent and a tier is proposed: by form, with its mistakes beside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import Approval, ApprovalPolicy, Delegation, User
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db
KIND = "merchants.bank_account_approve"


def somebody(*roles: str, **fields: object) -> User:
    user: User = UserFactory(is_staff=True, language="en", **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def days(first: int, last: int) -> dict[str, str]:
    today = clock.business_date(clock.now())
    return {
        "first_day": (today + timedelta(days=first)).isoformat(),
        "last_day": (today + timedelta(days=last)).isoformat(),
    }


class TestLend:
    ADDRESS = "admin:foundation_lend"

    def test_proposes_and_ends(self):
        boss, deputy = somebody("checker"), somebody("operator", username="deputy")
        client = client_of(boss)
        form = {
            "delegate": "deputy",
            "permission": "merchants.approve_bankaccount",
            "reason": "on leave",
            **days(0, 6),
        }
        said = client.post(reverse(self.ADDRESS), form, follow=True).content.decode()
        assert "another person decides in the approvals" in said

        approve(Approval.objects.get(), at=clock.now())
        lent = Delegation.objects.get()
        assert (lent.delegate, lent.ends_at - lent.starts_at) == (deputy, timedelta(days=7))

        step = reverse("admin:foundation_delegation_step", args=[lent.pk, "end"])
        assert (
            "Only its two sides"
            in client_of(somebody("operator")).post(step, follow=True).content.decode()
        )
        client.post(step)
        assert Delegation.objects.get().ended_at is not None

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"delegate": "nobody"}, "Nobody of the staff has this user name."),
            ({"delegate": "x\0"}, "Null characters are not allowed."),
            ({"permission": "foundation.delete_user"}, "Select a valid choice."),
            ({"first_day": "2026-02-30"}, "Enter a valid date."),
            ({"last_day": "9999-12-31"}, "This day is beyond the calendar."),
            ({"reason": ""}, "This field is required."),
            (days(0, 120), "within 92 days"),
            (days(5, 1), "after its beginning"),
            ({"delegate": "boss"}, "A right is lent to another person."),
        ],
    )
    def test_says_what_is_wrong_beside_the_field(self, changes, said):
        somebody("operator", username="deputy")
        form = {
            "delegate": "deputy",
            "permission": "merchants.approve_bankaccount",
            "reason": "on leave",
            **days(0, 6),
        }
        client = client_of(somebody("checker", username="boss"))
        answer = client.post(reverse(self.ADDRESS), form | changes)

        assert answer.status_code == 400
        assert said in answer.content.decode()
        assert not Approval.objects.exists()

    def test_is_for_who_holds_a_right(self):
        operator = client_of(somebody("operator"))

        assert "no right to decide" in operator.get(reverse(self.ADDRESS)).content.decode()
        assert operator.post(reverse(self.ADDRESS)).status_code == 403
        assert client_of(somebody()).get(reverse(self.ADDRESS)).status_code == 403


class TestTier:
    ADDRESS = "admin:foundation_tier"
    FORM = {
        "action": KIND,
        "currency": "CNY",
        "from_amount": "50000.00",
        "checkers_needed": "2",
        "reason": "board",
    }

    def test_is_proposed_in_whole_units_and_takes_effect_when_approved(self):
        client = client_of(somebody("operator"))
        client.post(reverse(self.ADDRESS), self.FORM)
        assert not ApprovalPolicy.objects.exists()

        approve(Approval.objects.get(), at=clock.now())

        tier = ApprovalPolicy.objects.get()
        assert (tier.from_amount_minor, tier.checkers_needed) == (50_000_00, 2)
        text = client.get(reverse("admin:foundation_approvalpolicy_changelist")).content.decode()
        assert "50,000.00 CNY" in text
        assert "Bank account" in text

    @pytest.mark.parametrize(
        "changes",
        [
            {"action": "nobody.knows"},
            {"currency": "cny"},
            {"currency": "XXZ"},
            {"from_amount": "1.234"},
            {"from_amount": "1e9"},
            {"from_amount": "١٢"},
            {"currency": "", "from_amount": "5"},
            {"currency": "", "from_amount": "1.2.3"},
            {"from_amount": "9" * 20},
            {"checkers_needed": "6"},
            {"checkers_needed": "0"},
            {"reason": " "},
        ],
    )
    def test_says_what_is_wrong(self, changes):
        answer = client_of(somebody("operator")).post(reverse(self.ADDRESS), self.FORM | changes)

        assert answer.status_code == 400
        assert answer.context["form"].errors
        assert not Approval.objects.exists()

    def test_is_proposed_by_who_may(self):
        for role in ("checker", "finance", "auditor"):
            assert client_of(somebody(role)).get(reverse(self.ADDRESS)).status_code == 403

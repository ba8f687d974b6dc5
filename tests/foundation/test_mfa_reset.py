"""A lost telephone: two other persons take the second step away, and nobody his own."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import Approval, SignIn, User
from foundation.services import approval as approvals
from foundation.services import mfa_reset
from merchants.models import Membership
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.second_factor import telephone_of
from tests.foundation.signing_in import merchant_person, password, signed_in, staff

pytestmark = pytest.mark.django_db


def one_of(role: str, **fields: object) -> User:
    user: User = UserFactory.create(is_staff=True, language="en", **fields)
    user.groups.set(Group.objects.filter(name=role))
    return user


def reset_proposed(user: User, maker: User) -> Approval:
    return mfa_reset.propose(
        user_id=str(user.pk), reason="called back", maker=maker, at=clock.now()
    )


def approve(proposal: Approval, checker: User) -> None:
    approvals.decide(
        approval_id=proposal.id,
        merchant_id=proposal.merchant_id,
        checker=checker,
        approve=True,
        reason="",
        seen_sha256=proposal.content_sha256,
        at=clock.now(),
    )


class TestReset:
    def test_takes_everything_away_and_ends_the_sessions(self, client) -> None:
        user = merchant_person()
        telephone = telephone_of(user, clock.now())
        password(client, user)
        client.post(reverse("account:second_step"), {"code": telephone.code()})

        approve(reset_proposed(user, one_of("operator")), one_of("checker"))

        assert not Authenticator.objects.filter(user=user).exists()
        assert client.get("/account/").status_code == 302
        assert SignIn.objects.get(user=user).ended == "factor"

    def test_wants_two_persons_and_neither_is_the_owner(self) -> None:
        user = staff()
        telephone_of(user, clock.now())
        second_account = one_of("operator", person=user.person)
        checking = one_of("checker", person=user.person)

        with pytest.raises(mfa_reset.OwnSecondFactor):
            reset_proposed(user, second_account)
        proposal = reset_proposed(user, maker := one_of("operator"))
        with pytest.raises(approvals.SelfApprovalForbidden):
            approve(proposal, maker)
        with pytest.raises(approvals.CheckerGains):
            approve(proposal, checking)
        with pytest.raises(approvals.CheckerNotAllowed):
            approve(proposal, one_of("operator"))
        assert Authenticator.objects.filter(user=user).exists()

    def test_is_proposed_on_the_accounts_page_with_a_reason(self, client) -> None:
        user = merchant_person()
        telephone_of(user, clock.now())
        client.force_login(one_of("operator"))
        page = reverse("admin:foundation_user_change", args=[user.pk])
        step = reverse("admin:foundation_user_step", args=[user.pk, "propose_mfa_reset"])

        assert "Propose to take the second step away" in client.get(page).content.decode()
        assert "totp" in client.get(page).content.decode()
        client.post(step, {"reason": ""})
        assert not Approval.objects.exists()
        client.post(step, {"reason": "came in person"})
        assert Approval.objects.get().action == mfa_reset.ACTION
        client.force_login(one_of("auditor"))
        assert client.post(step, {"reason": "x"}).status_code == 403

    def test_leads_to_a_new_one_at_the_next_sign_in(self, settings) -> None:
        settings.MFA_PORTAL_ROLES = ["OWNER"]
        user = merchant_person()
        telephone_of(user, clock.now())
        approve(reset_proposed(user, one_of("operator")), one_of("checker"))
        client = Client()

        assert password(client, user)["Location"] == reverse("account:enrol")


class TestPortalRoles:
    def test_are_named_by_the_setting(self, settings) -> None:
        settings.MFA_PORTAL_ROLES = ["OWNER", "FINANCE"]
        merchant = MerchantFactory.create()
        cashier = portal.member(merchant, Membership.Role.CASHIER)
        finance = portal.member(merchant, Membership.Role.FINANCE)
        first, second = Client(), Client()

        assert password(first, cashier)["Location"] == "/portal/"
        assert password(second, finance)["Location"] == reverse("account:enrol")
        assert (signed_in(first), signed_in(second)) == (True, False)
        Membership.objects.filter(user=cashier).update(role="OWNER")
        assert first.get("/portal/")["Location"] == reverse("account:enrol")

    def test_of_a_membership_that_ended_ask_for_nothing(self, settings) -> None:
        settings.MFA_PORTAL_ROLES = ["*"]
        user = portal.member(MerchantFactory.create(), Membership.Role.VIEWER)
        Membership.objects.filter(user=user).update(active=False)

        assert password(Client(), user)["Location"] == "/portal/"


class TestSignIns:
    def test_are_listed_without_their_keys(self, client) -> None:
        user = merchant_person()
        password(Client(), user)
        client.force_login(one_of("auditor"))
        row = SignIn.objects.get(user=user)

        listed = client.get(reverse("admin:foundation_signin_changelist")).content.decode()
        shown = client.get(
            reverse("admin:foundation_signin_change", args=[row.pk])
        ).content.decode()

        assert user.username in listed
        assert row.session_hash not in listed + shown

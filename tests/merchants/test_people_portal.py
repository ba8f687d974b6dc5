"""From an invitation to a person who signs in, and the page on which a merchant keeps people."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import User
from foundation.services import outbox
from merchants.models import CustomRole, Invitation, Membership, Merchant
from merchants.services import payment_password as payment_passwords
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.second_factor import Telephone
from tests.factories.verification import PIN, prove

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
NEW = {"new": "a password of eve", "again": "a password of eve"}


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create(name="湖畔茶业")


@pytest.fixture
def owner(merchant: Merchant, client: Client) -> User:
    """An owner with a payment password, signed in."""
    user = portal.member(merchant, language="en", email="owner@example.com")
    payment_passwords.set_password(
        merchant_id=merchant.id, user=user, payment_password=PIN, at=clock.now()
    )
    client.force_login(user, BACKEND)
    return user


def invited(client: Client, merchant: Merchant, role: str = "FINANCE") -> str:
    """Invite Eve on the page, and return the path of the link she gets."""
    answer = prove(
        client,
        reverse("portal:invite", args=[merchant.id]),
        {"name": "Eve", "email": "eve@example.com", "role": role},
    )
    assert answer.status_code == 302, answer.context["form"].errors
    mail.outbox.clear()
    outbox.drain(inline=True)
    (sent,) = mail.outbox
    return re.search(r"https?://[^/]+(/\S+)", sent.body)[1]


class TestInvitation:
    def test_leads_to_an_account_its_password_and_the_payment_password(
        self, client, merchant, owner
    ) -> None:
        eve = Client()
        link = invited(client, merchant)

        opened = eve.get(link)
        page = eve.get(opened["Location"])
        weak = eve.post(opened["Location"], {"new": "1234", "again": "1234"})
        joined = eve.post(opened["Location"], NEW)

        assert opened["Location"] == "/portal/invitation"  # the token is out of the address
        assert "湖畔茶业" in page.content.decode()
        assert weak.context["form"].errors["new"]
        assert joined["Location"] == reverse("portal:payment_password", args=[merchant.id])
        assert eve.get(joined["Location"]).status_code == 200
        assert Client().get(link, follow=True).status_code == 410
        again = Client()
        again.post("/portal/sign-in", {"username": "eve@example.com", "password": NEW["new"]})
        assert again.get("/portal/")["Location"] == reverse("portal:home", args=[merchant.id])

    def test_leads_through_the_second_step_where_the_role_needs_it(
        self, client, merchant, owner, settings
    ) -> None:
        eve = Client()
        link = invited(client, merchant)
        settings.MFA_PORTAL_ROLES = ["FINANCE"]
        eve.get(link)

        joined = eve.post("/portal/invitation", NEW)

        assert joined["Location"] == reverse("account:enrol")
        assert eve.get("/portal/")["Location"].startswith("/portal/sign-in")
        secret = eve.get(joined["Location"]).context["secret"].replace(" ", "")
        shown = eve.post(joined["Location"], {"code": Telephone(secret).code()})
        assert shown.context["onward"] == reverse("portal:payment_password", args=[merchant.id])
        assert eve.get(shown.context["onward"]).status_code == 200

    def test_asks_who_has_an_account_to_sign_in_with_it(self, client, merchant, owner) -> None:
        eve = portal.member(MerchantFactory.create(), email="eve@example.com", language="en")
        link = invited(client, merchant)
        browser = Client()
        browser.get(link)

        page = browser.get("/portal/invitation")
        refused = browser.post("/portal/invitation", NEW)
        signed = browser.post(
            "/portal/sign-in",
            {"username": eve.username, "password": portal.PASSWORD, "next": "/portal/invitation"},
        )

        assert "/portal/sign-in?next=%2Fportal%2Finvitation" in page.content.decode()
        assert refused.status_code == 200
        assert User.objects.filter(email="eve@example.com").count() == 1
        assert signed["Location"] == "/portal/invitation"
        assert browser.post("/portal/invitation")["Location"] == "/portal/"
        assert Membership.objects.filter(user=eve, merchant=merchant, role="FINANCE").exists()

    def test_lies_in_no_session_either(self, client, merchant, owner) -> None:
        link, browser = invited(client, merchant), Client()
        assert browser.get(link, follow=True).status_code == 200

        kept = dict(browser.session)
        assert "invitation.token" in kept
        assert link.rpartition(".")[2] not in str(kept)

    def test_is_of_no_use_to_another_account(self, client, merchant, owner) -> None:
        mallory = portal.member(MerchantFactory.create(), email="mallory@example.com")
        link = invited(client, merchant)
        browser = Client()
        browser.force_login(mallory, BACKEND)
        browser.get(link)

        answer = browser.post("/portal/invitation", NEW)

        assert answer.status_code == 200
        assert not Membership.objects.filter(user=mallory, merchant=merchant).exists()
        assert Invitation.objects.get().accepted_at is None

    def test_looks_the_same_for_every_bad_link(self, client, merchant, owner) -> None:
        link = invited(client, merchant)
        said = set()
        for wrong in (link[:-1], f"{link}0", "/portal/invitations/1.2.3",
                      "/portal/invitations/x", "/portal/invitations/" + "9" * 300):  # fmt: skip
            answer = Client().get(wrong, follow=True)
            said.add((answer.status_code, re.sub(r'value="[^"]+"', "", answer.content.decode())))

        assert [status for status, _page in said] == [410]

    def test_is_sent_again_and_taken_back(self, client, merchant, owner) -> None:
        link = invited(client, merchant)
        row = Invitation.objects.get()
        words = [merchant.id, row.id]

        client.post(reverse("portal:invitation_resend", args=words))
        assert Client().get(link, follow=True).status_code == 410
        client.post(reverse("portal:invitation_withdraw", args=words))

        assert Invitation.objects.get().withdrawn_at is not None
        said = client.post(reverse("portal:invitation_resend", args=words), follow=True)
        assert "not valid" in said.content.decode()

    def test_says_beside_the_field_what_is_wrong(self, client, merchant, owner) -> None:
        address = reverse("portal:invite", args=[merchant.id])
        invited(client, merchant)

        twice = client.post(address, {"name": "Eve", "email": "eve@example.com", "role": "VIEWER"})
        strange = client.post(address, {"name": "", "email": "x", "role": "KING"})

        assert "email" in twice.context["form"].errors
        assert set(strange.context["form"].errors) == {"name", "email", "role"}


class TestPeople:
    def test_are_listed_with_one_query_for_all(
        self, client, merchant, owner, django_assert_num_queries
    ) -> None:
        address = reverse("portal:people", args=[merchant.id])
        client.get(address)
        with django_assert_num_queries(10):
            client.get(address)
        for n in range(15):
            portal.member(merchant, username=f"colleague{n}")

        with django_assert_num_queries(10):
            page = client.get(address).content.decode()

        assert page.count("colleague") == 15

    def test_get_another_role_and_are_switched_off(self, client, merchant, owner) -> None:
        dan = portal.member(merchant, Membership.Role.VIEWER)
        page = reverse("portal:person", args=[merchant.id, dan.pk])
        prove(
            client,
            reverse("portal:role_new", args=[merchant.id]),
            {"name": "Till", "abilities": ["see_payments"]},
        )
        role = CustomRole.objects.get()

        prove(client, page, {"role": f"CUSTOM:{role.id}"})
        assert Membership.objects.get(user=dan).custom_role == role
        client.post(reverse("portal:person_off", args=[merchant.id, dan.pk]))
        assert not Membership.objects.get(user=dan).active
        prove(client, page, {"role": "CASHIER"})
        back = Membership.objects.get(user=dan)
        assert (back.active, back.role, back.custom_role) == (True, "CASHIER", None)

    def test_of_a_custom_role_see_what_it_includes(self, client, merchant, owner) -> None:
        prove(
            client,
            reverse("portal:role_new", args=[merchant.id]),
            {"name": "Books", "abilities": ["see_balances"]},
        )
        dan = portal.member(merchant, Membership.Role.VIEWER)
        role = CustomRole.objects.get()
        prove(
            client,
            reverse("portal:person", args=[merchant.id, dan.pk]),
            {"role": f"CUSTOM:{role.id}"},
        )
        theirs = Client()
        theirs.force_login(dan, BACKEND)

        assert theirs.get(reverse("portal:home", args=[merchant.id])).status_code == 200
        assert theirs.get(reverse("portal:people", args=[merchant.id])).status_code == 403
        prove(client, reverse("portal:role", args=[merchant.id, role.id]),
              {"abilities": ["see_payments"], "active": "on"})  # fmt: skip
        assert theirs.get(reverse("portal:home", args=[merchant.id])).status_code == 403

    def test_are_refused_what_the_rules_refuse_in_a_sentence(self, client, merchant, owner) -> None:
        own = reverse("portal:person", args=[merchant.id, owner.pk])

        said = client.post(own, {"role": "VIEWER"})
        off = client.post(reverse("portal:person_off", args=[merchant.id, owner.pk]), follow=True)

        assert "Nobody changes his own role" in str(said.context["form"].errors["role"])
        assert "Nobody changes his own role" in off.content.decode()
        assert Membership.objects.get(user=owner).role == "OWNER"

    @pytest.mark.parametrize("role", ["FINANCE", "CASHIER", "VIEWER"])
    def test_are_kept_by_who_manages_alone(self, client, merchant, role) -> None:
        client.force_login(portal.member(merchant, role), BACKEND)

        for name in ("people", "invite", "role_new"):
            assert client.get(reverse(f"portal:{name}", args=[merchant.id])).status_code == 403


class TestTheAdmin:
    def test_sees_invitations_and_takes_one_back(self, client, merchant, owner) -> None:
        invited(client, merchant)
        row = Invitation.objects.get()
        operator = UserFactory.create(is_staff=True, language="en")
        operator.groups.set(Group.objects.filter(name="operator"))
        staff = Client()
        staff.force_login(operator)

        listed = staff.get(reverse("admin:merchants_invitation_changelist")).content.decode()
        shown = staff.get(reverse("admin:merchants_invitation_change", args=[row.pk]))
        staff.post(reverse("admin:merchants_invitation_step", args=[row.pk, "withdraw"]))

        assert "eve@example.com" in listed
        assert shown.status_code == 200
        assert Invitation.objects.get().withdrawn_at is not None
        roles = staff.get(reverse("admin:merchants_customrole_changelist"))
        assert roles.status_code == 200

"""Sign-in passwords end, are not used again, and are changed when another person set them."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import AuditEvent, SignIn, SignInPassword, User
from foundation.services import sign_in_password as passwords
from merchants.services import account as accounts
from tests.databases import PACKAGES, ROOT
from tests.factories import portal
from tests.factories.second_factor import telephone_of
from tests.foundation.signing_in import merchant_person, password, signed_in, staff

pytestmark = pytest.mark.django_db
BOTH = pytest.mark.parametrize("make", [staff, merchant_person], ids=["admin", "portal"])
RENEW = "/account/password/renew"
OTHER = "quite another long one"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _production(settings) -> None:
    settings.PASSWORD_STAFF_DAYS = settings.PASSWORD_PORTAL_DAYS = 90
    settings.PASSWORD_CHANGE_GIVEN = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def aged(user: User, age: timedelta, *, given: bool = False) -> User:
    """Let the account have its password for so long."""
    set_ = passwords.give if given else passwords.begin
    set_(user=user, password=portal.PASSWORD, at=clock.now() - age)
    return user


def said(page) -> list[str]:
    return [str(message) for message in page.context["messages"]]


@BOTH
class TestAnOldOne:
    def test_leads_to_choosing_another_and_to_nothing_else(self, client, make) -> None:
        user = aged(make(), 90 * DAY)

        answer = password(client, user, next="/account/")

        assert answer["Location"] == RENEW
        assert not signed_in(client)
        for address in ("/admin/", "/portal/", "/account/", "/account/app", "/account/password"):
            where = client.get(address)["Location"]
            assert "sign-in" in where or "login" in where, address
        assert "too old" in client.get(RENEW).content.decode()
        done = client.post(RENEW, {"new": OTHER, "again": OTHER})
        assert (done.status_code, done["Location"]) == (302, "/account/")
        assert signed_in(client)
        assert client.get("/account/").status_code == 200
        assert AuditEvent.objects.filter(action="account.password").count() == 1

    def test_comes_after_the_second_step(self, client, make) -> None:
        user = aged(make(), 90 * DAY)
        telephone = telephone_of(user, clock.now())
        assert password(client, user)["Location"] == reverse("account:second_step")

        early = client.post(RENEW, {"new": OTHER, "again": OTHER})
        assert early["Location"] == reverse("account:second_step")
        user.refresh_from_db()
        assert user.check_password(portal.PASSWORD)
        step = client.post(reverse("account:second_step"), {"code": telephone.code()})
        assert step["Location"] == RENEW
        assert not signed_in(client)
        client.post(RENEW, {"new": OTHER, "again": OTHER})

        assert signed_in(client)
        assert SignIn.objects.get(user=user).factor == "totp"

    def test_comes_after_making_a_second_step(self, client, make, settings, monkeypatch) -> None:
        from foundation import registries
        from tests.factories.second_factor import Telephone

        settings.MFA_STAFF_ROLES = ["*"]
        rules = registries.Registry("rules")
        rules.register("tests", lambda user: True)
        monkeypatch.setattr(registries, "second_factor_rules", rules)
        user = aged(make(), 90 * DAY)
        assert password(client, user)["Location"] == reverse("account:enrol")
        assert client.get(RENEW)["Location"] == reverse("account:enrol")
        secret = client.get(reverse("account:enrol")).context["secret"].replace(" ", "")
        code = Telephone(secret).code()

        shown = client.post(reverse("account:enrol"), {"code": code})

        assert shown.context["onward"] == RENEW
        assert not signed_in(client)
        client.post(RENEW, {"new": OTHER, "again": OTHER})
        assert signed_in(client)

    def test_is_not_chosen_again_nor_a_weak_one(self, client, make) -> None:
        user = aged(make(), 90 * DAY)
        password(client, user)
        for new, again, why in (
            (portal.PASSWORD, portal.PASSWORD, "last four"),
            ("short", "short", "too short"),
            (OTHER, "not the same", "not the same"),
        ):
            page = client.post(RENEW, {"new": new, "again": again})

            assert page.status_code == 200
            assert why in page.content.decode()
            assert not signed_in(client)

    def test_ends_the_sessions_of_before(self, client, make) -> None:
        user = aged(make(), 89 * DAY)
        password(client, user)
        SignInPassword.objects.filter(user=user)
        later = Client()
        passwords.begin(user=user, password=portal.PASSWORD, at=clock.now() - 91 * DAY)
        password(later, user)
        later.post(RENEW, {"new": OTHER, "again": OTHER})

        assert SignIn.objects.filter(user=user, ended=SignIn.Ended.PASSWORD).count() == 1
        assert signed_in(later)


@BOTH
class TestAhead:
    @pytest.mark.parametrize(
        ("age", "days"), [(75 * DAY, None), (76.5 * DAY, 14), (80.5 * DAY, 10), (89.5 * DAY, 1)]
    )
    def test_it_is_said_at_each_sign_in(self, client, make, age, days) -> None:
        user = aged(make(), age)
        password(client, user)
        told = " ".join(said(client.get("/account/")))

        if days is None:
            assert "password" not in told
        else:
            assert f"in {days} day" in told
        assert "good until" in client.get("/account/").content.decode()

    def test_nothing_ends_where_nothing_is_asked(self, client, make, settings) -> None:
        settings.PASSWORD_STAFF_DAYS = settings.PASSWORD_PORTAL_DAYS = 0
        user = aged(make(), 4000 * DAY)
        password(client, user)

        assert signed_in(client)
        assert said(client.get("/account/")) == []


class TestAGivenOne:
    def test_of_new_staff_is_changed_first(self, client) -> None:
        out = StringIO()
        call_command("create_staff", "ann", "--role", "auditor", "--json", stdout=out)
        given = re.search(r'"password": "([^"]+)"', out.getvalue())[1]

        answer = client.post("/admin/login/", {"username": "ann", "password": given})

        assert answer["Location"] == RENEW
        assert not signed_in(client)
        assert client.post(RENEW, {"new": given, "again": given}).status_code == 200
        client.post(RENEW, {"new": OTHER, "again": OTHER})
        assert signed_in(client)
        again = Client().post("/admin/login/", {"username": "ann", "password": OTHER})
        assert again["Location"] == "/admin/"

    @BOTH
    def test_that_was_renewed_by_an_operator_too(self, client, make) -> None:
        user = make()
        made = accounts.ensure(
            username=user.username, staff=user.is_staff, rotate=True, at=clock.now()
        )
        sent = {"username": user.username, "password": made.password}
        door = "/admin/login/" if user.is_staff else "/portal/sign-in"

        assert client.post(door, sent)["Location"] == RENEW

    @BOTH
    def test_may_stay_where_nobody_asks(self, client, make, settings) -> None:
        settings.PASSWORD_CHANGE_GIVEN = False
        password(client, aged(make(), DAY, given=True))

        assert signed_in(client)


@BOTH
class TestChoosing:
    def test_takes_none_of_the_last_four(self, client, make) -> None:
        user, at = aged(make(), 80 * DAY), clock.now()
        for number in range(3):
            passwords.choose(user=user, password=f"{OTHER} {number}", at=at + number * DAY)
        with pytest.raises(passwords.PasswordUsedBefore):
            passwords.choose(user=user, password=portal.PASSWORD, at=at + 3 * DAY)
        passwords.choose(user=user, password=f"{OTHER} 3", at=at + 4 * DAY)
        passwords.choose(user=user, password=portal.PASSWORD, at=at + 5 * DAY)

        assert user.check_password(portal.PASSWORD)

    def test_is_no_way_round_them_within_a_day(self, client, make) -> None:
        user, at = aged(make(), 80 * DAY), clock.now()
        for number in range(4):
            passwords.choose(user=user, password=f"{OTHER} {number}", at=at)
        with pytest.raises(passwords.PasswordChangedTooOften):
            passwords.choose(user=user, password=portal.PASSWORD, at=at)
        passwords.choose(user=user, password=f"{OTHER} 5", at=at, due=True)

    def test_says_on_its_page_what_it_refuses(self, client, make) -> None:
        user = aged(make(), DAY)
        password(client, user)
        page = client.post("/account/password", {"new": portal.PASSWORD, "again": portal.PASSWORD})

        assert "last four" in page.content.decode()
        assert client.get("/account/").status_code == 200


class TestTheDatabase:
    @pytest.mark.parametrize(
        "change",
        ["UPDATE foundation_sign_in_password SET given = false, set_at = now()",
         "DELETE FROM foundation_sign_in_password", "TRUNCATE foundation_sign_in_password"],
    )  # fmt: skip
    def test_keeps_what_was(self, change: str) -> None:
        aged(staff(), 90 * DAY, given=True)

        with (
            pytest.raises((IntegrityError, InternalError, ProgrammingError)),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)


class TestTheCode:
    def test_sets_a_sign_in_password_in_one_place_alone(self) -> None:
        places = {
            path.relative_to(ROOT).as_posix()
            for package in PACKAGES
            for path in (ROOT / package).rglob("*.py")
            if re.search(r"(?<!payment_passwords)(?<!payment_password)\.set_password\(",
                         path.read_text(encoding="utf-8"))
        }  # fmt: skip

        assert places == {"foundation/services/sign_in_password.py"}

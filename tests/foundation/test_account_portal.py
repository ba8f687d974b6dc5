"""A person's own account: proofs again, sessions ended, new devices told, and no way around."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.core import mail
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import SignIn, User
from foundation.portal import session
from foundation.selectors.sign_in import recently_new_device
from foundation.services import outbox, totp
from tests.factories import portal
from tests.factories.second_factor import Telephone, telephone_of
from tests.foundation.signing_in import merchant_person, password, staff

pytestmark = pytest.mark.django_db
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"


class TestAccount:
    @pytest.fixture
    def owner(self, client) -> tuple[User, Telephone]:
        """A person who has just signed in with two steps."""
        user = merchant_person(email="owner@example.com")
        telephone = telephone_of(user, clock.now())
        password(client, user)
        client.post(reverse("account:second_step"), {"code": telephone.code()})
        return user, telephone

    def forget_confirmation(self, client: Client) -> None:
        kept = client.session
        kept[session._CONFIRMED] = (clock.now() - session.CONFIRMED_FOR).isoformat()
        kept.save()

    def test_asks_again_who_it_is_before_anything_sensitive(self, client, owner) -> None:
        user, telephone = owner
        factor = Authenticator.objects.get(user=user, type="totp")
        self.forget_confirmation(client)

        for address in (
            reverse("account:remove", args=[factor.pk]),
            reverse("account:recovery_codes"),
            reverse("account:password"),
            reverse("account:app"),
            reverse("account:passkey"),
        ):
            said = client.post(address, {"new": "x", "again": "x"})
            assert said["Location"] == reverse("account:confirm"), address
        assert Authenticator.objects.filter(pk=factor.pk).exists()

        later = clock.now() + timedelta(seconds=30)
        wrong = client.post(
            reverse("account:confirm"), {"password": portal.PASSWORD, "code": telephone.wrong()}
        )
        half = client.post(
            reverse("account:confirm"), {"password": "not it", "code": telephone.code(later)}
        )
        right = client.post(
            reverse("account:confirm"),
            {"password": portal.PASSWORD, "code": telephone.code(later)},
        )
        assert (wrong.status_code, half.status_code, right.status_code) == (200, 200, 302)
        client.post(reverse("account:remove", args=[factor.pk]))
        assert not Authenticator.objects.filter(user=user).exists()

    def test_cannot_touch_what_is_another_persons(self, client, owner) -> None:
        other = merchant_person()
        telephone_of(other, clock.now())
        theirs = Authenticator.objects.get(user=other, type="totp")
        open_there = Client()
        password(open_there, staff())
        row = SignIn.objects.exclude(user=owner[0]).get()

        client.post(reverse("account:remove", args=[theirs.pk]))

        assert Authenticator.objects.filter(pk=theirs.pk).exists()
        assert client.post(reverse("account:end", args=[row.pk])).status_code == 404
        assert open_there.get("/admin/").status_code == 200

    def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(self, client, owner) -> None:
        user, telephone = owner
        elsewhere = Client()
        later = clock.now() + timedelta(seconds=30)
        password(elsewhere, user)
        elsewhere.post(reverse("account:second_step"), {"code": telephone.code(later)})
        assert elsewhere.get("/account/").status_code == 200

        weak = client.post(
            reverse("account:password"), {"new": "1234567890", "again": "1234567890"}
        )
        done = client.post(
            reverse("account:password"), {"new": "a better password", "again": "a better password"}
        )

        assert weak.context["form"].errors["new"]
        assert done.status_code == 302
        assert client.get("/account/").status_code == 200
        assert elsewhere.get("/account/").status_code == 302
        assert SignIn.objects.filter(user=user, ended="password").count() == 1
        assert client.post("/portal/sign-out").status_code == 302
        assert not SignIn.objects.filter(user=user, ended_at=None).exists()

    def test_ends_one_session_and_all_others(self, client, owner) -> None:
        user, telephone = owner
        other = Client()
        password(other, user)
        other.post(
            reverse("account:second_step"),
            {"code": telephone.code(clock.now() + timedelta(seconds=30))},
        )
        row = SignIn.objects.filter(user=user).latest("id")

        client.post(reverse("account:end", args=[row.pk]))

        assert other.get("/account/").status_code == 302
        assert client.get("/account/").status_code == 200
        client.post(reverse("account:end_others"))
        assert SignIn.objects.filter(user=user, ended_at=None).count() == 1

    def test_a_new_device_is_told_by_mail_and_on_the_screen(self, client, owner) -> None:
        user, telephone = owner
        assert not recently_new_device(user, clock.now())
        other = Client(headers={"user-agent": CHROME}, REMOTE_ADDR="203.0.113.9")
        later = clock.now() + timedelta(seconds=30)
        password(other, user)
        other.post(reverse("account:second_step"), {"code": telephone.code(later)})

        outbox.drain(inline=True)

        assert recently_new_device(user, clock.now())
        assert not recently_new_device(user, clock.now() + timedelta(hours=24, minutes=1))
        (told,) = [one for one in mail.outbox if "new device" in one.subject]
        assert told.to == ["owner@example.com"]
        assert "Chrome · Windows" in told.body
        assert "203.0.113.9" in told.body
        assert "Chrome · Windows" in client.get("/account/").content.decode()

    def test_every_change_of_its_proofs_is_told_by_mail(self, client, owner) -> None:
        user, _telephone = owner
        client.post(reverse("account:recovery_codes"))
        client.post(reverse("account:password"), {"new": "a better one", "again": "a better one"})
        client.post(
            reverse("account:remove", args=[Authenticator.objects.get(user=user, type="totp").pk])
        )

        outbox.drain(inline=True)

        said = " ".join(one.body for one in mail.outbox if one.to == ["owner@example.com"])
        for act in ("step was added", "recovery codes", "password was", "step was removed"):
            assert act in said, act

    def test_a_known_browser_in_a_known_network_is_not_new(self, client, owner) -> None:
        user, telephone = owner
        client.post("/portal/sign-out")
        later = clock.now() + timedelta(seconds=30)
        password(client, user)
        client.post(reverse("account:second_step"), {"code": telephone.code(later)})

        assert SignIn.objects.filter(user=user).count() == 2
        assert not recently_new_device(user, clock.now())

    def test_the_first_factor_ends_sessions_that_did_without(self, client) -> None:
        user = merchant_person()
        elsewhere = Client()
        password(elsewhere, user)
        password(client, user)
        secret = client.get(reverse("account:app")).context["secret"].replace(" ", "")

        shown = client.post(reverse("account:app"), {"code": Telephone(secret).code()})

        assert len(shown.context["codes"]) == 10
        assert elsewhere.get("/account/").status_code == 302
        assert client.get("/account/").status_code == 200

    def test_asks_the_database_as_often_for_many_sessions(
        self, client, owner, django_assert_max_num_queries
    ) -> None:
        user, _telephone = owner
        row = SignIn.objects.get(user=user)
        for n in range(20):
            row.pk, row.session_hash = None, f"k{n}"
            row.save(force_insert=True)

        with django_assert_max_num_queries(8):
            assert client.get("/account/").content.count(b'/end"') == 20


class TestProxies:
    @pytest.mark.parametrize(
        ("count", "header", "seen"),
        [
            (0, "1.2.3.4", "127.0.0.1"),
            (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
            (2, "6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4"),
            (2, "1.2.3.4", "127.0.0.1"),
            (1, "", "127.0.0.1"),
        ],
    )
    def test_only_those_of_ours_are_believed(self, client, settings, count, header, seen) -> None:
        settings.PROXY_COUNT = count
        user = merchant_person()

        client.post(
            "/portal/sign-in",
            {"username": user.username, "password": portal.PASSWORD},
            headers={"x-forwarded-for": header},
        )

        assert SignIn.objects.get(user=user).address == seen


class TestTheOldWays:
    def test_the_admins_own_password_page_leads_to_the_accounts(self, client) -> None:
        client.force_login(staff(), session.BACKEND)

        assert client.get("/admin/password_change/")["Location"] == reverse("account:password")

    def test_no_address_of_allauth_or_of_a_password_reset_is_open(self, client) -> None:
        for address in ("/accounts/login/", "/accounts/2fa/", "/admin/password_reset/",
                        "/account/login/", "/account/reauthenticate/"):  # fmt: skip
            assert client.get(address).status_code in (302, 404), address
            assert "login" in client.get(address).get("Location", "login"), address

    def test_a_session_cookie_opens_no_api(self, client) -> None:
        client.force_login(merchant_person(), session.BACKEND)

        assert client.get("/api/v1/me").status_code == 401

    def test_the_session_ends_with_the_browsers_day(self) -> None:
        assert django_settings.SESSION_COOKIE_AGE <= 12 * 3600
        assert totp.DRIFT == 1

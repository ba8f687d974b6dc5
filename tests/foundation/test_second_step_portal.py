"""Two steps at both doors: nothing is open between them; who must have a second one makes it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from foundation import clock, registries
from foundation.models import AuditEvent, SignIn
from foundation.portal import session
from foundation.services import sign_in as sign_ins
from tests.factories import portal
from tests.factories.second_factor import Telephone, telephone_of
from tests.foundation.signing_in import merchant_person, password, signed_in, staff

pytestmark = pytest.mark.django_db
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"


BOTH = pytest.mark.parametrize("make", [staff, merchant_person], ids=["admin", "portal"])


@BOTH
class TestWithASecondFactor:
    def test_the_password_alone_opens_nothing(self, client, make) -> None:
        user = make()
        telephone_of(user, clock.now())

        answer = password(client, user)

        assert answer["Location"] == reverse("account:second_step")
        assert not signed_in(client)
        for address in ("/admin/", "/portal/", "/account/", "/account/app", "/account/password"):
            said = client.get(address)
            assert said.status_code == 302, address
            assert "sign-in" in said["Location"] or "login" in said["Location"], address
        for address in ("/account/recovery-codes", "/account/sessions/end-others"):
            assert "sign-in" in client.post(address)["Location"], address

    def test_goes_on_after_the_right_code_to_where_one_wanted(self, client, make) -> None:
        user = make()
        telephone = telephone_of(user, clock.now())
        before = client.session.session_key
        password(client, user, next="/account/")

        answer = client.post(reverse("account:second_step"), {"code": telephone.code()})

        assert (answer.status_code, answer["Location"]) == (302, "/account/")
        assert signed_in(client)
        assert client.session.session_key != before
        assert client.get("/account/").status_code == 200
        row = SignIn.objects.get(user=user)
        assert (row.factor, row.door) == ("totp", "admin" if user.is_staff else "portal")
        assert AuditEvent.objects.filter(action="sign_in.open").exists()

    def test_stays_out_with_a_wrong_code_and_says_so_beside_the_field(self, client, make) -> None:
        user = make()
        telephone = telephone_of(user, clock.now())
        password(client, user)

        answer = client.post(reverse("account:second_step"), {"code": telephone.wrong()})

        assert "4 tries are left" in str(answer.context["form"].errors["code"])
        assert not signed_in(client)

    def test_refuses_the_code_that_signed_in_before(self, client, make) -> None:
        user = make()
        telephone = telephone_of(user, clock.now())
        code = telephone.code()
        password(client, user)
        client.post(reverse("account:second_step"), {"code": code})
        other = Client()
        password(other, user)

        other.post(reverse("account:second_step"), {"code": code})

        assert not signed_in(other)

    def test_the_waiting_ends_after_ten_minutes_and_with_another_password(
        self, client, make, monkeypatch
    ) -> None:
        user = make()
        telephone = telephone_of(user, clock.now())
        password(client, user)
        user.set_password("another long password")
        user.save()
        assert client.get(reverse("account:second_step")).status_code == 302
        user.set_password(portal.PASSWORD)
        user.save()
        password(client, user)
        later = clock.now() + session.WAITS_FOR + timedelta(seconds=1)
        monkeypatch.setattr(clock, "now", lambda: later)

        answer = client.post(reverse("account:second_step"), {"code": telephone.code(later)})

        assert answer.status_code == 302
        assert not signed_in(client)

    @pytest.mark.parametrize(
        "given",
        [
            {}, {"code": ""}, {"code": "💰" * 40}, {"code": "\0"}, {"credential": "not json"},
            {"credential": "[]"}, {"credential": '{"id": 5}'}, {"credential": '{"response": {}}'},
            {"credential": "null", "code": "1" * 32}, {"credential": '"' + "a" * 10_000 + '"'},
            {"credential": "[" * 9_000}, {"credential": '{"a":' * 3_000},
            {"credential": "9" * 5_000},
            {"credential": '"\\ud800"'}, {"credential": '{"id": "\\ud800"}'},
            {"credential": '{"id": "AA", "rawId": "AA", "type": "public-key", "response":'
             ' {"clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}}'},
        ],
    )  # fmt: skip
    def test_survives_garbage(self, client, make, given) -> None:
        user = make()
        telephone_of(user, clock.now())
        password(client, user)

        answer = client.post(reverse("account:second_step"), given)

        assert answer.status_code == 200
        assert answer.context["form"].errors
        assert not signed_in(client)


@BOTH
class TestCompulsory:
    @pytest.fixture(autouse=True)
    def by_role(self, settings, monkeypatch) -> None:
        settings.MFA_STAFF_ROLES = ["*"]
        rules = registries.Registry("rules")
        rules.register("tests", lambda user: True)
        monkeypatch.setattr(registries, "second_factor_rules", rules)

    def test_leads_to_making_one_and_opens_nothing_else(self, client, make) -> None:
        user = make()

        answer = password(client, user)

        assert answer["Location"] == reverse("account:enrol")
        assert not signed_in(client)
        page = client.get(reverse("account:enrol")).content.decode()
        assert "<svg" in page
        for address in ("/admin/", "/portal/", "/account/", reverse("account:second_step")):
            assert client.get(address).status_code in (200, 302)
            assert not signed_in(client)
        assert client.get("/account/")["Location"] == "/portal/sign-in"

    def test_signs_in_once_it_is_made_and_shows_recovery_codes_once(self, client, make) -> None:
        user = make()
        password(client, user)
        secret = client.get(reverse("account:enrol")).context["secret"].replace(" ", "")

        shown = client.post(reverse("account:enrol"), {"code": Telephone(secret).code()})

        codes = shown.context["codes"]
        assert len(codes) == 10
        assert signed_in(client)
        assert SignIn.objects.get(user=user).factor == "totp"
        again = client.post(reverse("account:enrol"), {"code": Telephone(secret).code()})
        assert again.status_code == 302
        stored = str(list(Authenticator.objects.values_list("data", flat=True)))
        assert secret not in stored
        assert all(code not in stored for code in codes)
        assert secret not in str(list(Session.objects.values_list("session_data", flat=True)))

    def test_ends_a_session_from_before_without_it(self, client, make) -> None:
        user = make()
        client.force_login(user, session.BACKEND)

        answer = client.get("/admin/" if user.is_staff else "/portal/")

        assert answer["Location"] == reverse("account:enrol")
        assert not signed_in(client)

    def test_asks_a_session_from_before_for_the_step_there_is(self, client, make) -> None:
        user = make()
        telephone_of(user, clock.now())
        client.force_login(user, session.BACKEND)

        assert client.get("/account/")["Location"] == reverse("account:second_step")
        assert not signed_in(client)

    def test_keeps_the_last_one(self, client, make) -> None:
        user = make()
        telephone = telephone_of(user, clock.now())
        password(client, user)
        client.post(reverse("account:second_step"), {"code": telephone.code()})
        factor = Authenticator.objects.get(user=user, type="totp")

        client.post(reverse("account:remove", args=[factor.pk]))

        assert Authenticator.objects.filter(pk=factor.pk).exists()


class TestAtTheSameMoment:
    def test_a_factor_made_while_a_password_opens_is_asked_for(self, client, monkeypatch) -> None:
        user, open_session = merchant_person(), sign_ins.open_session

        def made_meanwhile(**words):
            telephone_of(user, clock.now())
            return open_session(**words)

        monkeypatch.setattr(sign_ins, "open_session", made_meanwhile)

        assert password(client, user)["Location"] == reverse("account:second_step")
        assert not signed_in(client)


class TestOnward:
    @BOTH
    def test_from_a_session_that_needs_a_second_step_stays_in_the_house(
        self, client, make, settings
    ) -> None:
        user = make()
        password(client, user)
        telephone = telephone_of(user, clock.now())
        settings.MFA_STAFF_ROLES, settings.MFA_PORTAL_ROLES = ["*"], ["OWNER"]

        asked = client.get("/", PATH_INFO="//evil.example/x")  # an address may begin with two
        answer = client.post(reverse("account:second_step"), {"code": telephone.code()})

        assert asked["Location"] == reverse("account:second_step")
        assert answer["Location"] == ("/admin/" if user.is_staff else "/portal/")


class TestRoles:
    def test_of_staff_are_named_by_the_setting(self, client, settings) -> None:
        settings.MFA_STAFF_ROLES = ["checker"]
        checker, auditor = staff(), staff()
        for user, role in ((checker, "checker"), (auditor, "auditor")):
            user.is_superuser = False
            user.save()
            user.groups.set(Group.objects.filter(name=role))

        assert password(Client(), checker)["Location"] == reverse("account:enrol")
        assert password(Client(), auditor)["Location"] == "/admin/"
        assert password(Client(), staff())["Location"] == reverse("account:enrol")


class TestRecoveryCodes:
    def test_open_once_each(self, client) -> None:
        user = merchant_person()
        telephone_of(user, clock.now())
        from foundation.services import recovery_code as recovery_codes

        first, second, *_ = recovery_codes.make(user=user)

        def opens(code: str) -> bool:
            other = Client()
            password(other, user)
            other.post(reverse("account:second_step"), {"code": code})
            return signed_in(other)

        assert [opens(first), opens(first), opens(f"{second[:4]} {second[4:]}")] == [
            True,
            False,
            True,
        ]
        assert AuditEvent.objects.filter(action="second_factor.recovery_code_used").count() == 2
        fresh = recovery_codes.make(user=user)
        assert not opens(_[0])
        assert opens(fresh[0])

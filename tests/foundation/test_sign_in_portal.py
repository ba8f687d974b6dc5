import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client, override_settings

from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory, MerchantFactory

ROOT = Path(settings.BASE_DIR)


def sign_in(client: Client, username: str, password: str = portal.PASSWORD, **extra: str):
    return client.post("/portal/sign-in", {"username": username, "password": password, **extra})


@pytest.mark.django_db
class TestSignIn:
    def test_leads_to_the_page_that_was_asked_for(self, client):
        merchant = MerchantFactory()
        person = portal.member(merchant)
        address = f"/portal/{merchant.id}/statement?since=2026-01-01"

        asked = client.get(address)
        answer = sign_in(client, person.username, next=address)

        assert asked.status_code == 302
        assert asked["Location"].startswith("/portal/sign-in?next=%2Fportal%2F")
        assert (answer.status_code, answer["Location"]) == (302, address)
        assert client.get(address).status_code == 200

    def test_never_leads_to_another_host(self, client):
        person = portal.member(MerchantFactory())

        answer = sign_in(client, person.username, next="https://evil.example/portal/")

        assert answer["Location"] == "/portal/"

    def test_says_one_sentence_for_a_wrong_name_and_a_wrong_password(self, client):
        person = portal.member(MerchantFactory())

        wrong = [sign_in(client, person.username, "not it"), sign_in(client, "nobody", "not it")]

        errors = [answer.context["form"].non_field_errors() for answer in wrong]
        assert errors[0] == errors[1]
        assert len(errors[0]) == 1
        assert all("_auth_user_id" not in client.session for answer in wrong)

    def test_refuses_staff(self, client):
        staff = UserFactory(is_staff=True)
        staff.set_password(portal.PASSWORD)
        staff.save()

        answer = sign_in(client, staff.username)

        assert answer.status_code == 200
        assert answer.context["form"].non_field_errors()
        assert "_auth_user_id" not in client.session

    @override_settings(AXES_ENABLED=True)
    def test_locks_after_five_failures_even_for_the_right_password(self, client):
        person = portal.member(MerchantFactory())

        for _ in range(5):
            last = sign_in(client, person.username, "not it")
        right = sign_in(client, person.username)

        assert last.status_code == 429
        assert right.status_code == 429
        assert b"<main" in right.content
        assert "_auth_user_id" not in client.session

    def test_ends_by_a_post_and_only_by_a_post(self, client):
        client.force_login(
            portal.member(MerchantFactory()), "django.contrib.auth.backends.ModelBackend"
        )

        assert client.get("/portal/sign-out").status_code == 405
        assert "_auth_user_id" in client.session
        assert client.post("/portal/sign-out")["Location"] == "/portal/sign-in"
        assert "_auth_user_id" not in client.session


@pytest.mark.django_db
class TestLanguage:
    def test_stays_with_the_person(self, client):
        person = MembershipFactory().user
        client.force_login(person, "django.contrib.auth.backends.ModelBackend")

        client.post("/portal/language", {"language": "en", "next": "/portal/"})

        person.refresh_from_db()
        assert person.language == "en"
        assert b'<html lang="en">' in client.get("/portal/", follow=True).content

    def test_is_kept_in_a_cookie_before_signing_in(self, client):
        client.post("/portal/language", {"language": "en"})

        assert b'<html lang="en">' in client.get("/portal/sign-in").content

    def test_refuses_one_we_do_not_speak_and_leads_nowhere_else(self, client):
        answer = client.post(
            "/portal/language", {"language": "xx", "next": "//evil.example/portal"}
        )

        assert settings.LANGUAGE_COOKIE_NAME not in answer.cookies
        assert answer["Location"] == "/portal/"


class TestPage:
    @pytest.mark.django_db
    def test_loads_nothing_from_elsewhere_and_is_not_kept(self, client):
        answer = client.get("/portal/sign-in")

        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"]
        assert re.findall(rb'(?:src|href)="(https?:)?//', answer.content) == []

    def test_ships_the_vendored_files_it_names(self):
        folder = ROOT / "static/portal"
        rows = re.findall(
            r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$",
            (folder / "VENDORED.md").read_text(encoding="utf-8"),
            re.M,
        )

        assert [name for name, _ in rows] == ["bootstrap.min.css"]
        for name, checksum in rows:
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum

"""Five wrong sign-in passwords lock both doors, in parallel too; there is no default way in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from foundation.models import User
from merchants.models import ApiKey, Membership
from tests.databases import url
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

DOORS = {"admin": "/admin/login/", "portal": "/portal/sign-in"}
AT_ONCE = 12


@pytest.fixture(autouse=True)
def _axes(settings: Any) -> None:
    settings.AXES_ENABLED = True


def account(door: str) -> User:
    if door == "portal":
        return portal.member(MerchantFactory())
    user: User = UserFactory(is_staff=True)
    user.set_password(portal.PASSWORD)
    user.save()
    return user


def knock(door: str, user: User, password: str, **extra: Any) -> int:
    sent = {"username": user.username, "password": password}
    return Client().post(DOORS[door], sent, **extra).status_code


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every password that was compared with the stored one."""
    seen: list[str] = []
    lock, check = threading.Lock(), User.check_password

    def counted(user: User, raw_password: str) -> bool:
        with lock:
            seen.append(raw_password)
        return check(user, raw_password)

    monkeypatch.setattr(User, "check_password", counted)
    return seen


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
class TestFiveFailures:
    def test_lock_the_right_password_out_too(self, door: str) -> None:
        user = account(door)
        answers = [knock(door, user, "not it") for _ in range(5)]

        assert answers == [200, 200, 200, 200, 429]
        assert knock(door, user, portal.PASSWORD) == 429

    def test_lock_nobody_else_and_no_other_address(self, door: str) -> None:
        user, other = account(door), account(door)
        for _ in range(5):
            knock(door, user, "not it")

        assert knock(door, other, portal.PASSWORD) == 302
        assert knock(door, user, portal.PASSWORD, REMOTE_ADDR="192.0.2.9") == 302

    def test_a_right_one_begins_the_count_anew(self, door: str) -> None:
        user = account(door)
        for _round in range(2):
            for _ in range(4):
                knock(door, user, "not it")
            assert knock(door, user, portal.PASSWORD) == 302


@pytest.mark.parametrize("door", DOORS)
class TestAtOnce:
    def test_no_more_than_five_are_compared(
        self, cloned_db: str, together: Any, compared: list[str], door: str
    ) -> None:
        user = account(door)

        answers = together(AT_ONCE, lambda number: knock(door, user, f"not it {number}"))

        assert len(compared) == 5
        assert sorted(answers) == [200] * 4 + [429] * (AT_ONCE - 4)
        assert knock(door, user, portal.PASSWORD) == 429


@pytest.mark.parametrize("door", DOORS)
class TestAQueue:
    def test_that_is_too_long_is_refused_in_a_sentence(self, cloned_db: str, door: str) -> None:
        user = account(door)
        with psycopg.connect(url("DATABASE_URL", cloned_db)) as other:
            key = f"foundation.guess:{user.username}"
            other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '200ms'")
            sent = {"username": user.username, "password": portal.PASSWORD}
            answer = Client().post(DOORS[door], sent, headers={"Accept-Language": "en"})

        assert answer.status_code == 200
        assert "Too many tries at once" in answer.content.decode()


@pytest.mark.django_db
class TestNoDefaultWayIn:
    def test_a_new_database_has_no_account_key_or_membership(self) -> None:
        assert not User.objects.exists()
        assert not ApiKey.objects.exists()
        assert not Membership.objects.exists()

    def test_a_new_account_gets_a_password_of_chance(self) -> None:
        said = []
        for name in ("first", "second"):
            out = StringIO()
            call_command("create_staff", name, "--role", "auditor", "--json", stdout=out)
            said.append(out.getvalue())
        users = User.objects.filter(username__in=("first", "second"))

        assert said[0] != said[1]
        for user in users:
            for guess in ("", "admin", "password", "changeme", "123456", user.username):
                assert not user.check_password(guess)

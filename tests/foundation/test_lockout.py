"""Wrong sign-in passwords lock both doors, however many at once and from however many places."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client

from foundation import clock
from foundation.models import AuditEvent, GuessCount, User
from foundation.services import guess_count as guess_counts
from merchants.models import ApiKey, Membership
from merchants.services import account as accounts
from tests.databases import url
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

DOORS = {"admin": "/admin/login/", "portal": "/portal/sign-in"}
AT_ONCE = 12


@pytest.fixture(autouse=True)
def _axes(settings: Any) -> None:
    settings.AXES_ENABLED = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # many guesses


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
def test_a_password_typed_as_the_name_is_counted_and_not_kept() -> None:
    sent = {"username": "Sesame-opens-4711", "password": "not it"}
    answers = [Client().post(DOORS["portal"], sent).status_code for _ in range(6)]

    assert answers == [200, 200, 200, 200, 429, 429]
    kept = AccessAttempt.objects.values()
    assert kept
    assert "Sesame" not in str(list(kept))


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


def guess(door: str, user: User, number: int, client: Client | None = None) -> int:
    """Give a wrong password from an address of its own."""
    sent = {"username": user.username, "password": f"not it {number}"}
    address = f"192.0.{2 + number // 200}.{number % 200 + 1}"
    return (client or Client()).post(DOORS[door], sent, REMOTE_ADDR=address).status_code


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
class TestManyAddresses:
    def test_lock_every_browser_the_account_does_not_know(self, door: str) -> None:
        user = account(door)
        answers = [guess(door, user, number) for number in range(20)]

        assert answers == [200] * 19 + [429]
        assert knock(door, user, portal.PASSWORD, REMOTE_ADDR="203.0.113.9") == 429
        assert AuditEvent.objects.filter(action="sign_in.lock", object_id=str(user.pk)).count() == 1

    def test_do_not_lock_the_owners_own_browser(self, door: str) -> None:
        user, own = account(door), Client()
        sent = {"username": user.username, "password": portal.PASSWORD}
        assert own.post(DOORS[door], sent).status_code == 302
        own.cookies.pop("sessionid")
        for number in range(25):
            guess(door, user, number)

        assert knock(door, user, portal.PASSWORD, REMOTE_ADDR="203.0.113.9") == 429
        assert own.post(DOORS[door], sent).status_code == 302

    def test_a_browser_of_another_account_is_not_known(self, door: str) -> None:
        user, other, browser = account(door), account(door), Client()
        sent = {"username": other.username, "password": portal.PASSWORD}
        browser.post(DOORS[door], sent)
        browser.cookies.pop("sessionid")
        for number in range(20):
            guess(door, user, number)

        sent["username"] = user.username
        assert browser.post(DOORS[door], sent).status_code == 429

    def test_a_known_browser_has_a_bound_of_its_own(self, door: str) -> None:
        user, own = account(door), Client()
        own.post(DOORS[door], {"username": user.username, "password": portal.PASSWORD})
        own.cookies.pop("sessionid")
        answers = [guess(door, user, number, own) for number in range(20)]

        assert answers == [200] * 19 + [429]
        assert knock(door, user, portal.PASSWORD, REMOTE_ADDR="203.0.113.9") == 302

    def test_lock_longer_each_time_up_to_a_day(
        self, door: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user, at = account(door), clock.now()
        monkeypatch.setattr(clock, "now", lambda: at)
        hours, number = [], 0
        for _lock in range(7):
            while guess(door, user, number) != 429:
                number += 1
            until = GuessCount.objects.get().locked_until
            hours.append((until - at) / timedelta(hours=1))
            at = until
            number += 1

        assert hours == [1, 2, 4, 8, 16, 24, 24]
        assert number == 20 + 6 * 5
        assert knock(door, user, portal.PASSWORD, REMOTE_ADDR="203.0.113.9") == 302
        assert not GuessCount.objects.exists()

    def test_a_name_without_an_account_answers_alike(self, door: str) -> None:
        nobody = User(username="nobody")
        answers = [guess(door, nobody, number) for number in range(21)]

        assert answers == [200] * 19 + [429] * 2

    def test_a_form_without_password_begins_nothing_anew(self, door: str) -> None:
        user = account(door)
        for number in range(20):
            Client().post(DOORS[door], {"username": user.username}, REMOTE_ADDR="203.0.113.9")
            guess(door, user, number)

        assert knock(door, user, portal.PASSWORD, REMOTE_ADDR="203.0.113.9") == 429

    def test_an_address_that_is_locked_counts_no_further(self, door: str) -> None:
        user = account(door)
        for _ in range(30):
            knock(door, user, "not it")

        assert GuessCount.objects.get().failed_count == 5

    def test_are_forgotten_after_seven_quiet_days(self, door: str) -> None:
        user, at = account(door), clock.now()
        for number in range(19):
            guess(door, user, number)
        GuessCount.objects.update(failed_at=at - timedelta(days=7, seconds=1))

        assert guess(door, user, 19) == 200
        assert guess_counts.purge(at=at) == 0
        assert guess_counts.purge(at=at + timedelta(days=8)) == 1

    def test_end_with_a_new_password(self, door: str) -> None:
        user, at = account(door), clock.now()
        for number in range(20):
            guess(door, user, number)
        made = accounts.ensure(username=user.username, staff=user.is_staff, rotate=True, at=at)

        assert knock(door, user, made.password, REMOTE_ADDR="203.0.113.9") == 302

    def test_so_does_the_lock_of_an_address(self, door: str) -> None:
        user, at = account(door), clock.now()
        said = [knock(door, user, f"wrong {number}") for number in range(5)]
        assert (said[-1], knock(door, user, portal.PASSWORD)) == (429, 429)

        made = accounts.ensure(username=user.username, staff=user.is_staff, rotate=True, at=at)

        assert knock(door, user, made.password) == 302


@pytest.mark.parametrize("door", DOORS)
class TestManyAddressesAtOnce:
    def test_have_no_more_than_twenty_compared(
        self, cloned_db: str, together: Any, compared: list[str], door: str
    ) -> None:
        user = account(door)
        for number in range(14):
            guess(door, user, number)
        compared.clear()

        answers = together(AT_ONCE, lambda number: guess(door, user, 100 + number))

        assert len(compared) == 6
        assert sorted(answers) == [200] * 5 + [429] * (AT_ONCE - 5)


@pytest.mark.django_db
class TestTheDatabase:
    @pytest.mark.parametrize(
        "broken", ["failed_count = 20", "locks = 1", "locked_until = now()", "locks = -1"]
    )
    def test_refuses_a_count_beyond_its_bound(self, broken: str) -> None:
        GuessCount.objects.create(key="k", failed_at=clock.now())

        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute(f"UPDATE foundation_guess_count SET {broken}")

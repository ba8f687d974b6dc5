"""What the database tells of open sessions opens none of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from foundation import clock, tasks
from foundation.models import AuditEvent, SignIn
from foundation.session_store import SessionStore, stored
from tests.foundation.signing_in import merchant_person, password, signed_in, staff

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def with_cookie(value: str) -> Client:
    browser = Client()
    browser.cookies["sessionid"] = value
    return browser


class TestTheDatabase:
    def test_has_no_cookie_of_anybody(self, client) -> None:
        password(client, merchant_person())
        cookie = client.cookies["sessionid"].value

        assert signed_in(client)
        for table in ("django_session", "foundation_sign_in", "foundation_audit_event"):
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{cookie}%"]
                )
                assert cursor.fetchone() == (0,), table

    def test_has_nothing_that_opens_a_session(self, client) -> None:
        password(client, merchant_person())
        row = Session.objects.get()

        assert row.session_key == SignIn.objects.get().session_hash
        assert not signed_in(with_cookie(row.session_key))

    def test_cannot_put_one_session_under_another_cookie(self, client) -> None:
        password(client, staff())
        thief = Client()
        password(thief, merchant_person())
        kept, own = Session.objects.order_by("expire_date")

        Session.objects.filter(pk=own.pk).update(session_data=kept.session_data)

        assert not signed_in(thief)
        Session.objects.filter(pk=kept.pk).update(session_key=stored("c" * 32))
        assert not signed_in(with_cookie("c" * 32))


class TestStore:
    def test_keeps_changes_and_moves_them_to_another_key(self) -> None:
        store = SessionStore()
        store["n"] = 1
        store.save()
        before = store.session_key
        again = SessionStore(before)
        assert again["n"] == 1

        again.cycle_key()
        again.save()

        assert before
        assert not SessionStore().exists(before)
        assert dict(SessionStore(again.session_key).items()) == {"n": 1}
        again.delete()
        assert not SessionStore().exists(again.session_key)

    def test_knows_no_key_that_was_never_given(self) -> None:
        store = SessionStore("made-up-by-a-stranger")

        assert (store.get("n"), store.session_key) == (None, None)

    def test_every_way_into_it_writes_the_hash(self) -> None:
        """Django's own asynchronous half would write the plain key."""
        ways = ("load", "exists", "save", "delete", "aload", "aexists", "asave", "adelete")

        assert [way for way in ways if way not in vars(SessionStore)] == ["save"]
        assert asyncio.iscoroutinefunction(SessionStore.asave)

    def test_is_emptied_of_what_is_over(self) -> None:
        for days in (-1, 1):
            Session.objects.create(
                session_key=f"k{days}", expire_date=timezone.now() + timedelta(days=days)
            )

        tasks.purge_sessions()

        assert [row.session_key for row in Session.objects.all()] == ["k1"]


class TestAnOldSession:
    @pytest.mark.parametrize("passed", ["idle", "old"])
    def test_ends_and_says_so(self, client, settings, monkeypatch, passed) -> None:
        settings.SESSION_IDLE_SECONDS = 1800
        password(client, merchant_person())
        start = clock.now()
        uses, end = (16, 480) if passed == "old" else (2, 88)
        for use in range(1, uses + 1):
            after = timedelta(minutes=29 * use)
            monkeypatch.setattr(clock, "now", lambda after=after: start + after)
            assert client.get("/account/").status_code == 200, after

        monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=end))
        answer = client.get("/account/", follow=True)

        assert not signed_in(client)
        assert answer.redirect_chain
        assert "session has ended" in answer.content.decode() or "会话" in answer.content.decode()
        assert SignIn.objects.get().ended == "timed_out"
        assert AuditEvent.objects.filter(action="sign_in.end").exists()

"""The link of a new colleague: what it opens once, for how long, and what it does not open."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import AuditEvent, User
from foundation.portal import first_password as pages
from foundation.services import first_password as first_passwords
from foundation.services import outbox
from foundation.services import staff_account as staff_accounts
from tests.factories.second_factor import telephone_of
from tests.foundation.colleagues import (
    approve,
    colleague_proposed,
    off,
)

FIRST = "/account/first-password"
OWN = "a password of dan alone"
GIVEN = {"new": OWN, "again": OWN}


@pytest.fixture
def dan(ann: User, bo: User) -> User:
    """A new colleague, to whom the letter is on its way."""
    approve(colleague_proposed(ann), bo)
    return User.objects.get(username="dan.li")


def link() -> str:
    """Return the path of the link in the last letter."""
    outbox.drain(inline=True)
    found = re.search(r"https?://[^/]+(/account/first-password/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def opens(path: str) -> bool:
    return Client().get(path, follow=True).status_code == 200


def signs_in(user: User) -> str:
    answer = Client().post("/admin/login/", {"username": user.username, "password": OWN})
    return answer.get("Location", "")


class TestALink:
    def test_sets_the_first_password_once(self, dan: User) -> None:
        path, browser = link(), Client()

        opened = browser.get(path)
        weak = browser.post(FIRST, {"new": "1234", "again": "1234"})
        done = browser.post(FIRST, GIVEN)

        assert opened["Location"] == FIRST  # the token is out of the address
        assert weak.context["form"].errors["new"]
        assert "dan.li" in weak.content.decode()
        assert done["Location"] == reverse("admin:login")
        assert "_auth_user_id" not in browser.session  # nobody is signed in by it
        assert signs_in(dan) == "/admin/"
        assert Client().get(path, follow=True).status_code == 410
        assert AuditEvent.objects.filter(action="account.first_password").count() == 1
        outbox.drain(inline=True)
        assert "first password" in str(mail.outbox[-1].body)

    def test_is_followed_by_the_second_step(self, dan: User, settings) -> None:
        settings.MFA_STAFF_ROLES = ["*"]
        browser = Client()
        browser.get(link())
        browser.post(FIRST, GIVEN)
        assert signs_in(dan) == reverse("account:enrol")

        telephone_of(dan, clock.now())
        assert signs_in(dan) == reverse("account:second_step")

    def test_is_over_after_three_days(self, dan: User, monkeypatch: pytest.MonkeyPatch) -> None:
        path, now = link(), clock.now()
        just = now + first_passwords.GOOD_FOR
        for moment, good in ((just - timedelta(minutes=1), True), (just, False)):
            monkeypatch.setattr(pages.clock, "now", lambda moment=moment: moment)
            assert opens(path) is good

    def test_ends_with_a_new_one_switching_off_and_another_address(
        self,
        dan: User,
        ann: User,
    ) -> None:
        old = link()
        staff_accounts.send_link(user_id=str(dan.pk), by=ann, at=clock.now())
        new = link()
        assert (opens(old), opens(new)) == (False, True)

        User.objects.filter(pk=dan.pk).update(email="other@example.com")
        assert not opens(new)
        User.objects.filter(pk=dan.pk).update(email="dan@example.com")
        assert opens(new)
        off(dan, ann)
        assert not opens(new)
        assert Client().post(FIRST, GIVEN).status_code == 410

    def test_is_not_sent_to_who_has_a_password(self, dan: User, ann: User, bo: User) -> None:
        with pytest.raises(staff_accounts.AccountChanged):
            staff_accounts.send_link(user_id=str(bo.pk), by=ann, at=clock.now())
        outbox.drain(inline=True)
        sent = len(mail.outbox)
        until = int((clock.now() + first_passwords.GOOD_FOR).timestamp())
        first_passwords.mail_link(user_id=str(bo.pk), until=until)
        assert len(mail.outbox) == sent

    @pytest.mark.parametrize("token", ["x", "a.b.c", "a.b.c:x", "é.1.2:y", "9" * 900, "%00:x"])
    def test_that_is_made_up_opens_nothing(self, dan: User, token: str) -> None:
        assert Client().get(f"{FIRST}/{token}", follow=True).status_code == 410
        assert Client().get(FIRST).status_code == 410

    def test_that_was_altered_opens_nothing(self, dan: User, bo: User) -> None:
        token = link().rpartition("/")[2]
        key, until, rest = token.split(".")

        assert not opens(f"{FIRST}/{bo.pk.hex}.{until}.{rest}")
        assert not opens(f"{FIRST}/{key}.{int(until) + 1}.{rest}")
        assert opens(f"{FIRST}/{token}")

    def test_is_kept_nowhere(self, dan: User) -> None:
        path = link()
        state = path.rpartition("/")[2].rpartition(".")[2]
        browser = Client()
        browser.get(path)

        kept = dict(browser.session.items())
        assert "first_password.token" in kept
        assert state not in str(kept)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM foundation_outbox t WHERE t::text LIKE %s",
                [f"%{state[:40]}%"],
            )
            assert cursor.fetchone() == (0,)

    @pytest.mark.usefixtures("cloned_db")
    def test_opens_once_of_four_at_once(self, dan: User) -> None:
        token, results, start = link().rpartition("/")[2], list[str](), threading.Barrier(4)

        def run() -> None:
            start.wait()
            try:
                first_passwords.choose(token=token, password=OWN, at=clock.now())
                results.append("done")
            except first_passwords.LinkRefused:
                results.append("refused")
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results) == ["done", "refused", "refused", "refused"]

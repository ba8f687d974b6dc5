"""A forgotten sign-in password: the link, what it opens once, and what it does not open."""

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
from foundation.models import AuditEvent, OutboxMessage, User
from foundation.portal import session
from foundation.services import outbox
from foundation.services import password_reset as resets
from merchants.services import payment_password as payment_passwords
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.second_factor import telephone_of

FORGOTTEN = "/portal/password/forgotten"
NEW = "/portal/password/new"
FRESH = "a fresh password of ann"
GIVEN = {"new": FRESH, "again": FRESH}


@pytest.fixture
def ann(request: pytest.FixtureRequest) -> User:
    """A merchant's owner with an e-mail address."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    return portal.member(MerchantFactory.create(), email="ann@example.com", language="en")


def link(email: str = "Ann@example.com ") -> str:
    """Ask for a link, and return the path of what came."""
    Client().post(FORGOTTEN, {"email": email})
    outbox.drain(inline=True)
    found = re.search(r"https?://[^/]+(/portal/password/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def signs_in(user: User, password: str) -> bool:
    answer = Client().post("/portal/sign-in", {"username": user.username, "password": password})
    return answer.status_code == 302


class TestALink:
    def test_gives_a_new_password_once_and_ends_the_sessions(self, ann: User) -> None:
        old = Client()
        old.post("/portal/sign-in", {"username": ann.username, "password": portal.PASSWORD})
        assert old.get("/account/").status_code == 200
        path, browser = link(), Client()

        opened = browser.get(path)
        weak = browser.post(NEW, {"new": "1234", "again": "1234"})
        done = browser.post(NEW, GIVEN)

        assert opened["Location"] == NEW  # the token is out of the address
        assert weak.context["form"].errors["new"]
        assert done["Location"] == reverse("portal:sign_in")
        assert old.get("/account/").status_code == 302
        assert browser.get("/account/").status_code == 302  # nobody is signed in by it
        assert (signs_in(ann, portal.PASSWORD), signs_in(ann, FRESH)) == (False, True)
        assert Client().get(path, follow=True).status_code == 410
        assert AuditEvent.objects.filter(action="account.password_reset").count() == 1
        outbox.drain(inline=True)
        assert any("by a link" in str(letter.body) for letter in mail.outbox)

    def test_does_not_spare_the_second_step(self, ann: User) -> None:
        telephone_of(ann, clock.now())
        browser = Client()
        browser.get(link())
        browser.post(NEW, GIVEN)

        answer = browser.post("/portal/sign-in", {"username": ann.username, "password": FRESH})

        assert answer["Location"] == reverse("account:second_step")
        assert session.CARRIED == ("invitation.token",)

    def test_is_over_after_thirty_minutes(self, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
        path = link()
        later = clock.now().astimezone().replace(tzinfo=None) + timedelta(minutes=30, seconds=1)
        monkeypatch.setattr(type(resets.LINKS), "_now", lambda self: later)

        assert Client().get(path, follow=True).status_code == 410

    def test_ends_with_a_sign_in_and_with_another_address(self, ann: User) -> None:
        path = link()
        User.objects.filter(pk=ann.pk).update(email="new@example.com")
        assert Client().get(path, follow=True).status_code == 410
        User.objects.filter(pk=ann.pk).update(email=ann.email)
        assert Client().get(path, follow=True).status_code == 200

        assert signs_in(ann, portal.PASSWORD)
        assert Client().get(path, follow=True).status_code == 410

    @pytest.mark.parametrize("token", ["x", "a.b", "0" * 32 + ".x", "é" * 32 + ".x", "9" * 400])
    def test_that_is_made_up_opens_nothing(self, ann: User, token: str) -> None:
        assert Client().get(f"/portal/password/{token}", follow=True).status_code == 410
        assert Client().post(NEW, GIVEN).status_code == 410

    def test_of_another_person_opens_nothing(self, ann: User) -> None:
        mallory = portal.member(MerchantFactory.create(), email="mallory@example.com")
        own = link("mallory@example.com").rpartition("/")[2]

        forged = f"{ann.pk.hex}.{own.partition('.')[2]}"

        assert Client().get(f"/portal/password/{forged}", follow=True).status_code == 410
        assert signs_in(mallory, portal.PASSWORD)

    @pytest.mark.usefixtures("cloned_db")
    def test_opens_once_of_six_at_once(self, ann: User) -> None:
        token, results, start = link().rpartition("/")[2], list[str](), threading.Barrier(6)

        def run(number: int) -> None:
            start.wait()
            try:
                resets.reset(token=token, password=f"{FRESH} {number}", at=clock.now())
                results.append("reset")
            except resets.LinkRefused:
                results.append("refused")
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results) == ["refused"] * 5 + ["reset"]


class TestAsking:
    def test_is_answered_alike_for_every_address(self, ann: User) -> None:
        UserFactory(email="boss@example.com", is_staff=True)
        said = set()
        for address in ("ann@example.com", "nobody@example.com", "boss@example.com"):
            answer = Client().post(FORGOTTEN, {"email": address})
            said.add(re.sub(r'(value|nonce)="[^"]+"', "", answer.content.decode()))
        outbox.drain(inline=True)

        assert len(said) == 1
        assert [letter.to for letter in mail.outbox] == [["ann@example.com"]]

    def test_sends_one_link_in_ten_minutes(self, ann: User) -> None:
        at = clock.now()
        for _n in range(5):
            resets.ask(email=ann.email, at=at)

        assert OutboxMessage.objects.filter(kind=resets.MAIL).count() == 1

    @pytest.mark.parametrize("email", ["", "x", "\0", "a" * 200 + "@example.com"])
    def test_names_what_is_no_address(self, ann: User, email: str) -> None:
        answer = Client().post(FORGOTTEN, {"email": email})

        assert answer.context["form"].errors["email"]

    def test_keeps_no_link_anywhere(self, ann: User) -> None:
        path = link()
        proof = path.rpartition("/")[2].rpartition("-")[2]
        browser = Client()
        browser.get(path)

        kept = dict(browser.session.items())
        assert "password_reset.token" in kept
        assert proof not in str(kept)
        assert proof not in str(list(OutboxMessage.objects.values()))
        assert proof not in str(list(AuditEvent.objects.values()))


class TestTheMailboxAlone:
    @pytest.mark.parametrize("operation", ["payment_password.set", "payment_password.reset"])
    def test_gets_no_payment_password(self, ann: User, operation: str) -> None:
        browser = Client()
        browser.get(link())
        browser.post(NEW, GIVEN)

        with pytest.raises(payment_passwords.ResetTooSoon):
            payment_passwords.replace(
                merchant_id=1, user=ann, operation=operation, hashed="x", token="x",
                at=clock.now(),
            )  # fmt: skip
        payment_passwords.require_other_proof(user=ann, at=clock.now() + timedelta(hours=24))

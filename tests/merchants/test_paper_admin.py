"""Staff see what ends: queues on the overview, a list, a page, and the merchant's own list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from foundation import clock, registries
from foundation.admin import overview
from foundation.models import User
from merchants.admin import paper as screen
from merchants.models import Merchant, Paper
from tests.factories import merchant_state
from tests.factories import paper as papers
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
END = date(2026, 6, 30)
LIST = "admin:merchants_paper_changelist"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def reader(client: Client) -> User:
    user: User = UserFactory(is_staff=True, is_superuser=True, language="en")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return user


def today(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr(screen, "_today", lambda: day)


def merchant(**more: object) -> Merchant:
    return papers.approved(licence_until=END, **more)


def queues(user: User) -> dict[str, tuple[int, bool]]:
    found = [
        item
        for source in (screen.grace_over, screen.ending_soon, screen.to_look_at_again)
        for item in source(user)
    ]
    return {item.title: (item.count, item.urgent) for item in found}


class TestAPaper:
    def test_says_its_stage_what_follows_and_what_to_do(self, client, reader, monkeypatch):
        of = merchant()
        today(monkeypatch, date(2026, 8, 1))
        paper = Paper.objects.get(merchant=of, kind="LICENCE")
        page = reverse("admin:merchants_paper_change", args=[paper.id])

        first = client.get(page).content.decode()
        merchant_state.stand(of.id, "RESTRICTED")
        then = client.get(page).content.decode()

        assert "Stage." not in first
        assert "ended, grace over" in first
        assert "It is proposed that withdrawals stop" in first
        assert "Change data, on the merchant&#x27;s page" in first
        assert "Withdrawals have stopped" in then


class TestTheOverview:
    def test_counts_what_ends_soon_and_what_is_over_in_red(self, reader, monkeypatch):
        merchant()
        leaving = merchant()
        merchant_state.stand(leaving.id, "CLOSING")

        today(monkeypatch, date(2026, 5, 30))
        assert queues(reader) == {}
        today(monkeypatch, date(2026, 6, 1))
        assert queues(reader) == {"Papers end within 30 days": (1, False)}
        today(monkeypatch, date(2026, 7, 30))
        assert queues(reader) == {}
        today(monkeypatch, date(2026, 7, 31))
        assert queues(reader) == {"Papers have ended and their grace is over": (1, True)}

    def test_turns_a_re_review_red_when_its_day_is_past(self, reader, monkeypatch):
        papers.approved(risk_grade=3)

        today(monkeypatch, date(2027, 3, 2))
        assert queues(reader) == {"Re-reviews are due": (1, False)}
        today(monkeypatch, date(2027, 3, 3))
        assert queues(reader) == {"Re-reviews of merchants are overdue": (1, True)}

    def test_shows_the_red_queue_as_such(self, reader, client, monkeypatch):
        merchant()
        today(monkeypatch, date(2026, 7, 31))

        page = client.get(reverse("admin:index")).content.decode()

        assert 'class="queue urgent"' in page
        assert reverse(LIST) + "?ends=over" in page

    def test_has_these_queues(self):
        names = dict(registries.work_items.items())

        assert {"merchants.papers_over", "merchants.papers_ending", "merchants.re_reviews"} <= set(
            names
        )
        assert overview.Queue.__dataclass_fields__["urgent"]


class TestTheList:
    def test_shows_the_next_end_first_by_how_near_it_is(self, reader, client, monkeypatch):
        merchant()
        today(monkeypatch, END)

        for chosen, seen in (
            ("", True), ("week", True), ("month", True), ("over", False), ("ended", False),
            ("superseded", False), ("nonsense", False),
        ):  # fmt: skip
            page = client.get(reverse(LIST), {"ends": chosen} if chosen else {})
            assert page.status_code == 200
            assert ("2026-06-30" in page.content.decode()) is seen, chosen

    def test_asks_the_same_few_questions_however_many_there_are(self, reader, client):
        merchant()
        client.get(reverse(LIST))
        with CaptureQueriesContext(connection) as few:
            client.get(reverse(LIST))
        for _turn in range(3):
            merchant()
        with CaptureQueriesContext(connection) as more:
            client.get(reverse(LIST))

        assert len(more) == len(few)

    def test_leads_to_a_page_with_what_follows_and_the_warnings(self, reader, client, monkeypatch):
        one = merchant()
        today(monkeypatch, END)
        paper = Paper.objects.get(merchant=one, kind="LICENCE")

        page = client.get(reverse("admin:merchants_paper_change", args=[paper.id]))

        text = page.content.decode()
        assert "2026-07-30" in text
        assert "withdrawals stop" in text
        assert client.post(page.request["PATH_INFO"]).status_code == 403


class TestTheMerchantsPage:
    def test_lists_what_is_due_by_when_why_and_what_follows(self, reader, client, monkeypatch):
        one = merchant(identity_until=None)
        today(monkeypatch, date(2026, 6, 25))

        text = client.get(
            reverse("admin:merchants_merchant_change", args=[one.id])
        ).content.decode()

        assert "We serve merchants with a valid business licence only." in text
        assert "within 7 days" in text
        assert "no end" in text  # the contract

    def test_says_of_one_that_came_by_a_file_that_nothing_is_known(self, reader, client):
        one = MerchantFactory()

        text = client.get(
            reverse("admin:merchants_merchant_change", args=[one.id])
        ).content.decode()

        assert "No papers are known" in text
        assert clock.business_date(clock.now())

"""A merchant reads what ends, by when, why and what follows, on a page and above every page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation

from foundation import clock
from merchants.models import Membership, Merchant, PaperNotice
from merchants.services import paper_letter, paper_watch
from tests.factories import paper as papers
from tests.factories import portal
from tests.factories.merchants import MembershipFactory, MerchantFactory

pytestmark = pytest.mark.django_db
END = date(2026, 6, 30)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def at(monkeypatch: pytest.MonkeyPatch, day: date) -> datetime:
    now = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    return now


def page(client: Client, merchant: Merchant, name: str = "papers", role: str = "OWNER") -> str:
    user = portal.member(merchant, role=role)
    user.language = "en"
    user.save()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    answer = client.get(
        reverse(f"portal:{name}", args=[merchant.id]), headers={"accept-language": "en"}
    )
    assert answer.status_code == 200
    return answer.content.decode()


class TestThePage:
    def test_lists_every_paper_but_not_our_own_re_review(self, client, monkeypatch):
        merchant = papers.approved(licence_until=END)
        at(monkeypatch, date(2026, 3, 3))

        text = page(client, merchant, role="CASHIER")

        assert "2026-06-30" in text
        assert "no end" in text
        assert "If the new one is not there by 2026-07-30" in text
        assert "re-review" not in text
        assert "data-papers" not in text

    def test_says_when_there_are_none(self, client):
        assert "none of them ends" in page(client, MerchantFactory())


class TestTheLineAboveEveryPage:
    @pytest.mark.parametrize(
        ("day", "tone"),
        [(date(2026, 5, 2), "warning"), (date(2026, 6, 25), "danger"),
         (date(2026, 8, 30), "danger")],
    )  # fmt: skip
    def test_says_what_when_and_what_follows(self, client, monkeypatch, day, tone):
        merchant = papers.approved(licence_until=END)
        at(monkeypatch, day)

        text = page(client, merchant, "home")

        assert f'alert-{tone}" role="status" data-papers' in text
        assert "2026-06-30" in text
        assert "withdrawals stop" in text


class TestLetters:
    def notice(self, merchant: Merchant, day: date) -> PaperNotice:
        now = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
        paper_watch.run(on_date=day, at=now)
        found = PaperNotice.objects.filter(merchant=merchant).first()
        assert found is not None
        return found

    def test_go_to_owners_in_their_language(self):
        merchant = papers.approved(licence_until=END)
        MembershipFactory(merchant=merchant, user__email="a@example.com", user__language="en")
        MembershipFactory(merchant=merchant, user__email="b@example.com", user__language="zh-hans")
        MembershipFactory(
            merchant=merchant, user__email="c@example.com", role=Membership.Role.VIEWER
        )
        notice = self.notice(merchant, END)

        paper_letter.send(merchant_id=merchant.id, notice_id=notice.id, on=END)

        by_address = {letter.to[0]: letter for letter in mail.outbox}
        assert set(by_address) == {"a@example.com", "b@example.com"}
        assert by_address["a@example.com"].subject == "A paper of yours ends soon"
        assert "2026-06-30" in by_address["a@example.com"].body
        assert "2026-07-30" in by_address["a@example.com"].body
        assert "营业执照" in by_address["b@example.com"].body

    def test_of_another_merchants_warning_are_not_written(self):
        merchant = papers.approved(licence_until=END)
        MembershipFactory(merchant=merchant, user__email="a@example.com")
        notice = self.notice(merchant, END)

        paper_letter.send(merchant_id=merchant.id + 1, notice_id=notice.id, on=END)

        assert mail.outbox == []

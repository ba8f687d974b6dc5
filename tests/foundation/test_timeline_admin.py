"""The timeline of a thing: changes, acts, proposals and decisions, merged, page by page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from foundation import actor, clock
from foundation.admin import timeline as timelines
from foundation.admin.readonly import ReadOnlyAdmin
from foundation.models import User
from foundation.selectors import timeline
from foundation.services import audit
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory

pytestmark = pytest.mark.django_db
NUMBER = "6225880212345678"


def boss() -> User:
    user: User = UserFactory(is_staff=True, is_superuser=True, language="en")
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(account: BankAccount) -> str:
    return reverse("admin:merchants_bankaccount_timeline", args=[account.pk])


@pytest.fixture
def account() -> BankAccount:
    """An account that was proposed, approved and switched off."""
    made = BankAccountFactory(
        status="UNVERIFIED", approved_payee=False, verified_at=None, number=NUMBER
    )
    at, maker = clock.now(), boss()
    with actor.acting(f"user:{maker.pk}", "request-7", origin="192.0.2.7"):
        proposal = bank_accounts.propose(
            merchant_id=made.merchant_id, bank_account_id=made.id, approved_payee=True,
            reason="a letter", maker=maker, at=at, expires_at=at + timedelta(days=1),
        )  # fmt: skip
        approve(proposal, at=at)
        bank_accounts.disable(
            merchant_id=made.merchant_id, bank_account_id=made.id, note="left", at=clock.now()
        )
    return made


class TestTheTimeline:
    def test_merges_all_four_sources_and_says_who_from_where_under_which_request(self, account):
        page = client_of(boss()).get(address(account))
        text = page.content.decode()

        assert {line[0].source for line in page.context["lines"]} == set(timeline.SOURCES)
        assert "192.0.2.7" in text
        assert "request-7" in text
        assert "a letter" in text
        assert "Bank account switched off" in text
        assert "bank_account.disable" not in text
        assert "Approved by a checker" in text

    def test_shows_no_secret(self, account):
        text = client_of(boss()).get(address(account)).content.decode()

        assert NUMBER not in text
        assert "number_hash" not in text

    def test_leaves_out_a_change_of_which_nothing_is_shown(self, account, monkeypatch):
        def changes() -> int:
            lines = client_of(boss()).get(address(account)).context["lines"]
            return sum(one.what == "UPDATE" for one, _who, _rows in lines)

        assert changes() == 2
        columns = [field.column for field in BankAccount._meta.concrete_fields]
        monkeypatch.setattr(type(admin.site._registry[BankAccount]), "hidden", columns)

        assert changes() == 0

    def test_says_of_a_sealed_value_that_another_one_was_written(self):
        one = timeline.Entry(
            "change", 1, clock.now(), "a", "", "", "UPDATE", "", {"number": "***"}, {"number": "*"}
        )  # fmt: skip
        with translation.override("en"):
            (row,) = timelines._rows(one, (), {"number"})

        assert row == ("number", "***", "written anew, not shown")

    def test_of_another_thing_shows_nothing_of_it(self, account):
        other = BankAccountFactory(number="6225880212340001")
        text = client_of(boss()).get(address(other)).content.decode()

        assert "a letter" not in text

    def test_is_read_page_by_page_without_a_gap_or_a_double(self, account):
        for number in range(75):
            audit.record(
                merchant_id=account.merchant_id, action=f"act.{number}",
                object_kind="bank_account", object_id=str(account.pk),
            )  # fmt: skip
        client, place, seen = client_of(boss()), "", []
        for _page in range(10):
            page = client.get(address(account), {"after": place} if place else {})
            seen += [(line[0].source, line[0].id) for line in page.context["lines"]]
            place = page.context["onward"]
            if not place:
                break

        assert len(seen) == len(set(seen)) >= 79
        assert sum(source == "act" for source, _id in seen) >= 75
        assert sum(source == "decision" for source, _id in seen) == 1

    def test_costs_the_same_at_any_length(self, account):
        def cost() -> int:
            with CaptureQueriesContext(connection) as captured:
                client.get(address(account))
            return len(captured)

        client = client_of(boss())
        client.get(address(account))
        short = cost()
        for _number in range(60):
            audit.record(merchant_id=account.merchant_id, action="act", object_kind="bank_account",
                         object_id=str(account.pk))  # fmt: skip

        assert cost() <= short

    @pytest.mark.parametrize("place", ["x", "act", "act" + "9" * 20, "boss7", "\0", "act0"])
    def test_begins_at_the_top_when_the_place_is_none(self, account, place):
        assert client_of(boss()).get(address(account), {"after": place}).status_code == 200

    def test_is_for_who_may_see_the_thing_and_shows_proposals_to_who_may(self, account):
        clerk = UserFactory(is_staff=True)
        assert client_of(clerk).get(address(account)).status_code == 404

        clerk.user_permissions.add(Permission.objects.get(codename="view_bankaccount"))
        page = client_of(User.objects.get(pk=clerk.pk)).get(address(account))
        assert {line[0].source for line in page.context["lines"]} <= {"change", "act"}

    def test_is_there_for_every_screen(self):
        client = client_of(boss())
        for model, screen in admin.site._registry.items():
            row = model._default_manager.order_by("pk").first()
            if isinstance(screen, ReadOnlyAdmin) and row is not None:
                name = f"admin:{screen.opts.app_label}_{screen.opts.model_name}"
                assert client.get(reverse(f"{name}_timeline", args=[row.pk])).status_code == 200
                assert client.post(reverse(f"{name}_timeline", args=[row.pk])).status_code == 405


@pytest.mark.parametrize("name", ["auditevent", "history"])
def test_the_lists_of_acts_and_changes_name_who_acted(name):
    reader, clerk = boss(), UserFactory(username="clerk.ann")
    with actor.acting(f"user:{clerk.pk}"):
        actor.stamp_transaction()
        account = BankAccountFactory(number=NUMBER)
        audit.record(
            merchant_id=account.merchant_id, action="bank_account.add",
            object_kind="bank_account", object_id="1",
        )  # fmt: skip

    text = client_of(reader).get(reverse(f"admin:foundation_{name}_changelist")).content.decode()

    assert f"{clerk.person.name} (clerk.ann)" in text
    assert f"user:{clerk.pk}" not in text
    assert ("Bank account added" if name == "auditevent" else "(merchants_bank_account)") in text

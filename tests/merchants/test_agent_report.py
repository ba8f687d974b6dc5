"""What became of the merchants each agent brought (S0-03)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from merchants.selectors import application_person
from merchants.selectors.application_person import Span
from tests.factories import agent as make
from tests.factories import merchant_state
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def figures(span: Span = application_person.EVERY_DAY) -> dict[str, tuple[int, int, int, str]]:
    return {
        one.number: (one.merchants, one.frozen, one.frozen_now, one.rate)
        for one in application_person.agents(span)
    }


def auditor() -> Client:
    user = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name="auditor"))
    client = Client()
    client.force_login(user)
    return client


class TestTheReport:
    def test_counts_a_merchant_for_the_agent_it_came_by_first(self):
        one, other = make.agent("A1"), make.agent("A2")
        frozen, restored, fine = (MerchantFactory(agent=one) for _n in range(3))
        MerchantFactory(agent=other, created_at=FEBRUARY)
        make.move(other, frozen)
        merchant_state.stand(frozen.pk, "FROZEN")
        merchant_state.stand(restored.pk, "FROZEN")
        merchant_state.stand(restored.pk, "ACTIVE")

        assert figures() == {"A1": (3, 2, 1, "66.7 %"), "A2": (1, 0, 0, "0.0 %")}
        assert figures(Span(first=date(2026, 1, 31))) == {"A2": (1, 0, 0, "0.0 %")}
        assert list(figures(Span(last=date(2026, 1, 31)))) == ["A1"]
        assert application_person.frozen_of_agent(one.pk) == [frozen, restored]
        assert application_person.frozen_of_agent(one.pk, Span(first=date(2026, 2, 1))) == []
        assert fine.agent == one

    def test_is_a_page_of_the_same_cost_however_many_there_are(self):
        one = make.agent()
        shop = MerchantFactory(agent=one)
        merchant_state.stand(shop.pk, "FROZEN")
        client, address = auditor(), reverse("admin:application_people")
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address, {"agent": one.pk})
        for _n in range(5):
            MerchantFactory(agent=make.agent())
            merchant_state.stand(MerchantFactory(agent=one).pk, "FROZEN")
        with CaptureQueriesContext(connection) as many:
            page = client.get(address, {"agent": one.pk, "first": "2026-01-01"})

        assert len(few) == len(many)
        assert len(page.context["of_agent"]) == 6
        assert page.context["days"] == "first=2026-01-01"

    @pytest.mark.parametrize(
        "query",
        [{"first": "x"}, {"last": "9999-12-31"}, {"agent": "x"}, {"agent": "9" * 30},
         {"first": "\0"}, {"agent": "999999999999999999"}],
    )  # fmt: skip
    def test_answers_what_no_page_of_ours_asks(self, query):
        assert auditor().get(reverse("admin:application_people"), query).status_code == 200

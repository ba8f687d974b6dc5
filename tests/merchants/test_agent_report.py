"""What became of the merchants each agent brought (S0-03)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.models import AuditEvent, FileExport
from foundation.services import file_export as exports
from merchants.selectors import application_person
from merchants.selectors.application_person import Span
from tests.factories import agent as make
from tests.factories import merchant_state
from tests.factories import paper as papers
from tests.factories.application import AT
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def figures(span: Span = application_person.EVERY_DAY) -> dict[str, tuple[int, int, int, str]]:
    return {
        one.number: (one.merchants, one.frozen, one.frozen_now, one.rate)
        for one in application_person.agents(span)
    }


def somebody(role: str) -> Client:
    user = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client


def auditor() -> Client:
    return somebody("auditor")


def rows_of(export: FileExport) -> list[str]:
    """Write the file that was asked for, and return its lines below the header."""
    exports.write(export_id=export.pk, at=export.requested_at)
    _export, pieces = exports.read(
        export_id=export.pk, user=export.requested_by, at=export.requested_at
    )
    return b"".join(pieces).decode("utf-8-sig").splitlines()[1:]


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

    def test_is_taken_out_with_the_days_and_rights_of_the_page(self):
        one, other = make.agent("A1"), make.agent("A2")
        merchant_state.stand(MerchantFactory(agent=one).pk, "FROZEN")
        MerchantFactory(agent=other, created_at=FEBRUARY)
        operator = somebody("operator")
        page = operator.get(reverse("admin:application_people"), {"first": "2026-01-31"})
        (link,) = page.context["export"]
        form = operator.get(f"{link.url}?{page.context['days']}").context["form"]

        operator.post(link.url, {"first": form["first"].value(), "format": "csv"})
        operator.post(link.url, {"format": "csv"})

        assert rows_of(FileExport.objects.earliest("id")) == [
            f"A2,{other.name},ACTIVE,1,0,0.0 %,0,0",
        ]
        assert rows_of(FileExport.objects.latest("id")) == [
            f"A1,{one.name},ACTIVE,1,1,100.0 %,1,0",
            f"A2,{other.name},ACTIVE,1,0,0.0 %,0,0",
        ]
        assert AuditEvent.objects.filter(action="file.export").count() == 2

    def test_is_not_taken_out_by_who_may_only_see_it(self):
        page = auditor().get(reverse("admin:application_people"))

        assert page.context["export"] == []
        address = reverse("admin:foundation_export", args=["agent_report"])
        assert auditor().get(address).status_code in (403, 404)

    @pytest.mark.parametrize("day", ["x", "2026-02-30", "9999-12-31", "20260131x"])
    def test_refuses_a_day_beside_its_field(self, day):
        address = reverse("admin:foundation_export", args=["agent_report"])

        page = somebody("operator").post(address, {"last": day, "format": "csv"})

        assert page.status_code == 400
        assert page.context["form"].errors == {"last": ["A day looks like 2026-01-31."]}
        assert not FileExport.objects.exists()

    @pytest.mark.parametrize(
        "query",
        [{"first": "x"}, {"last": "9999-12-31"}, {"agent": "x"}, {"agent": "9" * 30},
         {"first": "\0"}, {"agent": "999999999999999999"}],
    )  # fmt: skip
    def test_answers_what_no_page_of_ours_asks(self, query):
        assert auditor().get(reverse("admin:application_people"), query).status_code == 200


class TestTheListByPerson:
    def test_names_who_took_each_merchant_on_and_whether_it_was_ever_frozen(self):
        fine, frozen = papers.approved(), papers.approved(at=AT + timedelta(days=1))
        merchant_state.stand(frozen.pk, "FROZEN")
        merchant_state.stand(frozen.pk, "ACTIVE")
        MerchantFactory()
        operator = somebody("operator")
        page = operator.get(reverse("admin:application_people"))
        (link,) = page.context["export_people"]

        operator.post(link.url, {"format": "csv"})

        rows = [line.split(",") for line in rows_of(FileExport.objects.get())]
        assert [[row[0], row[2], *row[6:]] for row in rows] == [
            [fine.merchant_no, "2026-03-02", "", "0", "ACTIVE"],
            [frozen.merchant_no, "2026-03-03", "", "1", "ACTIVE"],
        ]
        brought, first, second = rows[0][3:6]
        assert brought.startswith("Person")
        assert len({brought, first, second}) == 3

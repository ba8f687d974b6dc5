"""What is settled by hand: listed, released by who may, with its trace, by page and command."""

from __future__ import annotations

import json
from datetime import date, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from foundation import clock
from foundation.models import AuditEvent
from merchants.models import Merchant
from settlement.models import Due
from settlement.selectors import due as dues
from settlement.services import schedule
from tests.factories import settlement as make
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db
ADDRESS = "admin:settlement_release"
MONDAY = date(2026, 3, 2)


@pytest.fixture
def waiting() -> int:
    """A merchant settled by hand, with two payments that wait."""
    merchant = make.merchant()
    schedule.change(merchant_id=merchant, code="MANUAL", effective_from=date(2026, 1, 1))
    make.payment(merchant, 100_00, MONDAY)
    make.payment(merchant, 40_00, MONDAY + timedelta(days=1))
    return merchant


def door(role: str) -> Client:
    user = UserFactory(is_staff=True, language="en")
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def today() -> date:
    return clock.business_date(clock.now())


class TestThePage:
    def test_lists_who_waits_with_the_sum_and_since_when(self, waiting: int) -> None:
        make.payment(make.merchant(), 5_00, MONDAY)  # another schedule: it does not wait
        page = door("operator").get(reverse(ADDRESS))
        (row, amount) = page.context["rows"][0]

        assert len(page.context["rows"]) == 1
        assert (row.merchant_id, row.payments, amount) == (waiting, 2, "140.00 CNY")
        assert row.since == MONDAY
        assert "csrfmiddlewaretoken" in page.content.decode()

    def test_releases_with_a_trace_and_once(self, waiting: int) -> None:
        client = door("operator")
        sent = {"merchant_id": waiting, "due_date": today().isoformat()}

        first = client.post(reverse(ADDRESS), sent, follow=True).content.decode()
        again = client.post(reverse(ADDRESS), sent, follow=True).content.decode()

        assert "2 amounts are released." in first
        assert "Nothing waits for this merchant any more." in again
        assert set(Due.objects.values_list("due_date", flat=True)) == {today()}
        event = AuditEvent.objects.get(action="due.release")
        assert event.actor.startswith("user:")
        assert event.after == {"amounts": 2, "due_date": today().isoformat()}

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"merchant_id": "x", "due_date": "2026-03-02"},
            {"merchant_id": "9" * 30, "due_date": "2026-03-02"},
            {"merchant_id": "1", "due_date": "soon"},
            {"merchant_id": "1", "due_date": "2001-01-01"},
            {"merchant_id": "1", "due_date": "9999-01-01"},
        ],
    )
    def test_refuses_what_is_malformed_and_says_the_field(
        self, waiting: int, sent: dict[str, str]
    ) -> None:
        said = door("operator").post(reverse(ADDRESS), sent, follow=True)

        assert said.status_code == 200
        assert any(str(one.level_tag) == "error" for one in said.context["messages"])
        assert not Due.objects.exclude(due_date=None).exists()

    def test_is_read_by_others_and_used_by_who_may(self, waiting: int) -> None:
        sent = {"merchant_id": waiting, "due_date": today().isoformat()}
        page = door("checker").get(reverse(ADDRESS)).content.decode()

        assert 'name="due_date"' not in page
        assert door("checker").post(reverse(ADDRESS), sent).status_code == 403
        assert Due.objects.filter(due_date=None).count() == 2

    def test_turns_pages_by_key(self, waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
        other = make.merchant()
        schedule.change(merchant_id=other, code="MANUAL", effective_from=date(2026, 1, 1))
        for currency in ("CNY", "USD"):
            make.payment(other, 1_00, MONDAY, currency=currency)
        monkeypatch.setattr("settlement.admin.due.PAGE", 1)
        client, address, seen = door("operator"), reverse(ADDRESS), []
        for _ in range(3):
            page = client.get(address)
            seen += [(row.merchant_id, row.currency) for row, _ in page.context["rows"]]
            address = f"{reverse(ADDRESS)}?after={page.context['more']}"

        assert seen == [(waiting, "CNY"), (other, "CNY"), (other, "USD")]
        for text in ("x", "1.", "9" * 40 + ".CNY", "\0"):
            assert client.get(reverse(ADDRESS), {"after": text}).status_code == 200

    def test_nets_the_refunds_that_go_with_a_payment(self, waiting: int) -> None:
        due = Due.objects.order_by("source_id").first()
        Due.objects.create(
            merchant_id=waiting, source_kind="refund", source_id=9, currency="CNY",
            amount_minor=-30_00, business_date=MONDAY, explanation="own_payment",
            origin_id=due.source_id,
        )  # fmt: skip

        assert [row.amount.minor for row in dues.waiting_for_release()] == [110_00]

    def test_stands_on_the_overview(self, waiting: int) -> None:
        work = door("finance").get(reverse("admin:index")).context["work"]
        queue = next(one for one in work if one.title.startswith("Merchants settled by hand"))

        assert (queue.count, queue.money, queue.url) == ("1", ("140.00 CNY",), reverse(ADDRESS))


class TestTheCommand:
    def test_lists_and_releases(self, waiting: int) -> None:
        number = Merchant.objects.get(id=waiting).merchant_no
        said = StringIO()
        call_command("release_due", "--json", stdout=said)
        assert json.loads(said.getvalue()) == [
            {"merchant_no": number, "currency": "CNY", "payments": 2, "amount_minor": 140_00,
             "since": "2026-03-02"}
        ]  # fmt: skip

        done, after = StringIO(), StringIO()
        call_command("release_due", number, "--json", stdout=done)
        call_command("release_due", "--json", stdout=after)

        assert json.loads(done.getvalue()) == {"released": 2, "due_date": today().isoformat()}
        assert json.loads(after.getvalue()) == []
        assert AuditEvent.objects.get(action="due.release").actor == "system:release_due"

    def test_refuses_a_day_that_has_ended(self, waiting: int) -> None:
        number = Merchant.objects.get(id=waiting).merchant_no

        with (
            translation.override("en"),
            pytest.raises(CommandError, match="today or within a year: 2001-01-01") as refusal,
        ):
            call_command("release_due", number, "--date", "2001-01-01")
        assert refusal.value.returncode == 1

    def test_refuses_a_merchant_that_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="NOBODY"):
            call_command("release_due", "NOBODY")

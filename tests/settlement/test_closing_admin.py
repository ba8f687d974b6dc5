"""The closing pages: reasons with their lists, the two proposals, both languages."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from foundation.models import Approval
from foundation.registries import work_items
from merchants.models import Merchant
from settlement.selectors import closing as selectors
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.merchants.test_merchant_state_admin import door

pytestmark = pytest.mark.django_db
LIST = "admin:settlement_closings"
SAID = {"reason": "离网", "document": "离网申请 2026-03-01"}


def page(merchant: Merchant) -> str:
    return reverse("admin:settlement_closing", args=[merchant.pk])


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory()


class TestThePage:
    def test_proposes_to_begin_and_says_what_waits(self, merchant):
        client = door("operator")

        answer = client.post(page(merchant), SAID, follow=True)

        assert answer.status_code == 200
        approval = Approval.objects.get(action="merchants.close")
        assert (approval.state, approval.reason) == ("PROPOSED", "离网")
        shown = answer.content.decode()
        assert reverse("admin:foundation_approval_change", args=[approval.pk]) in shown
        assert "离网申请" not in shown  # no form while it waits
        assert Merchant.objects.get(pk=merchant.pk).status == "ACTIVE"

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ("Not empty: Available", "100.00", "The merchant withdraws it.")),
            ("zh-hans", ("余额不为零：可用余额", "100.00", "由商户提现。")),
        ],
    )
    def test_names_each_reason_with_its_list(self, merchant, language, words):
        make.fund(merchant, 100_00)
        merchant_state.stand(merchant.pk, "CLOSING")

        shown = door("operator", language).get(page(merchant)).content.decode()

        assert all(word in shown for word in words)
        assert f"/ledger/account/?merchant_no={merchant.merchant_no}" in shown
        assert "<textarea" not in shown  # nothing can be proposed yet

    def test_proposes_the_end_when_nothing_is_left(self, merchant):
        merchant_state.stand(merchant.pk, "CLOSING")
        client = door("operator")
        assert "Propose to close for good" in client.get(page(merchant)).content.decode()

        client.post(page(merchant), SAID)

        assert Approval.objects.get(action="merchants.end").after["merchants"] == [
            f"{merchant.merchant_no} CLOSING→CLOSED"
        ]

    def test_refuses_the_end_with_its_reasons(self, merchant):
        make.fund(merchant, 100_00)
        merchant_state.stand(merchant.pk, "CLOSING")

        answer = door("operator").post(page(merchant), SAID)

        assert answer.status_code == 400
        assert "This merchant cannot be closed yet" in answer.content.decode()
        assert not Approval.objects.filter(action="merchants.end").exists()

    @pytest.mark.parametrize("field", ["reason", "document"])
    def test_says_a_mistake_beside_its_field(self, merchant, field):
        answer = door("operator").post(page(merchant), SAID | {field: " "})

        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == [field]

    def test_says_of_a_frozen_merchant_to_restore_it_first(self, merchant):
        merchant_state.stand(merchant.pk, "FROZEN")
        client = door("operator")

        assert "restore it first" in client.get(page(merchant)).content.decode()
        assert client.post(page(merchant), SAID).status_code == 400

    def test_is_shown_without_the_right_and_proposes_nothing(self, merchant):
        client = door("auditor")

        assert "<textarea" not in client.get(page(merchant)).content.decode()
        assert client.post(page(merchant), SAID).status_code == 403

    @pytest.mark.parametrize("key", [10**6, 10**30, 0])
    def test_does_not_know_other_merchants(self, key):
        address = reverse("admin:settlement_closing", args=[key])

        assert door("operator").get(address).status_code == 404

    def test_is_linked_from_the_merchants_page(self, merchant):
        shown = door("operator").get(reverse("admin:merchants_merchant_change", args=[merchant.pk]))

        assert page(merchant) in shown.content.decode()


class TestTheList:
    def test_is_empty_and_says_so(self):
        assert (
            "No merchant is being closed." in door("operator").get(reverse(LIST)).content.decode()
        )

    def test_asks_as_often_for_many_as_for_one(self, django_assert_max_num_queries):
        for _ in range(5):
            merchant_state.stand(MerchantFactory().pk, "CLOSING")
        client = door("operator")
        client.get(reverse(LIST))

        with django_assert_max_num_queries(12):
            shown = client.get(reverse(LIST))

        assert len(shown.context["rows"]) == 5

    def test_names_closed_merchants_for_whom_something_came_late(self, merchant):
        merchant_state.stand(merchant.pk, "CLOSING")
        merchant_state.stand(merchant.pk, "CLOSED")
        user = UserFactory(is_superuser=True)
        client = door("operator")
        assert client.get(reverse(LIST)).context["rows"] == []

        make.fund(merchant, 5_00)

        assert merchant.merchant_no in client.get(reverse(LIST)).content.decode()
        (queue,) = work_items.get("settlement.leaving")(user)
        assert (queue.count, queue.url) == (1, reverse(LIST))
        assert queue.note


class TestManyAreLeaving:
    def test_are_read_page_by_page_and_counted_whole(self, monkeypatch):
        monkeypatch.setattr(selectors, "MOST", 2)
        made = [MerchantFactory() for _ in range(5)]
        for one in made:
            merchant_state.stand(one.pk, "CLOSING")
        numbers = [one.merchant_no for one in made]
        client, found = door("operator", "en"), []

        address: str | None = reverse(LIST)
        while address:
            shown = client.get(address).content.decode()
            found.append([number for number in numbers if number in shown])
            onward = re.search(r'rel="next" href="([^"]+)"', shown)
            address = reverse(LIST) + onward[1] if onward else None

        assert found == [numbers[:2], numbers[2:4], numbers[4:]]
        assert selectors.leaving_counted().many == 5

    @pytest.mark.parametrize("after", ["x", "-1", "9" * 40, "²"])
    def test_an_odd_place_is_the_first_page(self, merchant, after):
        merchant_state.stand(merchant.pk, "CLOSING")

        answer = door("operator").get(reverse(LIST), {"after": after})

        assert merchant.merchant_no in answer.content.decode()

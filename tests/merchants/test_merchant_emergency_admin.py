"""The form and the button that freeze at once, and the queue of what nobody has decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from foundation import clock
from foundation.admin.approval import ApprovalAdmin
from foundation.models import Approval
from merchants.models import Merchant
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.merchants import MembershipFactory, MerchantFactory
from tests.merchants.test_merchant_emergency_services import decide, freeze
from tests.merchants.test_merchant_state_admin import door

pytestmark = pytest.mark.django_db
PAGE = "admin:merchants_merchant_emergency"
SAID = {"reason": "fraud seen", "document": "case 7"}


def status(merchant: Merchant) -> str:
    return Merchant.objects.get(pk=merchant.pk).status


class TestTheForm:
    def test_freezes_a_list_now(self):
        shops = [MerchantFactory() for _ in range(3)]
        numbers = "\n".join(one.merchant_no for one in shops)

        answer = door("risk").post(reverse(PAGE), SAID | {"merchants": numbers}, follow=True)

        assert answer.status_code == 200
        assert {status(one) for one in shops} == {"FROZEN"}
        assert Approval.objects.get().action == "merchants.emergency"

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"merchants": ""}, "Name at least one merchant."),
            ({"merchants": "nobody"}, "Unknown merchants: nobody"),
            ({"document": ""}, "This field is required."),
            ({"reason": ""}, "This field is required."),
        ],
    )
    def test_says_what_is_wrong_beside_its_field_and_freezes_nobody(self, values, words):
        shop = MerchantFactory()

        answer = door("risk").post(reverse(PAGE), SAID | {"merchants": shop.merchant_no} | values)

        assert answer.status_code == 400
        assert words in answer.content.decode()
        assert status(shop) == "ACTIVE"

    def test_says_that_one_acts_for_it(self):
        shop, client = MerchantFactory(), door("risk")
        MembershipFactory(merchant=shop, user=client.user)  # type: ignore[attr-defined]

        answer = client.post(reverse(PAGE), SAID | {"merchants": shop.merchant_no})

        assert "You act or acted for a merchant of this list." in answer.content.decode()
        assert status(shop) == "ACTIVE"

    @pytest.mark.parametrize("role", ["operator", "checker", "auditor", "finance"])
    def test_is_of_no_other_role(self, role):
        assert door(role).get(reverse(PAGE)).status_code == 403

    def test_speaks_chinese(self):
        shown = door("risk", "zh-hans").get(reverse(PAGE)).content.decode()
        assert all(word in shown for word in ("立即冻结商户", "24 小时内", "最多 50 户"))


class TestTheMerchantsPage:
    def test_has_the_button_for_who_may(self):
        shop = MerchantFactory()
        page = reverse("admin:merchants_merchant_change", args=[shop.pk])
        step = reverse("admin:merchants_merchant_step", args=[shop.pk, "freeze_at_once"])
        assert step in door("risk").get(page).content.decode()
        assert step not in door("operator").get(page).content.decode()

        door("risk").post(step, {"reason": "fraud seen", "paper": "case 7"}, follow=True)

        assert status(shop) == "FROZEN"

    def test_offers_no_withdrawing_and_answers_it_in_words(self):
        client = door("risk")
        approval = freeze(MerchantFactory(), maker=client.user, at=clock.now())  # type: ignore[attr-defined]
        page = reverse("admin:foundation_approval_change", args=[approval.pk])
        step = reverse("admin:foundation_approval_step", args=[approval.pk, "withdraw"])
        assert step not in client.get(page).content.decode()

        assert client.post(step, {}, follow=True).status_code in {200, 403}
        approval.refresh_from_db()
        assert approval.state == "PROPOSED"


class TestTheQueue:
    def test_waits_then_is_late_in_red_until_somebody_decides(self):
        client, now = door("checker"), clock.now()
        approval = freeze(MerchantFactory(), at=now - timedelta(hours=1))
        home = reverse("admin:index")
        shown = client.get(home).content.decode()
        assert "Emergency freezes wait to be confirmed" in shown
        assert "queue urgent" not in shown

        late = freeze(MerchantFactory(), at=now - timedelta(hours=25))

        shown = client.get(home).content.decode()
        assert shown.index("queue urgent") < shown.index("Emergency freezes are past their time")
        address = reverse("admin:foundation_approval_changelist")
        listed = client.get(f"{address}?kind=merchants.emergency&state=open")
        assert listed.status_code == 200
        for one in (approval, late):
            decide(one, accept=True, at=now)
        assert "Emergency freezes" not in client.get(home).content.decode()


class TestTheInbox:
    ADDRESS = "admin:foundation_approval_changelist"

    def listed(self, query: str) -> list[int]:
        shown = door("checker").get(reverse(self.ADDRESS) + query).context["cl"]
        return [row.pk for row in shown.result_list]

    def test_is_led_by_what_is_frozen_already_oldest_first(self, monkeypatch):
        now = clock.now()
        soon = [
            make.propose(states.FREEZE, MerchantFactory().merchant_no, at=now) for _ in range(3)
        ]
        fresh = freeze(MerchantFactory(), at=now - timedelta(hours=1))
        late = freeze(MerchantFactory(), at=now - timedelta(hours=25))
        led = [late.pk, fresh.pk, *(one.pk for one in soon)]

        assert self.listed("?state=open") == led
        assert self.listed("?state=mine") == led
        assert self.listed("?state=open&kind=merchants.emergency") == led[:2]

        monkeypatch.setattr(ApprovalAdmin, "list_per_page", 2)
        client = door("checker")
        first = client.get(reverse(self.ADDRESS) + "?state=open").context["cl"]
        second = client.get(reverse(self.ADDRESS) + first.next_url).context["cl"]
        back = client.get(reverse(self.ADDRESS) + second.previous_url).context["cl"]
        assert [row.pk for row in first.result_list] == led[:4]
        assert [row.pk for row in second.result_list] == led[4:]
        assert [row.pk for row in back.result_list] == led[:4]

    def test_says_by_when_to_decide_and_not_when_it_ends_in_ten_years(self):
        approval = freeze(MerchantFactory(), at=clock.now())
        page = reverse("admin:foundation_approval_change", args=[approval.pk])
        for address in (page, reverse(self.ADDRESS)):
            shown = door("checker").get(address).content.decode()
            assert "to be decided by" in shown
            assert str(approval.expires_at.year) not in shown
        assert "前决定" in door("auditor", "zh-hans").get(page).content.decode()

"""Proposals about merchants speak in numbers, names and states by their words, in two languages."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from foundation.models import Approval
from foundation.selectors import approval_subject
from foundation.services import approval as approvals
from merchants.models import Merchant
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.merchants import MerchantFactory
from tests.merchants.test_merchant_emergency_services import freeze
from tests.merchants.test_merchant_state_admin import door

pytestmark = pytest.mark.django_db
CODES = re.compile(r"\b(ACTIVE|RESTRICTED|FROZEN|CLOSING|CLOSED)\b")
HASH = re.compile(r"[0-9a-f]{16}")
# What each move starts from.
FROM = {
    states.FREEZE: None,
    states.RESTRICT: None,
    states.RESTORE: "FROZEN",
    states.CLOSE: None,
    states.END: "CLOSING",
    states.EMERGENCY: None,
}


def proposal(action: str, count: int) -> tuple[Approval, list[Merchant]]:
    shops = [MerchantFactory(name=f"山海{number}") for number in range(count)]
    for shop in shops:
        if FROM[action]:
            make.stand(shop.id, str(FROM[action]))
    if action == states.EMERGENCY:
        return freeze(*shops), shops
    return make.propose(action, *[shop.merchant_no for shop in shops]), shops


def shown(approval: Approval, language: str) -> str:
    """Return the proposal's page as text, without the hash of its content."""
    page = reverse("admin:foundation_approval_change", args=[approval.pk])
    html = door("checker", language).get(page).content.decode()
    main = html[html.index("<main") if "<main" in html else 0 :]
    text = re.sub(r"<script.*?</script>|<[^>]*>", " ", main, flags=re.DOTALL)
    return text.replace(approval.content_sha256, "").replace(approval.request_id, "")


class TestAProposal:
    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.parametrize("action", FROM)
    def test_names_merchants_and_states_and_holds_no_code_and_no_hash(
        self, action, count, language
    ):
        approval, shops = proposal(action, count)

        text = shown(approval, language)

        assert not CODES.search(text), CODES.search(text)
        hashed = HASH.search(text)
        assert hashed is None, text[hashed.start() - 200 : hashed.end() + 40]
        for shop in shops:
            assert f"{shop.merchant_no} {shop.name}" in text
        frozen = {"en": "frozen", "zh-hans": "冻结"}[language]
        if "FROZEN" in str(approval.after["merchants"]):
            assert frozen in text

    def test_of_a_long_list_names_the_first_and_leads_to_all(self):
        approval, shops = proposal(states.FREEZE, 25)

        text = shown(approval, "en")

        assert f"{shops[19].merchant_no} {shops[19].name}: active → frozen" in text
        assert shops[20].merchant_no not in text
        assert "and 5 more, on the page of the list" in text
        assert "active 25" in text
        page = reverse("admin:merchants_merchant_moves", args=[approval.pk])
        assert shops[24].merchant_no in door("checker").get(page).content.decode()

    def test_is_refused_a_second_time_by_name(self):
        approval, (shop,) = proposal(states.FREEZE, 1)
        with pytest.raises(approvals.AlreadyProposed, match=f"{shop.merchant_no} {shop.name}"):
            make.propose(states.FREEZE, shop.merchant_no)
        assert approval_subject.about(approval) == f"{shop.merchant_no} {shop.name}"

    @pytest.mark.parametrize("count", [2, 40])
    def test_asks_no_more_of_a_longer_list(self, count, django_assert_max_num_queries):
        approval, _shops = proposal(states.FREEZE, count)
        client = door("checker")
        page = reverse("admin:foundation_approval_change", args=[approval.pk])
        client.get(page)

        with django_assert_max_num_queries(32):
            client.get(page)

"""A merchant reads where its registrations stand, and nothing of anybody else's (REG-11)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels.adapters.registration import Answer, Said
from channels.services import registration_end as ends
from foundation import clock
from tests.api.caller import Caller
from tests.factories import portal
from tests.factories import registration as given
from tests.factories.merchants import MerchantFactory
from tests.factories.registration import AT, clerk

pytestmark = pytest.mark.django_db


def reading(shop: portal.Shop) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(portal.member(shop.merchant, language="en"))
    return client


def listed(shop: portal.Shop) -> str:
    address = reverse("portal:registrations", args=[shop.merchant.id])
    answer = reading(shop).get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def shop() -> portal.Shop:
    return portal.shop(clock.now())


class TestThePortal:
    def test_says_where_each_stands_with_the_words_meant_for_the_merchant(self, shop):
        waits = given.submitted(shop.merchant, given.channel("alipay"))
        given.answered(waits, Answer(Said.PENDING, "risk department looks"))
        given.refused(shop.merchant, given.channel("wechat"), "photo <unclear>")
        given.approved(shop.merchant, given.channel("unionpay"), "8980001")
        taken = given.requested(shop.merchant, given.channel("netsunion"))
        ends.withdraw(
            merchant_id=shop.merchant.id, registration_id=taken.pk, reason="we doubt", by=clerk(),
            at=AT,
        )  # fmt: skip

        text = listed(shop)

        for said in ("photo &lt;unclear&gt;", "8980001", "waits for the channel", "withdrawn"):
            assert said in text
        for kept in ("risk department", "we doubt"):
            assert kept not in text

    def test_shows_nothing_of_another_merchant(self, shop):
        other = MerchantFactory.create()
        given.refused(other, given.channel("wechat"), "not yours")

        assert "No channel was asked" in listed(shop)
        address = reverse("portal:registrations", args=[other.pk])
        assert reading(shop).get(address).status_code in (403, 404)

    def test_turns_pages_and_costs_the_same_for_many(self, shop, monkeypatch):
        monkeypatch.setattr("channels.portal.registration.PAGE", 2)
        given.refused(shop.merchant, given.channel("c0"), "first")
        address, client = (
            reverse("portal:registrations", args=[shop.merchant.id]), reading(shop),
        )  # fmt: skip
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        for number in range(1, 4):
            given.refused(shop.merchant, given.channel(f"c{number}"), f"text {number}")
        with CaptureQueriesContext(connection) as many:
            first = client.get(address)

        assert len(many) == len(few)
        older = client.get(f"{address}?below={first.context['older']}").content.decode()
        assert "first" in older
        assert "text 3" not in older
        assert client.get(f"{address}?below=x").status_code == 200


class TestTheApi:
    def test_answers_the_merchants_own_key(self, shop):
        given.refused(shop.merchant, given.channel("wechat"), "photo unclear")
        given.refused(MerchantFactory.create(), given.channel("wechat"), "not yours")
        caller = Caller(shop.merchant)

        (row,) = caller.get("registrations").json()["items"]
        assert (row["channel"], row["product"], row["state"], row["said"]) == (
            "wechat", "qr", "REFUSED", "photo unclear",
        )  # fmt: skip
        assert Client().get("/api/v1/registrations").status_code == 401

"""The contract decides which modules appear; what is in no table appears for nobody (S1-13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from config.urls import v1
from foundation.models import User
from ledger.selectors import balance as balances
from merchants.contract_modules import DOORS, OF_MONEY, TABLE, Module
from merchants.models import ContractType, Merchant
from merchants.portal import access
from merchants.selectors import contract as contracts
from merchants.services import api_key as api_keys
from tests.factories import paper as papers
from tests.factories import payout, portal
from tests.factories.application import AT
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.merchants.test_access_portal import address, of_a_merchant

BACKEND = "django.contrib.auth.backends.ModelBackend"
MONEY = {name for name, module in DOORS.items() if module in OF_MONEY}
WORDS: dict[str, Any] = {
    "number": "W1", "item_id": 1, "user_id": "00000000-0000-0000-0000-000000000000", "role_id": 1,
    "invitation_id": 1, "token": "x", "confirmation_id": 1, "key_id": 1,
    "endpoint_id": 1, "delivery_id": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def technical() -> Merchant:
    return papers.approved(contract_type="TECHNICAL", products=["qr"])


def pages(client: Any, merchant: Merchant) -> dict[str, int]:
    user = portal.member(merchant)
    user.language = "en"
    user.save()
    client.force_login(user, BACKEND)
    words = WORDS | {"merchant_id": merchant.id}
    return {
        f"portal:{pattern.name}": client.get(address(pattern, **words)).status_code
        for pattern in of_a_merchant()
    }


def calls(client: Any, merchant: Merchant) -> dict[str, Any]:
    key = api_keys.create(merchant=merchant, name="till", scopes=[
        "balances:read", "statements:read", "payments:read", "refunds:read",
        "settlements:read", "withdrawals:read",
    ], at=AT)  # fmt: skip
    found = {}
    for pattern in v1:
        route = str(pattern.pattern)
        route = route.replace("<str:number>", "W1").replace("<str:currency>", "CNY")
        query = {"currency": "CNY"} if pattern.name == "statement_entries" else {}
        headers = {"authorization": f"Bearer {key.token}"}
        found[f"api:{pattern.name}"] = client.get(f"/api/v1/{route}", query, headers=headers)
    return found


class TestTheTable:
    def test_names_every_address_of_portal_and_api(self):
        portal_doors = {f"portal:{pattern.name}" for pattern in of_a_merchant()}
        api_doors = {f"api:{pattern.name}" for pattern in v1}

        assert {door for door in DOORS if not door.startswith("admin:")} == portal_doors | api_doors

    def test_says_of_every_module_under_which_contracts(self):
        assert set(TABLE) == set(Module)
        assert set(DOORS.values()) == set(Module)
        assert all(TABLE[module] == {ContractType.FUNDS_HELD} for module in OF_MONEY)

    def test_opens_no_door_that_is_not_in_it(self):
        assert not contracts.opens("portal:something_new", frozenset(Module))
        assert not contracts.opens("", frozenset(Module))


@pytest.mark.django_db
class TestATechnicalMerchant:
    def test_finds_no_page_of_money(self, client):
        found = pages(client, technical())

        assert {door for door, status in found.items() if status == 403} == {
            door for door in MONEY if door.startswith("portal:")
        }

    def test_reads_why_and_has_no_such_line_in_the_menu(self, client):
        merchant = technical()
        pages(client, merchant)

        home = client.get(reverse("portal:home", args=[merchant.id])).content.decode()
        refused = client.get(reverse("portal:statement", args=[merchant.id])).content.decode()

        assert "Your contract is a technical service" in home
        for name in ("statement", "withdrawals", "bank_accounts", "settlements"):
            assert reverse(f"portal:{name}", args=[merchant.id]) not in home
        assert reverse("portal:api_keys", args=[merchant.id]) in home
        assert "its money is not held here" in refused

    def test_is_refused_by_the_api_with_a_problem(self, client):
        found = calls(client, technical())

        refused = {
            door for door, answer in found.items()
            if answer.status_code == 403 and answer.json()["code"] == "not_in_contract"
        }  # fmt: skip
        assert refused == {door for door in MONEY if door.startswith("api:")} - {
            "api:withdrawal_cancel"
        }  # POST only
        assert found["api:balances"]["content-type"].startswith("application/problem+json")
        assert found["api:me"].status_code == 200
        assert found["api:payments"].status_code == 200

    def test_has_no_lists_of_money_on_its_page_in_the_admin(self, client):
        merchant, other = technical(), papers.approved()
        staff: User = UserFactory(is_staff=True, is_superuser=True, language="en")
        client.force_login(staff, BACKEND)
        page = "admin:merchants_merchant_change"

        without = client.get(reverse(page, args=[merchant.id])).content.decode()
        whole = client.get(reverse(page, args=[other.id])).content.decode()

        for shown in ("admin/settlement/withdrawal/?", "admin/merchants/bankaccount/?"):
            assert shown in whole
            assert shown not in without
        assert "admin/channels/payment/?" in without


@pytest.mark.django_db
class TestWhoHasMoneyHere:
    def test_sees_it_whatever_the_contract_says(self, client, monkeypatch):
        account = payout.payee(500_00)
        monkeypatch.setattr(contracts, "type_of", lambda merchant_id: ContractType.TECHNICAL)

        found = pages(client, account.merchant)

        assert balances.ever_had_money(account.merchant_id)
        assert {door for door, status in found.items() if status == 403} == set()
        assert calls(client, account.merchant)["api:balances"].status_code == 200

    def test_is_nobody_to_whom_nothing_was_ever_booked(self):
        assert not balances.ever_had_money(technical().id)


@pytest.mark.django_db
class TestAMerchantWithFunds:
    def test_finds_every_page(self, client):
        assert 403 not in pages(client, papers.approved()).values()

    def test_is_one_that_came_in_by_a_file_too(self, client):
        merchant = MerchantFactory()

        assert contracts.type_of(merchant.id) == ContractType.FUNDS_HELD
        assert 403 not in pages(client, merchant).values()

    def test_is_asked_one_question_more_and_no_other(self, django_assert_num_queries):
        merchant = papers.approved()

        with django_assert_num_queries(1):
            assert contracts.modules_of(merchant.id) == frozenset(Module)
        assert access.Module is Module

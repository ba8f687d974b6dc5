"""Every declared operation is behind a door of the portal that demands its token (VER-14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from foundation import clock, registries
from merchants.models import (
    ApiKey,
    BankAccount,
    Confirmation,
    CustomRole,
    Invitation,
    Membership,
    PaymentPassword,
    VerificationToken,
    WebhookEndpoint,
)
from merchants.services import api_key as api_keys
from settlement.models import Withdrawal
from settlement.portal.withdrawal_form import new_token
from tests.factories import payout, portal, webhook
from tests.factories.verification import PIN as FACTORY_PIN
from tests.factories.verification import ask, give, member, other, prove, rule

pytestmark = [pytest.mark.django_db, pytest.mark.checking]
BACKEND = "django.contrib.auth.backends.ModelBackend"
PIN = portal.PAYMENT_PASSWORD
STORED = (
    ApiKey,
    BankAccount,
    Confirmation,
    CustomRole,
    Invitation,
    Membership,
    PaymentPassword,
    WebhookEndpoint,
    Withdrawal,
)


@pytest.fixture
def shop() -> portal.Shop:
    made = portal.shop(clock.now())
    made.owner.email, made.owner.language = "owner@example.com", "en"
    made.owner.save()
    return made


def _new_password(shop: portal.Shop, where: str = "payment-password") -> tuple[str, dict[str, Any]]:
    given = {"sign_in_password": portal.PASSWORD, "new": "739206", "again": "739206"}
    return f"/portal/{shop.merchant.id}/{where}", given


def _set(shop: portal.Shop) -> tuple[str, dict[str, Any]]:
    PaymentPassword.objects.filter(user=shop.owner).update(user=portal.member(shop.merchant))
    return _new_password(shop)


def _role(shop: portal.Shop) -> tuple[str, dict[str, Any]]:
    role = CustomRole.objects.create(
        merchant=shop.merchant, name="till", abilities=["manage"], created_at=clock.now()
    )
    return f"roles/{role.id}", {"abilities": ["see_payments"], "active": "on"}


def _key(shop: portal.Shop) -> tuple[str, dict[str, Any]]:
    made = api_keys.create(
        merchant=shop.merchant, name="old", scopes=["balances:read"], networks=[],
        expires_at=None, at=clock.now(),
    )  # fmt: skip
    return f"api-keys/{made.key.id}/new-secret", {"overlap": "0"}


def _person(shop: portal.Shop) -> tuple[str, dict[str, Any]]:
    return f"people/{portal.member(shop.merchant, 'VIEWER').pk}", {"role": "CASHIER"}


def _account(shop: portal.Shop, number: str, **more: str) -> tuple[str, dict[str, Any]]:
    given = {
        "kind": "CORPORATE", "number": number, "holder": shop.merchant.name, "bank_name": "ICBC",
        "bank_code": "", "currency": "CNY", "step": "ask", **more,
    }  # fmt: skip
    return "bank-accounts/new", given


def _withdraw(shop: portal.Shop) -> tuple[str, dict[str, Any]]:
    member = type("Reader", (), {"merchant_id": shop.merchant.id, "user": shop.owner})
    given = {
        "token": new_token(member), "account": str(shop.account.uuid), "amount": "50.00",  # type: ignore[arg-type]
        "step": "ask",
    }  # fmt: skip
    return "withdrawals/new", given


def _confirm(shop: portal.Shop) -> tuple[str, dict[str, Any]]:
    rule("payment_password", "second_person")
    asker = member(merchant=shop.merchant)
    give(ask(asker, clock.now()), clock.now(), payment_password=FACTORY_PIN)
    return f"confirmations/{Confirmation.objects.get().id}", {}


Door = Callable[[portal.Shop], tuple[str, dict[str, Any]]]
DOORS: dict[str, list[Door]] = {
    "withdrawal": [_withdraw],
    "bank_account.add": [lambda shop: _account(shop, "0200003609200012345")],
    "bank_account.change": [
        lambda shop: _account(shop, "0200003609200012345", replaces=str(shop.account.uuid))
    ],
    "api_key.create": [
        lambda shop: (
            "api-keys/new",
            {"name": "till", "scopes": ["balances:read"], "networks": "", "expires_on": ""},
        )
    ],
    "api_key.show": [_key],
    "webhook.create": [
        lambda shop: (
            "webhooks/new",
            {"url": "https://shop.example.com/", "events": [webhook.MERCHANT]},
        )
    ],
    "webhook.show": [
        lambda shop: (
            f"webhooks/{webhook.endpoint(shop.merchant).id}/secret",
            {"overlap": "0"},
        )
    ],
    "payment_password.set": [_set],
    "payment_password.change": [_new_password],
    "payment_password.reset": [lambda shop: _new_password(shop, "payment-password/forgotten")],
    "confirmation": [_confirm],
    "membership.change": [
        _person,
        _role,
        lambda shop: ("roles/new", {"name": "till", "abilities": ["see_payments"]}),
        lambda shop: (
            "people/invite",
            {"name": "Eve", "email": "eve@example.com", "role": "VIEWER"},
        ),
    ],
}
EACH = [(name, number) for name, doors in DOORS.items() for number in range(len(doors))]


def stored() -> list[Any]:
    """Return all that the doors write, but for how often a password was wrong."""
    return [
        sorted(
            str({name: value for name, value in row.items() if name != "failed_count"})
            for row in model.objects.values()
        )
        for model in STORED
    ]


def test_stand_for_all_that_is_declared() -> None:
    assert set(DOORS) == {name for name, _operation in registries.verified_operations.items()}


@pytest.mark.parametrize(("name", "number"), EACH, ids=str)
class TestEachDoor:
    @pytest.fixture
    def door(self, shop: portal.Shop, name: str, number: int) -> tuple[str, dict[str, Any]]:
        where, given = DOORS[name][number](shop)
        if name == "withdrawal":
            payout.fund(shop.merchant, 1000_00)
        return where if where[0] == "/" else f"/portal/{shop.merchant.id}/{where}", given

    def test_demands_the_token_of_its_operation(
        self, shop: portal.Shop, client: Client, door: Any, name: str
    ) -> None:
        address, given = door
        client.force_login(shop.owner, BACKEND)
        before = stored()

        asked = client.post(address, given)
        step = asked.context["step"]
        assert (step.request.operation, step.request.user) == (name, shop.owner)
        unseen = {"sealed": asked.context["sealed"]} if "sealed" in asked.context else given
        unseen |= {"verification": step.request.number, "step": "confirm"}
        client.post(address, unseen)
        client.post(address, unseen | dict.fromkeys(step.form.fields, other(PIN)))
        client.post(address, unseen | {"verification": "x" * 22})
        assert stored() == before
        assert not VerificationToken.objects.exists()

        prove(client, address, given, PIN)
        assert stored() != before
        used = VerificationToken.objects.get()
        assert (used.operation, used.user, used.used_at is None) == (name, shop.owner, False)

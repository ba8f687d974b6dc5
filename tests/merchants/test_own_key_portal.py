"""Keys that a merchant makes itself: proofs first, seen once, renewed with overlap, from where."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from config.errors import DomainError
from foundation import clock
from foundation.models import AuditEvent, History, User
from foundation.services import outbox
from merchants.models import ApiKey, Merchant
from merchants.services import api_key as api_keys
from merchants.services import own_key as own_keys
from tests.factories import portal
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
NOON = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
WANTED = {"name": "till", "scopes": ["balances:read"], "networks": "", "expires_on": ""}


@pytest.fixture
def shop() -> portal.Shop:
    return portal.shop(clock.now())


@pytest.fixture
def owner(shop: portal.Shop, client: Client) -> User:
    """An owner with an e-mail address, signed in."""
    shop.owner.email, shop.owner.language = "owner@example.com", "en"
    shop.owner.save()
    client.force_login(shop.owner, BACKEND)
    return shop.owner


def prove(client: Client, address: str, given: dict[str, object]):
    """Give the payment password and the code of the e-mail, as the page asks for them."""
    answer = client.post(address, given)
    for _n in range(4):
        step = answer.context.get("step") if answer.context else None
        if step is None or answer.context.get("made"):
            return answer
        proofs = {"verification": step.request.number}
        for name in step.form.fields:
            proofs[name] = portal.PAYMENT_PASSWORD if "password" in name else code()
        answer = client.post(address, given | proofs)
    return answer


def code() -> str:
    outbox.drain(inline=True)
    return re.search(r"\b(\d{6})\b", mail.outbox[-1].body)[1]


def call(token: str, address: str = "127.0.0.1") -> int:
    headers = {"authorization": f"Bearer {token}"}
    return Client(REMOTE_ADDR=address).get("/api/v1/balances", headers=headers).status_code


class TestMaking:
    def test_needs_the_proofs_and_shows_the_key_once(self, client, shop, owner) -> None:
        address = reverse("portal:api_key_new", args=[shop.merchant.id])

        asked = client.post(address, WANTED)
        assert asked.context["step"].status.now
        assert not ApiKey.objects.exists()
        shown = prove(client, address, WANTED)

        token = shown.context["made"].token
        assert call(token) == 200
        assert token in shown.content.decode()
        secret = token.partition(".")[2]
        page = client.get(reverse("portal:api_keys", args=[shop.merchant.id])).content.decode()
        assert secret not in page
        assert "till" in page
        for model in (AuditEvent, History):
            assert secret not in str(list(model.objects.values()))
        assert AuditEvent.objects.filter(action="api_key.create").exists()

    def test_is_refused_without_them_and_with_those_of_another_key(
        self, client, shop, owner
    ) -> None:
        address = reverse("portal:api_key_new", args=[shop.merchant.id])
        step = client.post(address, WANTED).context["step"]
        wrong = {"verification": step.request.number}
        wrong |= dict.fromkeys(step.form.fields, "999999")

        client.post(address, WANTED | wrong)
        with pytest.raises(DomainError) as bare:
            own_keys.create(
                merchant_id=shop.merchant.id,
                by=owner,
                token="made up",
                name="till",
                scopes=["balances:read"],
                networks=[],
                expires_at=None,
                at=clock.now(),
            )
        wider = WANTED | {"scopes": ["withdrawals:write"], "verification": step.request.number}
        other = client.post(address, wider).context["step"]

        assert bare.value.code == "verification_token_refused"
        assert other.request.number != step.request.number  # begins anew for another key
        assert not ApiKey.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", ""), ("scopes", []), ("scopes", ["payments:record"]), ("scopes", ["fly"]),
         ("networks", "here"), ("networks", "192.0.2.1/24"), ("networks", "0.0.0.0/0 " * 21),
         ("expires_on", "2020-01-01"), ("expires_on", "tomorrow"), ("name", "x" * 101)],
    )  # fmt: skip
    def test_names_the_field_that_is_wrong(self, client, shop, owner, field, value) -> None:
        address = reverse("portal:api_key_new", args=[shop.merchant.id])

        answer = client.post(address, WANTED | {field: value})

        assert answer.status_code == 200
        assert set(answer.context["form"].errors) == {field}
        assert "step" not in answer.context

    def test_refuses_a_name_that_is_taken(self, client, shop, owner) -> None:
        make(shop.merchant)

        answer = client.post(reverse("portal:api_key_new", args=[shop.merchant.id]), WANTED)

        assert "name" in answer.context["form"].errors

    @pytest.mark.parametrize("role", ["FINANCE", "VIEWER"])
    def test_is_for_who_manages(self, client, shop, role) -> None:
        client.force_login(portal.member(shop.merchant, role), BACKEND)
        key = make(shop.merchant).key

        found = {
            client.get(reverse("portal:api_keys", args=[shop.merchant.id])).status_code,
            client.post(reverse("portal:api_key_new", args=[shop.merchant.id])).status_code,
            client.post(reverse("portal:api_key_off", args=[shop.merchant.id, key.id])).status_code,
        }

        assert found == {403}


class TestRenewing:
    def test_overlaps_for_as_long_as_was_said(self, client, shop, owner) -> None:
        old = make(shop.merchant)
        address = reverse("portal:api_key_rotate", args=[shop.merchant.id, old.key.id])

        shown = prove(client, address, {"overlap": "7"})

        new = shown.context["made"].token
        assert [call(old.token), call(new)] == [200, 200]
        day = timedelta(days=1)
        assert checks(old.token, clock.now() + 6 * day)
        assert not checks(old.token, clock.now() + 7 * day)
        assert checks(new, clock.now() + 7 * day)
        prove(client, address, {"overlap": "0"})
        assert [call(old.token), call(new)] == [401, 401]

    def test_of_another_merchants_key_is_unknown(self, client, shop, owner) -> None:
        theirs = make(MerchantFactory.create())

        for name in ("api_key_rotate", "api_key_off"):
            address = reverse(f"portal:{name}", args=[shop.merchant.id, theirs.key.id])
            assert client.post(address, {"overlap": "0"}).status_code == 404
        assert call(theirs.token) == 200

    def test_of_a_key_that_is_off_is_refused(self, client, shop, owner) -> None:
        made = make(shop.merchant)
        client.post(reverse("portal:api_key_off", args=[shop.merchant.id, made.key.id]))

        assert call(made.token) == 401
        with pytest.raises(api_keys.KeyRefused):
            api_keys.rotate(merchant_id=shop.merchant.id, key_id=made.key.id)


class TestAddress:
    def test_that_is_not_allowed_is_refused_and_noted_once(self, shop) -> None:
        made = make(shop.merchant, networks=["192.0.2.0/24", "2001:db8::/32"])

        assert [call(made.token, "192.0.2.9"), call(made.token, "2001:db8::9")] == [200, 200]
        refused = Client(REMOTE_ADDR="198.51.100.9").get(
            "/api/v1/balances", headers={"authorization": f"Bearer {made.token}"}
        )
        call(made.token, "198.51.100.9")

        assert (refused.status_code, refused.json()["code"]) == (403, "api_key_address")
        assert refused["Content-Type"].startswith("application/problem+json")
        noted = AuditEvent.objects.get(action="api_key.address_refused")
        assert noted.after["address"] == "198.51.100.9"
        assert call(made.token.replace(".", ".x"), "198.51.100.9") == 401  # nothing is told

    def test_cannot_be_told_by_the_caller(self, shop, settings) -> None:
        made = make(shop.merchant, networks=["192.0.2.0/24"])
        headers = {
            "authorization": f"Bearer {made.token}",
            "x-forwarded-for": "192.0.2.9",
            "x-real-ip": "192.0.2.9",
            "forwarded": "for=192.0.2.9",
        }
        ask = lambda: Client().get("/api/v1/balances", headers=headers).status_code  # noqa: E731

        assert ask() == 403
        settings.PROXY_COUNT = 1
        assert ask() == 200
        settings.PROXY_COUNT = 2
        assert ask() == 403


class TestUse:
    def test_is_noted_at_most_every_five_minutes_and_is_no_change(self, shop) -> None:
        made = make(shop.merchant)
        lines = History.objects.filter(table="merchants_api_key").count()

        def used(at: datetime) -> datetime | None:
            api_keys.check(token=made.token, address="192.0.2.7", at=at)
            return ApiKey.objects.get().last_used_at

        assert used(NOON) == NOON
        assert used(NOON + timedelta(minutes=4)) == NOON
        assert used(NOON + timedelta(minutes=5)) == NOON + timedelta(minutes=5)
        assert ApiKey.objects.get().last_used_from == "192.0.2.7"
        assert History.objects.filter(table="merchants_api_key").count() == lines


def make(merchant: Merchant, **more: object) -> api_keys.Issued:
    words = {"name": "till", "scopes": ["balances:read"], "at": NOON} | more
    return api_keys.create(merchant=merchant, **words)


def checks(token: str, at: datetime) -> bool:
    try:
        api_keys.check(token=token, address="192.0.2.7", at=at)
    except api_keys.KeyRefused:
        return False
    return True

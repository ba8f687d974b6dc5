"""Endpoints that a merchant makes itself: proofs first, the secret seen once, tests, sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from config.errors import DomainError
from foundation import clock
from foundation.models import User
from foundation.services import outbox
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.services import own_webhook
from merchants.services import webhook_endpoint as endpoints
from tests.factories import portal
from tests.factories.verification import prove
from tests.factories.webhook import MERCHANT, NO, Ear, endpoint, send, told

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
WANTED = {"url": "https://shop.example.com/hook", "events": [MERCHANT]}
PIN = portal.PAYMENT_PASSWORD


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


def page(shop: portal.Shop, name: str, *words: object) -> str:
    return reverse(f"portal:{name}", args=[shop.merchant.id, *words])


class TestMaking:
    def test_needs_the_proofs_and_shows_the_secret_once(self, client, shop, owner) -> None:
        address = page(shop, "webhook_new")

        assert client.post(address, WANTED).context["step"].status.now
        assert not WebhookEndpoint.objects.exists()
        shown = prove(client, address, WANTED, PIN)

        made = WebhookEndpoint.objects.get()
        assert (made.url, made.events, made.merchant) == (
            "https://shop.example.com/hook", [MERCHANT], shop.merchant,
        )  # fmt: skip
        assert made.secret in shown.content.decode()
        for name, words in (
            ("webhooks", ()),
            ("webhook", (made.id,)),
            ("webhook_secret", (made.id,)),
        ):
            seen = client.get(page(shop, name, *words)).content.decode()
            assert made.url in seen
            assert made.secret.removeprefix("whsec_") not in seen

    def test_is_refused_without_them_and_with_those_of_another_address(
        self, client, shop, owner
    ) -> None:
        address = page(shop, "webhook_new")
        step = client.post(address, WANTED).context["step"]
        elsewhere = WANTED | {"url": "https://evil.example.com/"}

        again = client.post(address, elsewhere | {"verification": step.request.number})
        with pytest.raises(DomainError) as bare:
            own_webhook.create(
                merchant_id=shop.merchant.id, by=owner, token="made up", at=clock.now(), **WANTED
            )

        assert again.context["step"].request.number != step.request.number
        assert bare.value.code == "verification_token_refused"
        assert not WebhookEndpoint.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("url", ""), ("url", "http://shop.example.com/"), ("url", "https://127.0.0.1/"),
         ("url", "https://localhost/"), ("url", "https://shop.example.com:22/"),
         ("url", "https://shop.example.com/" + "a" * 600), ("url", "https://a.example.com/\0"),
         ("events", []), ("events", ["money.lost"]), ("events", ["webhook.test"])],
    )  # fmt: skip
    def test_names_the_field_that_is_wrong(self, client, shop, owner, field, value) -> None:
        answer = client.post(page(shop, "webhook_new"), WANTED | {field: value})

        assert answer.status_code == 200
        assert set(answer.context["form"].errors) == {field}
        assert "step" not in answer.context

    def test_ends_at_five_and_at_the_same_address(self, client, shop, owner) -> None:
        endpoint(shop.merchant, url=WANTED["url"])
        same = client.post(page(shop, "webhook_new"), WANTED)
        for _n in range(4):
            last = endpoint(shop.merchant)
        sixth = client.post(page(shop, "webhook_new"), WANTED | {"url": "https://b.example.com/"})

        assert set(same.context["form"].errors) == set(sixth.context["form"].errors) == {"url"}
        client.post(page(shop, "webhook_remove", last.id))
        fifth = client.post(page(shop, "webhook_new"), WANTED | {"url": "https://b.example.com/"})
        assert "step" in fifth.context

    @pytest.mark.parametrize("role", ["FINANCE", "VIEWER"])
    def test_is_for_who_manages(self, client, shop, role) -> None:
        one = endpoint(shop.merchant)
        client.force_login(portal.member(shop.merchant, role), BACKEND)

        found = {
            client.get(page(shop, "webhooks")).status_code,
            client.post(page(shop, "webhook_new"), WANTED).status_code,
            client.post(page(shop, "webhook_test", one.id)).status_code,
            client.post(page(shop, "webhook_remove", one.id)).status_code,
        }

        assert found == {403}


class TestANewSecret:
    def test_needs_the_proofs_and_overlaps_for_as_long_as_was_said(
        self, client, shop, owner
    ) -> None:
        one = endpoint(shop.merchant)
        old = one.secret

        shown = prove(client, page(shop, "webhook_secret", one.id), {"overlap": "7"}, PIN)

        one.refresh_from_db()
        assert one.secret != old
        assert one.secret in shown.content.decode()
        assert (one.previous_secret, one.secret_no) == (old, 2)
        week = one.previous_until - clock.now()
        assert timedelta(days=6, hours=23) < week <= timedelta(days=7)


class TestTheEndpointsPage:
    def test_sends_a_test_event_and_shows_what_came_of_it(self, client, shop, owner) -> None:
        one = endpoint(shop.merchant)
        address = page(shop, "webhook", one.id)

        client.post(page(shop, "webhook_test", one.id))
        client.post(page(shop, "webhook_test", one.id))  # one at a time
        assert "on its way" in client.get(address).content.decode()
        ear = Ear([NO])
        send(ear)
        failed = client.get(address).content.decode()
        send(ear)

        assert WebhookDelivery.objects.get().event == endpoints.TEST
        assert "answered with an error" in failed
        assert "broken" in failed
        assert "delivered" in client.get(address).content.decode()

    def test_pauses_resumes_and_chooses(self, client, shop, owner) -> None:
        one = endpoint(shop.merchant)

        def state() -> tuple[str, str]:
            one.refresh_from_db()
            return one.state, one.paused_by

        client.post(page(shop, "webhook_pause", one.id))
        assert state() == ("PAUSED", "OWNER")
        client.post(page(shop, "webhook_resume", one.id))
        assert state() == ("ACTIVE", "")
        client.post(page(shop, "webhook_events", one.id), {"events": ["bank_account.changed"]})
        one.refresh_from_db()
        assert one.events == ["bank_account.changed"]
        wrong = client.post(page(shop, "webhook_events", one.id), {"events": []})
        assert set(wrong.context["form"].errors) == {"events"}

    def test_does_not_undo_what_the_institution_did(self, client, shop, owner) -> None:
        one = endpoint(shop.merchant)
        endpoints.pause(
            merchant_id=one.merchant_id,
            endpoint_id=one.id,
            by=WebhookEndpoint.PausedBy.STAFF,
            reason="It floods us.",
        )

        said = client.post(page(shop, "webhook_resume", one.id), follow=True).content.decode()

        one.refresh_from_db()
        assert one.state == "PAUSED"
        assert "It floods us." in said
        assert "Who paused it resumes it" in said

    def test_sends_a_delivery_again(self, client, shop, owner) -> None:
        made = told(endpoint(shop.merchant))
        send(Ear())
        again = page(shop, "webhook_replay", made.endpoint_id, made.id)

        assert client.post(again).status_code == 302
        made.refresh_from_db()
        assert (made.state, made.tries) == ("PENDING", 0)
        said = client.post(again, follow=True).content.decode()
        assert "on its way already" in said

    def test_shows_no_delivery_and_no_endpoint_of_another(self, client, shop, owner) -> None:
        theirs, own, second = told(endpoint()), endpoint(shop.merchant), endpoint(shop.merchant)
        mine = told(own)
        second_made = WebhookDelivery.objects.get(endpoint=second)

        for name in ("webhook", "webhook_secret", "webhook_events"):
            assert client.get(page(shop, name, theirs.endpoint_id)).status_code == 404
        for name in ("webhook_test", "webhook_pause", "webhook_resume", "webhook_remove"):
            assert client.post(page(shop, name, theirs.endpoint_id)).status_code == 404
        for endpoint_id, delivery in ((theirs.endpoint_id, theirs), (own.id, theirs),
                                      (own.id, second_made)):  # fmt: skip
            address = page(shop, "webhook_replay", endpoint_id, delivery.id)
            assert client.post(address).status_code == 404
        shown = client.get(page(shop, "webhook", own.id)).content.decode()
        assert mine.public_id in shown
        assert theirs.public_id not in shown

    def test_reads_many_deliveries_page_by_page_in_few_statements(
        self, client, shop, owner, django_assert_max_num_queries
    ) -> None:
        one = endpoint(shop.merchant)
        for _n in range(51):
            told(one)
        address = page(shop, "webhook", one.id)
        client.get(address)

        with django_assert_max_num_queries(14):
            first = client.get(address)
        older = first.context["older"]
        second = client.get(f"{address}?before={older}")

        assert (len(first.context["deliveries"]), len(second.context["deliveries"])) == (50, 1)
        assert client.get(f"{address}?before=x").status_code == 200


class TestTheLetter:
    def test_goes_to_the_owners_while_it_is_paused(self, shop, owner) -> None:
        one = endpoint(shop.merchant)
        told(one)
        send(Ear([NO]))
        WebhookEndpoint.objects.update(failing_since=clock.now() - endpoints.PAUSED_AFTER)
        send(Ear([NO]))

        outbox.drain(inline=True)

        letter = mail.outbox[-1]
        assert letter.to == ["owner@example.com"]
        assert letter.subject == "A webhook endpoint of yours was paused"
        assert one.url in letter.body
        endpoints.tell_owners(merchant_id=one.merchant_id, endpoint_id=one.id)
        endpoints.resume(
            merchant_id=one.merchant_id,
            endpoint_id=one.id,
            by=WebhookEndpoint.PausedBy.OWNER,
        )
        sent = len(mail.outbox)
        endpoints.tell_owners(merchant_id=one.merchant_id, endpoint_id=one.id)
        assert len(mail.outbox) == sent

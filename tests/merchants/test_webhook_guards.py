"""What the product's role cannot do to webhooks by raw SQL."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from foundation import clock
from merchants.models import WebhookDelivery
from merchants.services import webhook_delivery as deliveries
from merchants.services import webhook_endpoint as endpoints
from tests.factories.webhook import Ear, endpoint, send, told
from tests.raw_sql import refused, run

pytestmark = pytest.mark.django_db
DELIVERY = "UPDATE merchants_webhook_delivery SET"
ENDPOINT = "UPDATE merchants_webhook_endpoint SET"


class TestAnEvent:
    @pytest.mark.parametrize(
        "change",
        ["event = 'x'", "object_number = 'x'", "object_state = 'PAID'", "at = now()",
         "amount_minor = 1, currency = 'CNY'", "event_id = gen_random_uuid()", "actor = 'x'",
         "created_at = '2000-01-01'", "merchant_id = merchant_id + 1", "sequence = 7",
         "fence = -1", "sequence = NULL"],
    )  # fmt: skip
    def test_never_changes(self, change: str) -> None:
        told(endpoint())
        send(Ear())

        with refused("webhook_delivery_fixed"):
            run(f"{DELIVERY} {change}")

    def test_is_deleted_neither_young_nor_on_its_way_nor_all_at_once(self) -> None:
        told(endpoint())

        with refused("webhook_delivery_stays"):
            run("DELETE FROM merchants_webhook_delivery")
        send(Ear())
        with refused("webhook_delivery_stays"):
            run("DELETE FROM merchants_webhook_delivery")
        with refused("permission denied|append-only|cannot"):
            run("TRUNCATE merchants_webhook_delivery")

    def test_is_stamped_with_the_databases_clock(self) -> None:
        made = told(endpoint())
        run(
            "INSERT INTO merchants_webhook_delivery (merchant_id, endpoint_id, event_id, event,"
            " object_number, object_state, currency, at, actor, request_id, created_at)"
            " VALUES (%s, %s, gen_random_uuid(), 'x', 'x', 'x', '', now(), 'x', 'x', '2000-01-01')",
            made.merchant_id,
            made.endpoint_id,
        )

        assert not WebhookDelivery.objects.filter(created_at__lt=made.created_at).exists()

    def test_goes_to_no_endpoint_of_another_merchant(self) -> None:
        made, other = told(endpoint()), endpoint()

        with refused("webhook_delivery_endpoint"):
            run(
                "INSERT INTO merchants_webhook_delivery (merchant_id, endpoint_id, event_id, event,"
                " object_number, object_state, currency, at, actor, request_id)"
                " VALUES (%s, %s, gen_random_uuid(), 'x', 'x', 'x', '', now(), 'x', 'x')",
                other.merchant_id,
                made.endpoint_id,
            )

    def test_has_a_number_of_its_own_in_its_endpoint(self) -> None:
        made = told(endpoint())
        told(made.endpoint)
        send(Ear())
        told(made.endpoint)

        with refused("webhook_delivery_sequence"):
            run(f"{DELIVERY} sequence = 1 WHERE sequence IS NULL")

    @pytest.mark.parametrize(
        ("state", "to"),
        [("DELIVERED", "PARKED"), ("DELIVERED", "DROPPED"), ("DROPPED", "PENDING"),
         ("PARKED", "DELIVERED"), ("PENDING", "DELIVERED")],
    )  # fmt: skip
    def test_moves_along_the_table_alone(self, state: str, to: str) -> None:
        made = told(endpoint())
        if state == "DELIVERED":
            send(Ear())
        elif state == "DROPPED":
            endpoints.remove(merchant_id=made.merchant_id, endpoint_id=made.endpoint_id)
        elif state == "PARKED":
            WebhookDelivery.objects.update(state="PARKED", ended_at=Now())

        ended = "NULL" if to == "PENDING" else "now()"
        with refused("webhook_delivery_(illegal_step|unnumbered)"):
            run(f"{DELIVERY} state = '{to}', ended_at = {ended}")

    def test_is_in_hand_with_a_lease_only(self) -> None:
        told(endpoint())

        with refused("webhook_delivery_lease"):
            run(f"{DELIVERY} owner = 'x'")
        assert deliveries.claim(owner="x") is not None
        with refused("webhook_delivery_lease"):
            run(f"{DELIVERY} lease_expires_at = NULL")


class TestAnEndpoint:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ("url = 'https://evil.example.com/'", "webhook_endpoint_fixed"),
            ("uuid = gen_random_uuid()", "webhook_endpoint_fixed"),
            ("place = 2", "webhook_endpoint_fixed"),
            ("last_sequence = -1", "webhook_endpoint_fixed"),
            ("secret_no = 0", "webhook_endpoint_fixed"),
            ("state = 'PAUSED'", "webhook_endpoint_paused_by"),
            ("paused_by = 'STAFF'", "webhook_endpoint_paused_by"),
            ("events = '{}'", "webhook_endpoint_wants_something"),
            ("previous_until = now()", "webhook_endpoint_secret_before_ends"),
        ],
    )
    def test_keeps_its_address_and_its_order(self, change: str, reason: str) -> None:
        endpoint()

        with refused(reason):
            run(f"{ENDPOINT} {change}")

    def test_that_was_removed_stays_removed(self) -> None:
        one = endpoint()
        endpoints.remove(merchant_id=one.merchant_id, endpoint_id=one.id)

        with refused("webhook_endpoint_illegal_step"):
            run(f"{ENDPOINT} state = 'ACTIVE'")
        with refused("permission denied|cannot|refuse"):
            run("DELETE FROM merchants_webhook_endpoint")

    @pytest.mark.parametrize(
        ("place", "url", "reason"),
        [
            (1, "https://b.example.com/", "webhook_endpoint_place"),
            (6, "https://b.example.com/", "webhook_endpoint_at_most"),
            (2, "http://b.example.com/", "webhook_endpoint_https"),
            (2, "https://a.example.com/", "webhook_endpoint_url"),
        ],
    )
    def test_is_one_of_five_over_https(self, place: int, url: str, reason: str) -> None:
        one = endpoint(url="https://a.example.com/")
        insert = (
            "INSERT INTO merchants_webhook_endpoint (merchant_id, uuid, place, url, events, secret,"
            " secret_no, state, paused_by, reason, created_at, last_sequence, failures) VALUES"
            " (%s, gen_random_uuid(), %s, %s, '{x}', 'x', 1, 'ACTIVE', '', '', %s, 0, 0)"
        )

        with refused(reason):
            run(insert, one.merchant_id, place, url, clock.now())

    def test_is_a_merchants_and_begins_active(self) -> None:
        endpoint()
        copied = (
            "INSERT INTO merchants_webhook_endpoint (merchant_id, uuid, place, url, events, secret,"
            " secret_no, state, paused_by, reason, created_at, last_sequence, failures)"
            " SELECT m.id, gen_random_uuid(), 2, e.url, e.events, e.secret, 1, e.state,"
            " e.paused_by, '', now(), 0, 0 FROM merchants_webhook_endpoint e,"
            " merchants_merchant m WHERE m.kind = 'HOUSE'"
        )

        with refused("webhook_endpoint_begins"):
            run(copied)

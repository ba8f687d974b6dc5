"""Events on their way: written with the business, signed, tried again, given up, sent again."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from standardwebhooks import Webhook, WebhookVerificationError

from foundation import clock, registries
from foundation.models import AuditEvent, History, OutboxMessage
from foundation.money import Money
from merchants.models import Merchant, WebhookDelivery, WebhookEndpoint
from merchants.services import merchant_state as states
from merchants.services import webhook_delivery as deliveries
from merchants.services import webhook_endpoint as endpoints
from merchants.services.webhook_delivery import News
from tests.databases import ROOT
from tests.factories import merchant_state
from tests.factories.merchants import MerchantFactory
from tests.factories.webhook import ACCOUNT, MERCHANT, NO, Ear, endpoint, send, told

pytestmark = pytest.mark.django_db
State = WebhookDelivery.State


def refresh(one: WebhookDelivery) -> WebhookDelivery:
    one.refresh_from_db()
    return one


def received(sent: dict, secret: str) -> dict:
    """Read a message as a receiver does, with the library."""
    found: dict = Webhook(secret).verify(sent["body"], sent["headers"])
    return found


class TestTelling:
    def test_writes_for_active_endpoints_that_want_it_and_for_nobody_else(self) -> None:
        wanted, paused, other = endpoint(), endpoint(), endpoint(events=[ACCOUNT])
        endpoints.pause(
            merchant_id=paused.merchant_id,
            endpoint_id=paused.id,
            by=WebhookEndpoint.PausedBy.OWNER,
        )
        stranger = MerchantFactory()
        ids = [wanted.merchant_id, paused.merchant_id, other.merchant_id, stranger.id]

        written = deliveries.tell(
            [News(one, MERCHANT, "M", "FROZEN") for one in ids], at=clock.now()
        )

        assert written == 1
        assert WebhookDelivery.objects.get().endpoint == wanted

    def test_is_one_statement_and_goes_with_the_business(self, django_assert_num_queries) -> None:
        one = endpoint()
        news = [News(one.merchant_id, MERCHANT, str(n), "FROZEN") for n in range(30)]

        with transaction.atomic():
            with django_assert_num_queries(1):
                assert deliveries.tell(news, at=clock.now()) == 30
            transaction.set_rollback(True)  # the business fails

        assert not WebhookDelivery.objects.exists()
        assert deliveries.tell([], at=clock.now()) == 0

    def test_of_what_nobody_declared_is_a_bug(self) -> None:
        with pytest.raises(registries.NotRegistered):
            deliveries.tell([News(1, "money.lost", "M", "X")], at=clock.now())

    def test_reaches_each_endpoint_under_the_same_event_id(self) -> None:
        first = endpoint()
        second = endpoint(first.merchant)
        told(first)

        ids = {(one.endpoint_id, one.event_id) for one in WebhookDelivery.objects.all()}

        assert {endpoint_id for endpoint_id, _id in ids} == {first.id, second.id}
        assert len({event_id for _endpoint, event_id in ids}) == 1

    def test_comes_of_freezing_a_merchant(self) -> None:
        one = endpoint()
        endpoint()  # another merchant's

        merchant_state.move(states.FREEZE, [one.merchant.merchant_no])

        made = WebhookDelivery.objects.get()
        assert (made.endpoint, made.event, made.object_number, made.object_state) == (
            one, MERCHANT, one.merchant.merchant_no, "FROZEN",
        )  # fmt: skip


class TestAMessage:
    def test_is_verified_by_the_library_of_a_receiver(self) -> None:
        one, ear = endpoint(), Ear()
        at = datetime(2026, 3, 3, 4, 5, 6, tzinfo=UTC)
        deliveries.tell([News(one.merchant_id, MERCHANT, "W1", "PAID", Money(50_00, "CNY"))], at=at)

        assert send(ear) == 1

        (sent,) = ear.heard
        assert str(sent["address"]) == one.url
        assert received(sent, one.secret) == {
            "id": sent["headers"]["webhook-id"],
            "type": MERCHANT,
            "timestamp": "2026-03-03T04:05:06Z",
            "sequence": 1,
            "data": {
                "merchant_no": one.merchant.merchant_no,
                "number": "W1",
                "state": "PAID",
                "amount_minor": "5000",
                "currency": "CNY",
            },
        }
        assert sent["headers"]["webhook-key-id"] == "1"
        with pytest.raises(WebhookVerificationError):
            received(sent | {"body": sent["body"].replace(b"5000", b"5001")}, one.secret)
        done = WebhookDelivery.objects.get()
        assert (done.state, done.tries, done.owner) == (State.DELIVERED, 1, "")

    def test_carries_both_signatures_while_a_rotation_overlaps(self) -> None:
        one, ear = endpoint(), Ear()
        old = one.secret
        until = clock.now() + timedelta(days=1)
        key = {"merchant_id": one.merchant_id, "endpoint_id": one.id}
        new = endpoints.rotate(**key, old_until=until).secret
        told(one)

        send(ear)

        assert received(ear.heard[0], old) == received(ear.heard[0], new)
        assert ear.heard[0]["headers"]["webhook-key-id"] == "2 1"
        WebhookEndpoint.objects.update(previous_until=clock.now())
        told(one)
        send(ear)
        assert received(ear.heard[1], new)
        with pytest.raises(WebhookVerificationError):
            received(ear.heard[1], old)
        assert endpoints.rotate(**key, old_until=None).previous_secret is None

    def test_is_numbered_without_gaps_in_each_endpoint(self) -> None:
        first = endpoint()
        second = endpoint(first.merchant, events=[ACCOUNT])
        for state in ("FROZEN", "ACTIVE", "FROZEN"):
            told(first, state)
        told(second, event=ACCOUNT)
        ear = Ear([NO])

        send(ear)
        told(first, "ACTIVE")
        send(ear)

        numbers = WebhookDelivery.objects.order_by("id").values_list("endpoint", "sequence")
        assert list(numbers) == [
            (first.id, 1), (first.id, 2), (first.id, 3), (second.id, 1), (first.id, 4),
        ]  # fmt: skip
        first.refresh_from_db()
        assert (first.last_sequence, first.failures) == (4, 0)


class TestTheWorkedExample:
    def test_of_the_rules_page_takes_a_message_once_and_refuses_a_changed_one(self, capsys) -> None:
        text = (ROOT / "docs/rules/webhooks.md").read_text(encoding="utf-8")
        code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
        names: dict = {}
        exec(code, names)
        one, ear = endpoint(), Ear()
        told(one), send(ear)
        sent = ear.heard[0]

        answers = [names["receive"](one.secret, sent["headers"], sent["body"]) for _n in range(2)]

        assert answers == [204, 204]
        number = one.merchant.merchant_no
        assert capsys.readouterr().out == f"merchant.changed {number} FROZEN\n"
        changed = sent["body"].replace(b"FROZEN", b"ACTIVE")
        assert names["receive"](one.secret, sent["headers"], changed) == 401
        assert set(json.loads(sent["body"])) == {"id", "type", "timestamp", "sequence", "data"}

    def test_names_every_event_that_is_declared(self) -> None:
        text = (ROOT / "docs/rules/webhooks.md").read_text(encoding="utf-8")

        assert {one.name for one in registries.webhook_events} == set(
            re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", text, re.MULTILINE)
        )


class TestAFailure:
    def test_is_tried_again_after_more_and_more_time_for_a_day_at_least(self) -> None:
        made = told(endpoint())
        ear = Ear([NO] * deliveries.MAX_TRIES)
        waited = timedelta(0)

        for tries in range(1, deliveries.MAX_TRIES):
            assert send(ear) == 1
            refresh(made)
            wait = made.next_try_at - made.tried_at
            waited += wait
            assert (made.state, made.tries, made.answer_status) == (State.PENDING, tries, 500)
            assert wait >= timedelta(seconds=deliveries.BACKOFF_SECONDS[tries - 1] * 0.9)
        assert timedelta(hours=24) <= waited <= timedelta(hours=36)
        assert send(ear) == 1
        assert refresh(made).state == State.PARKED
        assert (made.answer, made.answer_text) == ("STATUS", "broken")
        assert send(ear) == 0

    def test_leaves_the_receiver_in_peace_for_a_while_only(self) -> None:
        one = endpoint()
        told(one), told(one)
        ear = Ear([NO])

        assert send(ear) == 1  # the second one waits too
        one.refresh_from_db()
        assert one.failing_since is not None
        assert one.waits_until - clock.now() < timedelta(seconds=6)
        assert send(ear, due=False) == 0
        WebhookEndpoint.objects.update(waits_until=None)
        assert send(ear, due=False) == 2  # the second is accepted, so the first is due at once

        assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {State.DELIVERED}
        one.refresh_from_db()
        assert (one.failures, one.failing_since) == (0, None)

    def test_for_days_pauses_the_endpoint_with_a_letter(self) -> None:
        one = endpoint()
        told(one)
        ear = Ear([NO, NO])
        send(ear)
        since = clock.now() - endpoints.PAUSED_AFTER
        WebhookEndpoint.objects.update(failing_since=since)

        send(ear)

        one.refresh_from_db()
        assert (one.state, one.paused_by) == ("PAUSED", "SYSTEM")
        assert OutboxMessage.objects.get(kind=endpoints.LETTER).payload["endpoint_id"] == one.id
        assert AuditEvent.objects.filter(action="webhook.pause").exists()
        assert send(ear) == 0  # what is on its way waits
        endpoints.resume(
            merchant_id=one.merchant_id,
            endpoint_id=one.id,
            by=WebhookEndpoint.PausedBy.OWNER,
        )
        assert send(ear) == 1
        assert WebhookDelivery.objects.get().state == State.DELIVERED

    def test_of_a_sender_that_died_is_counted_and_given_up_in_the_end(self) -> None:
        made = told(endpoint())
        ear = Ear()
        for _n in range(deliveries.MAX_TRIES):
            assert deliveries.claim(owner="dead") is not None
            WebhookDelivery.objects.update(lease_expires_at=Now() - timedelta(seconds=1))

        send(ear)

        assert ear.heard == []
        assert refresh(made).state == State.PARKED


class TestTakingOver:
    def test_gives_a_delivery_to_one_at_a_time_and_ends_with_the_lease(self) -> None:
        made = told(endpoint())
        told(made.endpoint)

        first = deliveries.claim(owner="a")
        assert first is not None
        assert deliveries.claim(owner="b") is None  # not the second delivery either
        WebhookDelivery.objects.filter(id=made.id).update(
            lease_expires_at=Now() - timedelta(seconds=1)
        )
        second = deliveries.claim(owner="b")

        assert second is not None
        assert (second.delivery_id, second.fence) == (made.id, first.fence + 1)
        yes = Ear()()
        assert deliveries.finish(first, yes, at=clock.now()) is False  # too late
        assert refresh(made).owner == "b"
        assert deliveries.finish(second, yes, at=clock.now()) is True
        assert refresh(made).state == State.DELIVERED

    def test_calls_no_more_at_once_than_is_allowed(self, settings) -> None:
        settings.WEBHOOK_SENDERS = 1
        told(endpoint()), told(endpoint())

        assert deliveries.claim(owner="a") is not None
        assert deliveries.claim(owner="b") is None

    def test_of_what_was_removed_meanwhile_writes_nothing(self) -> None:
        made = told(endpoint())
        claimed = deliveries.claim(owner="a")
        endpoints.remove(merchant_id=made.merchant_id, endpoint_id=made.endpoint_id)

        assert deliveries.finish(claimed, Ear()(), at=clock.now()) is False
        assert refresh(made).state == State.DROPPED


class TestSendingAgain:
    def test_sends_the_same_id_number_and_body(self) -> None:
        one, ear = endpoint(), Ear()
        made = told(one)
        send(ear)

        deliveries.replay(merchant_id=made.merchant_id, delivery_id=made.id, at=clock.now())
        with pytest.raises(deliveries.NotReplayable):
            deliveries.replay(merchant_id=made.merchant_id, delivery_id=made.id, at=clock.now())
        send(ear)

        before, after = ear.heard
        assert before["body"] == after["body"]
        assert before["headers"]["webhook-id"] == after["headers"]["webhook-id"]
        assert received(after, one.secret)["sequence"] == 1
        assert AuditEvent.objects.filter(action="webhook.replay").count() == 1


class TestForgetting:
    def test_begins_after_ninety_days_and_not_before(self) -> None:
        one = endpoint()
        told(one), told(one)
        send(Ear())

        assert deliveries.purge(at=clock.now() + deliveries.KEPT - timedelta(minutes=1)) == 0
        assert WebhookDelivery.objects.count() == 2


class TestSecrets:
    def test_stand_nowhere_in_clear(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        one, ear = endpoint(), Ear([NO])
        old = one.secret
        new = endpoints.rotate(
            merchant_id=one.merchant_id, endpoint_id=one.id, old_until=clock.now()
        ).secret
        told(one), send(ear)

        rows = [WebhookEndpoint, WebhookDelivery, AuditEvent, History, OutboxMessage, Merchant]
        kept = json.dumps([list(model.objects.values()) for model in rows], default=str)
        for secret in (old, new):
            for form in (secret, secret.removeprefix("whsec_")):
                assert form not in kept
                assert form not in caplog.text
        assert History.objects.filter(table="merchants_webhook_endpoint").count() == 2

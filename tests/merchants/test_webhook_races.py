"""Several senders at once, and one that dies between sending and writing it down."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from foundation import clock
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.services import webhook_delivery as deliveries
from tests import databases
from tests.factories.webhook import YES, endpoint, receiver, told
from tests.racing import at_once

_DIES = """
import os, django
django.setup()
from merchants.services import webhook_call, webhook_delivery as deliveries
from foundation import clock
def post(**sent):
    webhook_call.post(**sent)
    os._exit(9)
deliveries.send_due(now=clock.now, post=post)
"""


class TestSendersAtOnce:
    def test_send_each_delivery_once_in_order_without_a_transaction_open(
        self, cloned_db: str, settings
    ) -> None:
        settings.WEBHOOK_SENDERS = 4
        shops = [endpoint(), endpoint()]
        for one in shops:
            for _n in range(8):
                told(one)
        heard: list[tuple[str, str]] = []
        busy: set[str] = set()
        lock = threading.Lock()

        def post(**sent):
            url = str(sent["address"])
            assert not connection.in_atomic_block
            with lock:
                assert url not in busy  # one at a time for each endpoint
                busy.add(url)
                heard.append((url, sent["headers"]["webhook-id"]))
            with lock:
                busy.discard(url)
            return YES

        def run() -> None:
            while WebhookDelivery.objects.filter(state="PENDING").exists():
                deliveries.send_due(now=clock.now, post=post)

        ended = at_once(*[run] * 4)

        assert ended == {"done": 4}
        assert len(heard) == len(set(heard)) == 16
        for one in shops:
            rows = WebhookDelivery.objects.filter(endpoint=one).order_by("id")
            assert [row.sequence for row in rows] == list(range(1, 9))
            ids = [row.public_id for row in rows]
            assert [seen for url, seen in heard if url == one.url] == ids

    def test_one_that_dies_after_sending_is_followed_by_another_with_the_same_id(
        self, cloned_db: str, settings
    ) -> None:
        settings.WEBHOOK_LOCAL = True
        with receiver() as (port, received):
            made = told(endpoint(url=f"http://127.0.0.1:{port}/hook"))
            environment = os.environ | {
                "DATABASE_URL": databases.url("DATABASE_URL", cloned_db),
                "DJANGO_SETTINGS_MODULE": "config.settings.test",
                "WEBHOOK_LOCAL": "true",
            }
            died = subprocess.run(
                [sys.executable, "-c", _DIES], cwd=databases.ROOT, env=environment, check=False
            )
            made.refresh_from_db()
            assert (died.returncode, made.state, made.owner != "") == (9, "PENDING", True)
            assert deliveries.send_due(now=clock.now) == 0  # its lease is not over
            WebhookDelivery.objects.update(lease_expires_at=Now() - timedelta(seconds=1))

            assert deliveries.send_due(now=clock.now) == 1

        made.refresh_from_db()
        assert (made.state, made.tries) == ("DELIVERED", 2)
        first, second = received
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == made.public_id


class TestTellingWhileSending:
    def test_waits_for_nobody(self, cloned_db: str) -> None:
        """The business never waits for a sender that has an endpoint in its hands."""
        one = endpoint()
        told(one)
        told_then: list[int] = []

        def post(**sent):
            told_then.append(told(one).id)
            return YES

        deliveries.send_due(now=clock.now, post=post, seconds=0.01)

        assert told_then
        assert WebhookEndpoint.objects.get().last_sequence >= 1

"""Webhooks as staff see them: how they go, never a secret; paused with a reason, sent again."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from foundation.models import AuditEvent
from tests.factories.foundation import UserFactory
from tests.factories.webhook import Ear, endpoint, send, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client: Client) -> Client:
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
    return client


def step(name: str, row: int, what: str) -> str:
    return reverse(f"admin:merchants_webhook{name}_step", args=[row, what])


class TestTheAdmin:
    def test_shows_everything_but_the_secret(self, clerk: Client) -> None:
        made = told(endpoint())
        send(Ear())
        text = ""
        for name, row in (("endpoint", made.endpoint_id), ("delivery", made.id)):
            text += clerk.get(reverse(f"admin:merchants_webhook{name}_changelist")).content.decode()
            for view in ("change", "timeline"):
                address = reverse(f"admin:merchants_webhook{name}_{view}", args=[row])
                answer = clerk.get(address)
                assert answer.status_code == 200
                text += answer.content.decode()

        assert made.endpoint.url in text
        assert made.public_id in text
        assert made.endpoint.secret.removeprefix("whsec_") not in text

    def test_pauses_with_a_reason_and_resumes(self, clerk: Client) -> None:
        one = endpoint()

        clerk.post(step("endpoint", one.id, "pause"), {"reason": ""})
        one.refresh_from_db()
        assert one.state == "ACTIVE"
        clerk.post(step("endpoint", one.id, "pause"), {"reason": "It floods us."})
        one.refresh_from_db()
        assert (one.state, one.paused_by, one.reason) == ("PAUSED", "STAFF", "It floods us.")
        clerk.post(step("endpoint", one.id, "resume"))
        one.refresh_from_db()
        assert (one.state, one.reason) == ("ACTIVE", "")

    def test_sends_a_delivery_again(self, clerk: Client) -> None:
        made = told(endpoint())
        send(Ear())

        clerk.post(step("delivery", made.id, "replay"), {"reason": "asked by telephone"})

        made.refresh_from_db()
        assert made.state == "PENDING"
        assert AuditEvent.objects.get(action="webhook.replay").note == "asked by telephone"

"""Webhooks that a merchant's people keep themselves, what gives something verified."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from foundation import actor
from foundation.models import User
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.services import verification_token as tokens
from merchants.services import webhook_delivery as deliveries
from merchants.services import webhook_endpoint as endpoints
from merchants.services.own_act import consume, managed

CREATE: Final = "webhook.create"  # as verification tokens name it
SHOW: Final = "webhook.show"
OVERLAPS: Final = (timedelta(0), timedelta(days=1), timedelta(days=7), timedelta(days=30))
OWNER: Final = WebhookEndpoint.PausedBy.OWNER


def meant(*, url: str, events: Iterable[str]) -> str:
    """Return how a token names the endpoint that is to be made: its address, and a hash of all."""
    return tokens.payee_of(url, {"url": url, "events": sorted(events)})


def create(
    *, merchant_id: int, by: User, token: str, url: str, events: Iterable[str], at: datetime
) -> WebhookEndpoint:
    """
    Make an endpoint of the merchant's, verified for exactly this one.

    Raises: Forbidden, TokenRefused, AddressMalformed, EndpointMalformed.
    Rule:   WHK-5 (docs/rules/webhooks.md).
    """
    with transaction.atomic():
        merchant = managed(merchant_id, by)
        url, events = endpoints.meant(url=url, events=events)
        consume(merchant_id, by, token, CREATE, meant(url=url, events=events), at)
        return endpoints.create(merchant=merchant, url=url, events=events, at=at)


def rotate(
    *, merchant_id: int, by: User, token: str, endpoint_id: int, overlap: timedelta, at: datetime
) -> WebhookEndpoint:
    """
    Give an endpoint a new secret, verified for exactly this; the old one signs too for `overlap`.

    Raises: NotFound, Forbidden, TokenRefused, EndpointRefused. Rule: WHK-5, WHK-6.
    """
    with transaction.atomic():
        managed(merchant_id, by)
        consume(merchant_id, by, token, SHOW, rotation(endpoint_id, overlap), at)
        until = at + overlap if overlap else None
        return endpoints.rotate(merchant_id=merchant_id, endpoint_id=endpoint_id, old_until=until)


def rotation(endpoint_id: int, overlap: timedelta) -> str:
    """Return how a verification token names the rotation of a secret."""
    return f"{endpoint_id}:{int(overlap.total_seconds())}"


def choose(*, merchant_id: int, by: User, endpoint_id: int, events: Iterable[str]) -> None:
    """Change which events an address that was verified is told of. As endpoints.choose."""
    managed(merchant_id, by)
    endpoints.choose(merchant_id=merchant_id, endpoint_id=endpoint_id, events=events)


def pause(*, merchant_id: int, by: User, endpoint_id: int) -> None:
    """Tell it nothing until it is resumed. Raises NotFound, Forbidden, EndpointRefused."""
    managed(merchant_id, by)
    endpoints.pause(merchant_id=merchant_id, endpoint_id=endpoint_id, by=OWNER)


def resume(*, merchant_id: int, by: User, endpoint_id: int) -> None:
    """Tell it again, unless the institution paused it. As endpoints.resume."""
    managed(merchant_id, by)
    endpoints.resume(merchant_id=merchant_id, endpoint_id=endpoint_id, by=OWNER)


def remove(*, merchant_id: int, by: User, endpoint_id: int) -> None:
    """Remove it for good. Raises NotFound, Forbidden, EndpointRefused."""
    managed(merchant_id, by)
    endpoints.remove(merchant_id=merchant_id, endpoint_id=endpoint_id)


def send_test(*, merchant_id: int, by: User, endpoint_id: int, at: datetime) -> WebhookDelivery:
    """
    Send an event about nothing to one active endpoint; one at a time.

    Raises: NotFound, Forbidden, EndpointRefused. Rule: WHK-14.
    """
    managed(merchant_id, by)
    with transaction.atomic():
        endpoint = endpoints.locked(merchant_id, endpoint_id)
        waiting = WebhookDelivery.objects.filter(
            merchant_id=merchant_id,
            endpoint=endpoint,
            event=endpoints.TEST,
            state=WebhookDelivery.State.PENDING,
        )
        if endpoint.state != WebhookEndpoint.State.ACTIVE:
            raise endpoints.EndpointRefused(
                _("The endpoint is: %(state)s.") % {"state": endpoint.get_state_display()}
            )
        if waiting.exists():
            raise endpoints.EndpointRefused(_("A test event is on its way already."))
        who = actor.current()
        return WebhookDelivery.objects.create(
            merchant_id=merchant_id,
            endpoint=endpoint,
            event_id=uuid.uuid4(),
            event=endpoints.TEST,
            object_number="TEST",
            object_state="TEST",
            at=at,
            actor=who.name,
            request_id=who.request_id,
        )


def replay(*, merchant_id: int, by: User, delivery_id: int, at: datetime) -> WebhookDelivery:
    """Send a delivery again. Raises NotFound, Forbidden, NotReplayable. Rule: WHK-11."""
    managed(merchant_id, by)
    return deliveries.replay(merchant_id=merchant_id, delivery_id=delivery_id, at=at)

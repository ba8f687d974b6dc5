"""Telling merchants' programs: written with the business, sent afterwards, at least once."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor, registries, sql
from foundation.money import Money
from foundation.services import audit
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.services import webhook_address, webhook_call, webhook_signature
from merchants.services import webhook_endpoint as endpoints
from merchants.services.webhook_call import Told

State = WebhookDelivery.State
# After each failure; 27.7 h in all, so with jitter never less than 24 h. Then it is parked.
BACKOFF_SECONDS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200)
MAX_TRIES: Final = len(BACKOFF_SECONDS) + 1
JITTER: Final = 0.1
PEACE: Final = timedelta(minutes=15)  # at most this long a failing receiver is not called at all
LEASE_SECONDS: Final = 90  # above the task's time limit
RUN_SECONDS: Final = 30  # one task sends for so long, then the next one goes on
KEPT: Final = timedelta(days=90)  # merchants/sql/webhook.sql says the same
_PURGE: Final = 1_000  # rows of one transaction
Sender = Callable[..., Told]


class NotReplayable(DomainError):
    """It is on its way already, or its address was removed."""

    code = "webhook_not_replayable"


@dataclass(frozen=True, slots=True)
class News:
    """What happened to one thing of a merchant: its number and its state, and never more."""

    merchant_id: int
    event: str
    number: str
    state: str
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in our hands until its lease ends; `fence` proves that it still is."""

    merchant_id: int
    endpoint_id: int
    delivery_id: int
    fence: int
    tries: int


def tell(news: Sequence[News], *, at: datetime) -> int:
    """
    Write what happened for every active endpoint that wants it; return how many deliveries.

    Called in the transaction of the business, after its other writes: one statement whatever the
    number, which locks nothing that is changed. Rule: WHK-1, WHK-2 (docs/rules/webhooks.md).
    """
    for one in news:
        registries.webhook_events.get(one.event)
    if not news:
        return 0
    by = actor.current()
    amounts = [one.amount for one in news]
    return sql.execute(
        sql.load("merchants", "webhook_tell"),
        {
            "merchants": [one.merchant_id for one in news],
            "ids": [uuid.uuid4() for _one in news],
            "events": [one.event for one in news],
            "numbers": [one.number for one in news],
            "states": [one.state for one in news],
            "amounts": [None if amount is None else amount.minor for amount in amounts],
            "currencies": ["" if amount is None else amount.currency for amount in amounts],
            "at": at,
            "actor": by.name,
            "request_id": by.request_id,
        },
    )


def send_due(
    *,
    now: Callable[[], datetime],
    seconds: float = RUN_SECONDS,
    post: Sender = webhook_call.post,
) -> int:
    """
    Send what is due, one endpoint after the other, until nothing is or time is over; return how
    many calls. Safe to run any number of times at once: an endpoint is called by one at a time, and
    at most WEBHOOK_SENDERS calls are under way. Rule: WHK-8, WHK-9.
    """
    owner = f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        claimed = claim(owner=owner)
        if claimed is None:
            break
        send(claimed, now=now, post=post)
        sent += 1
    return sent


def claim(*, owner: str, lease_seconds: int = LEASE_SECONDS) -> Claimed | None:
    """Take one due delivery for `lease_seconds`, numbered; None when there is none. Rule: WHK-8."""
    with transaction.atomic(durable=True):
        picked = sql.rows(
            sql.load("merchants", "webhook_pick"), {"senders": settings.WEBHOOK_SENDERS}
        )
        if not picked:
            return None
        merchant_id, endpoint_id = picked[0]["merchant_id"], picked[0]["id"]
        endpoint = WebhookEndpoint.objects.get(merchant_id=merchant_id, id=endpoint_id)
        named: dict[str, Any] = {"merchant": merchant_id, "endpoint": endpoint_id}
        sql.execute(
            sql.load("merchants", "webhook_number"), named | {"last": endpoint.last_sequence}
        )
        taken = sql.rows(
            sql.load("merchants", "webhook_take"),
            named | {"owner": owner, "lease_seconds": lease_seconds},
        )
    if not taken:
        return None
    row = taken[0]
    return Claimed(merchant_id, endpoint_id, row["id"], row["fence"], row["tries"])


def send(
    claimed: Claimed, *, now: Callable[[], datetime], post: Sender = webhook_call.post
) -> bool:
    """
    Call the endpoint once, with no transaction open, and write down what came of it.

    Return whether it was written: not when the lease was over and another one has it. Rule: WHK-8.
    """
    delivery = (
        WebhookDelivery.objects.select_related("merchant", "endpoint")
        .filter(merchant_id=claimed.merchant_id, id=claimed.delivery_id, fence=claimed.fence)
        .first()
    )
    if delivery is None or claimed.tries > MAX_TRIES:  # its senders died again and again
        return finish(claimed, Told(WebhookDelivery.Answer.BROKEN), at=now())
    text = webhook_signature.body(delivery)
    headers = webhook_signature.headers(
        endpoint=delivery.endpoint, delivery=delivery, text=text, at=now()
    )
    try:
        address = webhook_address.parse(delivery.endpoint.url)
    except webhook_address.AddressMalformed:  # entered under other settings
        return finish(claimed, Told(WebhookDelivery.Answer.REFUSED), at=now())
    told = post(address=address, body=text.encode(), headers=headers)
    return finish(claimed, told, at=now())


def finish(claimed: Claimed, told: Told, *, at: datetime) -> bool:
    """Write down what came of one call, unless the claim is no longer ours. Rule: WHK-8, WHK-10."""
    accepted = told.answer == WebhookDelivery.Answer.ACCEPTED
    over = accepted or claimed.tries >= MAX_TRIES
    ended = State.DELIVERED if accepted else State.PARKED
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        endpoint = endpoints.locked(claimed.merchant_id, claimed.endpoint_id)
        ours = WebhookDelivery.objects.filter(
            merchant_id=claimed.merchant_id,
            id=claimed.delivery_id,
            fence=claimed.fence,
            state=State.PENDING,
        ).exclude(owner="")
        written = ours.update(
            owner="",
            lease_expires_at=None,
            answer=told.answer,
            answer_status=told.status,
            answer_text=told.text,
            state=ended if over else State.PENDING,
            ended_at=Now() if over else None,
            next_try_at=Now() if over else Now() + backoff(claimed.tries),
        )
        if not written:
            return False
        if accepted:
            _recovered(endpoint)
        else:
            peace = min(backoff(endpoint.failures + 1), PEACE)
            endpoints.failed(endpoint, peace=peace, at=at)
    return True


def backoff(tries: int) -> timedelta:
    """Return how long to wait after so many tries, give or take a tenth. Rule: WHK-10."""
    seconds = BACKOFF_SECONDS[min(max(tries, 1), len(BACKOFF_SECONDS)) - 1]
    return timedelta(seconds=seconds * random.uniform(1 - JITTER, 1 + JITTER))


def _recovered(endpoint: WebhookEndpoint) -> None:
    """Forget the failures; what waited for a later try is due now."""
    if not endpoint.failures:
        return
    endpoints.recovered(endpoint)
    WebhookDelivery.objects.filter(
        merchant_id=endpoint.merchant_id,
        endpoint=endpoint,
        state=State.PENDING,
        owner="",
        next_try_at__gt=Now(),
    ).update(next_try_at=Now())


def replay(
    *, merchant_id: int, delivery_id: int, at: datetime, reason: str = ""
) -> WebhookDelivery:
    """
    Send a delivery again that was given up or had arrived: the same id, number and body.

    Raises: NotFound, NotReplayable. Rule: WHK-11.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        rows = WebhookDelivery.objects.select_related("endpoint")
        found = (
            rows.select_for_update(of=("self",))
            .filter(merchant_id=merchant_id, id=delivery_id)
            .first()
        )
        if found is None:
            raise NotFound(_("There is no such delivery."))
        gone = found.endpoint.state == WebhookEndpoint.State.REMOVED
        if gone or found.state not in (State.DELIVERED, State.PARKED):
            raise NotReplayable(_("It is on its way already, or its address was removed."))
        found.state, found.tries, found.ended_at = State.PENDING, 0, None
        found.next_try_at = at
        found.save(update_fields=["state", "tries", "ended_at", "next_try_at"])
        audit.record(
            merchant_id=merchant_id,
            action="webhook.replay",
            object_kind="webhook_delivery",
            object_id=found.public_id,
            note=reason,
        )
    return found


def purge(*, at: datetime, most: int = 100) -> int:
    """
    Forget what ended and was written more than KEPT ago, and give up what a paused endpoint kept
    waiting so long; in at most `most` small transactions. Return how many were forgotten (WHK-12).
    """
    old, forgotten = at - KEPT, 0
    for _round in range(most):
        with transaction.atomic():
            ids = list(
                WebhookDelivery.objects.filter(created_at__lt=old, owner="")
                .order_by("created_at", "id")
                .values_list("id", flat=True)[:_PURGE]
            )
            rows = WebhookDelivery.objects.filter(id__in=ids, owner="")
            rows.filter(state=State.PENDING).update(state=State.DROPPED, ended_at=Now())
            forgotten += rows.exclude(state=State.PENDING).delete()[0]
        if len(ids) < _PURGE:
            break
    return forgotten

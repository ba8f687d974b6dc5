"""Endpoints of merchants' programs: making them, pausing them, telling the owner that one fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed, NotFound
from foundation import actor, registries
from foundation.services import audit, mail, outbox
from merchants.models import Membership, Merchant, WebhookDelivery, WebhookEndpoint
from merchants.models.webhook_endpoint import MOST
from merchants.services import webhook_address, webhook_signature

State = WebhookEndpoint.State
PausedBy = WebhookEndpoint.PausedBy
TEST: Final = "webhook.test"  # what a merchant has sent to see whether it arrives; always wanted
LETTER: Final = "merchants.tell_of_webhook"
PAUSED_AFTER: Final = timedelta(days=3)  # of failures without one success


class EndpointMalformed(Malformed):
    """Address or events are not what an endpoint can have, in the field it names."""

    code = "webhook_endpoint_malformed"


class EndpointRefused(DomainError):
    """It is not in a state in which this can be done."""

    code = "webhook_endpoint_refused"


def catalogue() -> list[registries.WebhookEvent]:
    """Return the kinds of news to choose from."""
    return [one for one in registries.webhook_events if one.name != TEST]


def meant(*, url: str, events: Iterable[str]) -> tuple[str, list[str]]:
    """Return address and events in their one form. Raises AddressMalformed, EndpointMalformed."""
    known = {one.name for one in catalogue()}
    wanted = sorted(set(events))
    if not wanted or not known.issuperset(wanted):
        raise EndpointMalformed(_("Choose at least one event of the list."), field="events")
    return str(webhook_address.parse(url)), wanted


def create(*, merchant: Merchant, url: str, events: Iterable[str], at: datetime) -> WebhookEndpoint:
    """
    Make an endpoint with a secret of its own.

    Raises: AddressMalformed; EndpointMalformed naming the field. Rule: WHK-2, WHK-3.
    """
    url, events = meant(url=url, events=events)
    with transaction.atomic():
        actor.stamp_transaction()
        Merchant.objects.select_for_update(no_key=True).get(id=merchant.id)  # one after the other
        require_room(merchant_id=merchant.id, url=url)
        taken = set(_live(merchant.id).values_list("place", flat=True))
        made = WebhookEndpoint.objects.create(
            merchant=merchant,
            place=next(one for one in range(1, MOST + 1) if one not in taken),
            url=url,
            events=events,
            secret=webhook_signature.new_secret(),
            created_at=at,
        )
        _record(made, "webhook.create")
    return made


def require_room(*, merchant_id: int, url: str) -> None:
    """Raise EndpointMalformed when there are too many, or one has this address."""
    live = _live(merchant_id)
    if live.filter(url=url).exists():
        raise EndpointMalformed(_("There is an endpoint with this address."), field="url")
    if live.count() >= MOST:
        raise EndpointMalformed(
            _("At most %(most)s endpoints: remove one first.") % {"most": MOST}, field="url"
        )


def rotate(*, merchant_id: int, endpoint_id: int, old_until: datetime | None) -> WebhookEndpoint:
    """
    Give an endpoint a new secret; until `old_until` everything is signed with the old one too.

    Raises: NotFound, EndpointRefused. Rule: WHK-6.
    """
    with _changing(merchant_id, endpoint_id, "webhook.rotate") as found:
        found.previous_secret = found.secret if old_until else None
        found.previous_until = old_until
        found.secret = webhook_signature.new_secret()
        found.secret_no += 1
        found.save(update_fields=["secret", "secret_no", "previous_secret", "previous_until"])
    return found


def choose(*, merchant_id: int, endpoint_id: int, events: Iterable[str]) -> WebhookEndpoint:
    """Change which events are told. Raises NotFound, EndpointRefused, EndpointMalformed."""
    with _changing(merchant_id, endpoint_id, "webhook.choose") as found:
        found.events = meant(url=found.url, events=events)[1]
        found.save(update_fields=["events"])
    return found


def pause(
    *, merchant_id: int, endpoint_id: int, by: WebhookEndpoint.PausedBy, reason: str = ""
) -> WebhookEndpoint:
    """
    Tell it nothing more until it is resumed; what is on its way waits.

    Raises: NotFound, EndpointRefused. Rule: WHK-13.
    """
    with _changing(merchant_id, endpoint_id, "webhook.pause", State.ACTIVE) as found:
        _paused(found, by, reason)
    return found


def resume(*, merchant_id: int, endpoint_id: int, by: WebhookEndpoint.PausedBy) -> WebhookEndpoint:
    """
    Tell it again, what waited first. What the institution paused only the institution resumes.

    Raises: NotFound, EndpointRefused. Rule: WHK-13.
    """
    with _changing(merchant_id, endpoint_id, "webhook.resume", State.PAUSED) as found:
        if (found.paused_by == PausedBy.STAFF) != (by == PausedBy.STAFF):
            raise EndpointRefused(_("Who paused it resumes it: the institution, or the merchant."))
        found.state, found.paused_by, found.reason = State.ACTIVE, "", ""
        found.failures, found.failing_since, found.waits_until = 0, None, None
        found.save()
    return found


def remove(*, merchant_id: int, endpoint_id: int) -> WebhookEndpoint:
    """Remove it for good; what is on its way is dropped. Raises NotFound, EndpointRefused."""
    with _changing(merchant_id, endpoint_id, "webhook.remove") as found:
        found.state, found.paused_by = State.REMOVED, ""
        found.previous_secret = found.previous_until = None
        found.save()
        WebhookDelivery.objects.filter(
            merchant_id=merchant_id,
            endpoint=found,
            state__in=[WebhookDelivery.State.PENDING, WebhookDelivery.State.PARKED],
        ).update(
            state=WebhookDelivery.State.DROPPED, ended_at=Now(), owner="", lease_expires_at=None
        )
    return found


def wanting(*, event: str, merchant_ids: Iterable[int]) -> QuerySet[WebhookEndpoint]:
    """Return the active endpoints of these merchants that want an event, with their merchants."""
    rows = WebhookEndpoint.objects.filter(merchant_id__in=merchant_ids, state=State.ACTIVE)
    return rows.filter(events__contains=[event]).select_related("merchant")


def locked(merchant_id: int, endpoint_id: int) -> WebhookEndpoint:
    """Return an endpoint that nobody else changes until the transaction ends. Raises NotFound."""
    rows = WebhookEndpoint.objects.select_for_update(no_key=True)
    found = rows.filter(merchant_id=merchant_id, id=endpoint_id).first()
    if found is None:
        raise NotFound(_("There is no such endpoint."))
    return found


def failed(endpoint: WebhookEndpoint, *, peace: timedelta, at: datetime) -> None:
    """
    Note on a locked endpoint that a call failed, and leave it in peace for a while; after days
    without one success it is paused, and the owners get a letter. Rule: WHK-10, WHK-13.
    """
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or at
    endpoint.waits_until = at + peace
    endpoint.save(update_fields=["failures", "failing_since", "waits_until"])
    if endpoint.state == State.ACTIVE and at - endpoint.failing_since >= PAUSED_AFTER:
        _paused(endpoint, PausedBy.SYSTEM, "")
        _record(endpoint, "webhook.pause")
        outbox.add(
            LETTER,
            merchant_id=endpoint.merchant_id,
            payload={"merchant_id": endpoint.merchant_id, "endpoint_id": endpoint.id},
        )


def recovered(endpoint: WebhookEndpoint) -> None:
    """Note on a locked endpoint that it answers again."""
    endpoint.failures, endpoint.failing_since, endpoint.waits_until = 0, None, None
    endpoint.save(update_fields=["failures", "failing_since", "waits_until"])


def tell_owners(*, merchant_id: int, endpoint_id: int) -> None:
    """
    Tell every owner who has an e-mail address, in his language, that an endpoint was paused;
    nothing once it is resumed. Raises what the mail server's connection raises.
    """
    endpoint = (
        WebhookEndpoint.objects.select_related("merchant")
        .filter(merchant_id=merchant_id, id=endpoint_id, paused_by=PausedBy.SYSTEM)
        .first()
    )
    owners = Membership.objects.filter(
        merchant_id=merchant_id, role=Membership.Role.OWNER, active=True, user__is_active=True
    ).exclude(user__email="")
    for owner in owners.select_related("user") if endpoint else ():
        mail.send(
            to=owner.user.email,
            language=owner.user.language,
            template="webhook",
            context={"endpoint": endpoint},
        )


def _paused(endpoint: WebhookEndpoint, by: WebhookEndpoint.PausedBy, reason: str) -> None:
    endpoint.state, endpoint.paused_by, endpoint.reason = State.PAUSED, by, reason
    endpoint.save(update_fields=["state", "paused_by", "reason"])


@contextmanager
def _changing(
    merchant_id: int, endpoint_id: int, action: str, only: str = ""
) -> Iterator[WebhookEndpoint]:
    """Give a live endpoint, locked, to one act, and write the act into the audit trail."""
    with transaction.atomic():
        actor.stamp_transaction()
        found = locked(merchant_id, endpoint_id)
        if found.state == State.REMOVED or (only and found.state != only):
            raise EndpointRefused(
                _("The endpoint is: %(state)s.") % {"state": found.get_state_display()}
            )
        yield found
        _record(found, action)


def _live(merchant_id: int) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(merchant_id=merchant_id).exclude(state=State.REMOVED)


def _record(endpoint: WebhookEndpoint, action: str) -> None:
    audit.record(
        merchant_id=endpoint.merchant_id,
        action=action,
        object_kind="webhook_endpoint",
        object_id=str(endpoint.uuid),
        after={
            "url": endpoint.url,
            "events": list(endpoint.events),
            "secret_no": endpoint.secret_no,
            "state": str(endpoint.state),
            "paused_by": str(endpoint.paused_by),
        },
        note=endpoint.reason,
    )

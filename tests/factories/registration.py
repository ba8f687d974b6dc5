"""Channels with their terms, and registrations brought to a state by the services."""

from __future__ import annotations

from datetime import UTC, datetime

from channels.adapters.registration import Answer, Said
from channels.models import Channel, Registration
from channels.services import channel as channels
from channels.services import registration as registrations
from foundation.models import User
from merchants.models import Merchant
from merchants.models.application import Bearer
from tests.factories.foundation import UserFactory

AT = datetime(2026, 3, 9, 4, tzinfo=UTC)


def channel(code: str = "wechat", *registers: str) -> Channel:
    """Return a channel that registers for these kinds of product, `qr` unless said."""
    Channel.objects.get_or_create(code=code, defaults={"created_at": AT})
    return channels.agree(
        code=code,
        registers=registers or ("qr",),
        reviews=Bearer.CHANNEL,
        settles=Bearer.HOUSE,
        bears_loss=Bearer.CHANNEL,
    )


def clerk() -> User:
    """Return a person of operations."""
    user: User = UserFactory(is_staff=True)
    return user


def requested(
    merchant: Merchant, of: Channel, product: str = "qr", at: datetime = AT
) -> Registration:
    """Return a registration that was asked for."""
    return registrations.request(
        merchant_id=merchant.id, channel_id=of.id, product=product, by=clerk(), at=at
    )


def submitted(
    merchant: Merchant,
    of: Channel,
    product: str = "qr",
    at: datetime = AT,
    reference: str = "WX-1",
) -> Registration:
    """Return a registration that waits for its channel."""
    return registrations.submit(
        merchant_id=merchant.id,
        registration_id=requested(merchant, of, product, at).pk,
        reference=reference,
        by=clerk(),
        at=at,
    )


def answered(row: Registration, answer: Answer, at: datetime = AT) -> Registration:
    """Return it with what a person wrote down of the channel's answer."""
    return registrations.query_status(
        merchant_id=row.merchant_id, registration_id=row.pk, by=clerk(), at=at, written=answer
    )


def approved(merchant: Merchant, of: Channel, number: str = "1900001") -> Registration:
    """Return a registration that its channel approved."""
    return answered(submitted(merchant, of), Answer(Said.APPROVED, "", number))


def refused(merchant: Merchant, of: Channel, text: str = "licence unreadable") -> Registration:
    """Return a registration that its channel refused."""
    return answered(submitted(merchant, of), Answer(Said.REFUSED, text))

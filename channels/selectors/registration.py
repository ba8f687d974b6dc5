"""Reading registrations: of a merchant, what may be asked for, and how one came to its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from channels.models import Channel, Registration, RegistrationTransition
from channels.models.registration import ANSWER_WITHIN
from foundation.selectors.house import house_id
from merchants.models import Application, Merchant, ProductGate
from merchants.selectors import application as applications

MOST_SHOWN = 100
_OVER = (
    Registration.State.REFUSED,
    Registration.State.WITHDRAWN,
    Registration.State.ENDED,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A channel and a kind of product a merchant may be registered for, and its latest attempt."""

    channel: Channel
    product: ProductGate
    latest: Registration | None

    @property
    def key(self) -> str:
        """How a form names it."""
        return f"{self.channel.id}:{self.product.code}"

    @property
    def open(self) -> bool:
        """
        Return whether it may be asked for: never asked for, ended, or the merchant has changed
        since and the channel owes no answer (REG-2, REG-9).
        """
        if self.latest is None or self.latest.state in _OVER:
            return True
        waits = self.latest.state == Registration.State.SUBMITTED
        return self.latest.outdated_at is not None and not waits


@dataclass(frozen=True, slots=True)
class Told:
    """
    What a merchant reads of one registration of its own: `said` is what the channel wrote when it
    refused or ended it; neither its words before that nor our reasons are here (REG-11).
    """

    id: int
    channel: str
    channel_name: str
    product: str
    product_code: str
    attempt: int
    state: str
    state_name: str
    channel_merchant_no: str
    requested_at: datetime
    submitted_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    said: str


def in_force(merchant: Merchant) -> bool:
    """Return whether a merchant may be registered anywhere."""
    return merchant.kind == Merchant.Kind.MERCHANT and merchant.status in ("ACTIVE", "RESTRICTED")


def offers(merchant: Merchant) -> list[Offer]:
    """
    Return each product of the merchant's application with each channel that registers for it; all
    kinds of product where a file brought the merchant in. Four statements at most.
    """
    channels = list(Channel.objects.exclude(registers=[]).order_by("code"))
    gates = ProductGate.objects.in_bulk({code for one in channels for code in one.registers})
    application = applications.of_merchant(merchant)
    if application is not None:
        gates = {code: gate for code, gate in gates.items() if code in application.products}
    attempts = Registration.objects.filter(merchant_id=merchant.id).order_by(
        "channel_id", "product_id", "-attempt_no"
    )
    latest = {
        (one.channel_id, one.product_id): one
        for one in attempts.distinct("channel_id", "product_id")
    }
    return [
        Offer(channel, gates[code], latest.get((channel.id, code)))
        for channel in channels
        for code in channel.registers
        if code in gates
    ]


def of_merchant(merchant_id: int) -> Sequence[Registration]:
    """Return the latest registrations of a merchant, latest first, in one statement."""
    rows = Registration.objects.filter(merchant_id=merchant_id)
    return list(rows.select_related("channel", "product").order_by("-id")[:MOST_SHOWN])


def told(*, merchant_id: int, below: int | None, limit: int) -> list[Told]:
    """Return what a merchant reads of its registrations, latest first, in one statement."""
    rows = Registration.objects.filter(merchant_id=merchant_id)
    if below is not None:
        rows = rows.filter(id__lt=below)
    return [_told(row) for row in rows.select_related("channel", "product").order_by("-id")[:limit]]


def _told(row: Registration) -> Told:
    said = row.answer if row.state == Registration.State.REFUSED else ""
    if row.ended_how == Registration.Ended.CHANNEL:
        said = row.end_reason
    return Told(
        id=row.pk,
        channel=row.channel.code,
        channel_name=row.channel.name or row.channel.code,
        product=str(row.product),
        product_code=row.product_id,
        attempt=row.attempt_no,
        state=row.state,
        state_name=row.get_state_display(),
        channel_merchant_no=row.channel_merchant_no,
        requested_at=row.requested_at,
        submitted_at=row.submitted_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        said=said,
    )


def steps(registration: Registration) -> Sequence[RegistrationTransition]:
    """Return how it came to where it stands, first step first."""
    rows = RegistrationTransition.objects.filter(
        merchant_id=registration.merchant_id, registration=registration
    )
    return list(rows.select_related("user").order_by("sequence")[:MOST_SHOWN])


def application_number(registration: Registration) -> str:
    """Return the number of the application it was asked with; "" where a file brought it in."""
    if registration.application_id is None:
        return ""
    found = Application.objects.filter(merchant_id=house_id(), id=registration.application_id)
    return found.values_list("number", flat=True).first() or ""


def number_taken(registration: Registration, number: str) -> bool:
    """Return whether the channel gave this number to another merchant."""
    others = Registration.objects.filter(
        channel_id=registration.channel_id, channel_merchant_no=number
    )
    return others.exclude(merchant_id=registration.merchant_id).exists()


def by_number(number: str, most: int) -> list[Registration]:
    """Return registrations with this number or reference of a channel's, so many of each."""
    whole = Registration.objects.select_related("merchant", "channel", "product")
    found = [
        one
        for column in ("channel_merchant_no", "reference")
        for one in whole.filter(**{column: number})[:most]
    ]
    return list({one.pk: one for one in found}.values())


def overdue_before(at: datetime) -> datetime:
    """Return the moment before which a channel's silence is too long (REG-7)."""
    return at - ANSWER_WITHIN

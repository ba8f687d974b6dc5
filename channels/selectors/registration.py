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
        """Return whether it may be asked for: never asked for, or refused."""
        return self.latest is None or self.latest.state == Registration.State.REFUSED


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


def overdue_before(at: datetime) -> datetime:
    """Return the moment before which a channel's silence is too long (REG-7)."""
    return at - ANSWER_WITHIN

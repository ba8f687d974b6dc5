"""How a channel is asked what became of a registration; for now a person asks each of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation.registries import Registry


class Said(StrEnum):
    """What a channel says of a registration; whatever is not clear is PENDING."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the channel said, in its own words; its number for the merchant when it approved."""

    said: Said
    text: str = ""
    channel_merchant_no: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a channel is asked about: the merchant, the product, and its own reference."""

    channel_code: str
    merchant_no: str
    product: str
    reference: str


class Desk(Protocol):
    """A channel's desk for registrations. It may speak over the network: never in a transaction."""

    def ask(self, submission: Submission, written: Answer | None) -> Answer:
        """Return what the channel says now; `written` is what a person wrote down, if one did."""
        ...


class AskByHand(DomainError):
    """Only a person can ask this channel."""

    code = "registration_ask_by_hand"


@dataclass(frozen=True, slots=True)
class ByHand:
    """A person asked, by telephone, letter or the channel's own website, and wrote it down."""

    def ask(self, submission: Submission, written: Answer | None) -> Answer:
        """Return what was written down. Raises AskByHand where nothing was."""
        if written is None:
            raise AskByHand(
                _("Channel %(channel)s is asked by a person: write down what it says.")
                % {"channel": submission.channel_code}
            )
        return written


MANUAL: Final = "manual"
# By channel code; a channel without a desk of its own is asked by hand.
desks: Registry[Desk] = Registry("registration_desks")


def desk_of(channel_code: str) -> Desk:
    """Return the channel's own desk, else the one of persons."""
    return desks.get(channel_code if channel_code in desks else MANUAL)

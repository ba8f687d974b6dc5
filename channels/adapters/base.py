"""What every channel adapter offers, and the one form in which channels' news reach us."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from config.errors import DomainError
from foundation.money import Money


class Kind(StrEnum):
    """
    What a piece of news means, after the channel's reviewed status map; in doubt it is UNKNOWN.

    CONTENT_DIFFERS: the channel knows the number with other content; as doubtful as UNKNOWN, and
    an alarm. NOT_SENT is ours: it is proved that no byte of the order left this machine.
    """

    SUCCESS = "SUCCESS"
    PROCESSING = "PROCESSING"
    FAILED_CODE = "FAILED_CODE"
    RETURNED = "RETURNED"
    NOT_FOUND = "NOT_FOUND"
    CONTENT_DIFFERS = "CONTENT_DIFFERS"
    UNKNOWN = "UNKNOWN"
    NOT_SENT = "NOT_SENT"


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom to pay; `number` is the account's number in digits. Its repr shows nothing of it."""

    number: str
    holder: str
    bank_name: str

    def __repr__(self) -> str:
        return "<payee>"


@dataclass(frozen=True, slots=True)
class CardElements:
    """Name, card, identity number and telephone of one person. Its repr shows nothing of them."""

    holder: str
    card: str
    identity: str
    phone: str

    def __repr__(self) -> str:
        return "<elements>"


class ElementsSaid(StrEnum):
    """What a channel says of a card's elements; whatever is not clear is UNDECIDED."""

    MATCH = "MATCH"
    DIFFER = "DIFFER"
    UNDECIDED = "UNDECIDED"


class ElementChecker(Protocol):
    """A channel that compares the elements of a bank card with what the bank knows."""

    def check_elements(self, elements: CardElements, order_no: str) -> ElementsSaid:
        """Ask once; a network call. Every doubt is UNDECIDED."""
        ...


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """One order as it is sent: number, amount and payee never change between two sendings."""

    order_no: str
    amount: Money
    payee: Payee


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    One piece of news about one order: what it says, what it means, and its raw bytes.

    What the channel did not say is None or empty. `verified`: its signature fits the raw bytes.
    `doubt` names what made it UNKNOWN.
    """

    kind: Kind
    order_no: str
    received_at: datetime
    raw: bytes = b""
    code: str = ""
    amount: Money | None = None
    payee_hash: str = ""
    channel_no: str = ""
    event_id: str = ""
    doubt: str = ""
    verified: bool = False

    @property
    def sha256(self) -> str:
        """The hash of the raw bytes, as hexadecimal text."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a channel's day file: money that left (PAID) or came back (RETURNED)."""

    line_no: int
    kind: str
    order_no: str
    channel_no: str
    amount: Money
    payee_hash: str
    at: datetime


class NothingLeft(Exception):
    """No byte of the order left this machine: the same order may be sent again as it is."""


class CallbackRefused(DomainError):
    """A callback is not signed by the channel, is too old, or cannot be read."""

    code = "callback_refused"
    http_status = 400


class StatementRefused(DomainError):
    """A day file is not whole or cannot be read; nothing of it is stored."""

    code = "statement_refused"
    http_status = 400


class StatementUnavailable(DomainError):
    """The channel did not give its day file; try again later."""

    code = "statement_unavailable"
    http_status = 503


class Adapter(Protocol):
    """
    A channel as the rest of the house sees it. No method writes anything or opens a transaction.

    `pay_out` and `query_payout` never raise over what the channel did or did not say: whatever is
    doubtful comes back as UNKNOWN. Only `pay_out` may raise NothingLeft.
    """

    success_word: str

    def payee_hash(self, payee: Payee) -> str:
        """Return the text by which this channel's news name that payee."""
        ...

    def pay_out(self, order: PayoutOrder) -> Evidence:
        """Send one order, once. Raises NothingLeft."""
        ...

    def query_payout(self, order_no: str) -> Evidence:
        """Ask what became of an order."""
        ...

    def order_no_of(self, raw: bytes) -> str:
        """Return the order number a callback claims to be about, unverified; empty if none."""
        ...

    def verify_callback(self, *, headers: Mapping[str, str], raw: bytes, at: datetime) -> Evidence:
        """Read a callback. Raises CallbackRefused."""
        ...

    def fetch_statement(self, day: date) -> bytes:
        """Return the day file as it came. Raises StatementUnavailable."""
        ...

    def parse_statement(self, raw: bytes) -> Iterator[StatementLine]:
        """Read a day file, trailer included. Raises StatementRefused."""
        ...

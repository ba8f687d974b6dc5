"""The client of the simulated channel (channels/simulator)."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

import httpx
from django.utils.translation import gettext as _

from channels.adapters.base import (
    CallbackRefused,
    CardElements,
    ElementsSaid,
    Evidence,
    Kind,
    NothingLeft,
    Payee,
    PayoutOrder,
    StatementLine,
    StatementRefused,
    StatementUnavailable,
)
from channels.simulator import protocol
from channels.simulator.engine import SUCCESS_WORD
from channels.simulator.statement import COLUMNS, TOTAL
from config.errors import DomainError
from foundation import clock
from foundation.money import MAX_MINOR, Money

MAX_ANSWER_BYTES: Final = 65_536
MAX_STATEMENT_BYTES: Final = 256 * 1024 * 1024
MAX_ANSWER_SECONDS: Final = 30.0  # from the first byte to the last, below the lease of a payout
MAX_TIME_DIGITS: Final = 12
_ELEMENTS: Final = {
    "ELEMENTS_MATCH": ElementsSaid.MATCH,
    "ELEMENTS_DIFFER": ElementsSaid.DIFFER,
}
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


class Doubtful(Exception):
    """Something about an answer is not as it must be; the message says what."""


class Simulator:
    """One configured connection. What is not in `meanings`, the reviewed map, is UNKNOWN."""

    success_word = SUCCESS_WORD

    def __init__(self, *, config: Mapping[str, Any], meanings: Mapping[str, Kind]) -> None:
        self._keys = protocol.Keys.derive(config["secret"])
        self._meanings = meanings
        names = ("connect_timeout", "read_timeout", "write_timeout")
        timeouts = [float(config[name]) for name in names]
        self._http = _client(os.getpid(), str(config["base_url"]), *timeouts)

    def payee_hash(self, payee: Payee) -> str:
        """Return the keyed digest of account number and holder."""
        return protocol.payee_digest(self._keys.payee, payee.number, payee.holder)

    def pay_out(self, order: PayoutOrder) -> Evidence:
        """Send one order, once. Raises NothingLeft when no connection was made."""
        content = {
            "order_no": order.order_no,
            "amount": order.amount.minor,
            "currency": order.amount.currency,
            "payee": {
                "number": order.payee.number,
                "holder": order.payee.holder,
                "bank_name": order.payee.bank_name,
            },
        }
        body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        try:
            return self._ask("POST", "/payouts", order.order_no, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NothingLeft(repr(error)) from error

    def query_payout(self, order_no: str) -> Evidence:
        """Ask what became of an order."""
        try:
            return self._ask("GET", f"/payouts/{order_no}", order_no, b"")
        except httpx.HTTPError as error:
            return _doubt(order_no, repr(error))

    def check_elements(self, elements: CardElements, order_no: str) -> ElementsSaid:
        """Ask whether the elements of a card belong together; the answer is about exactly these."""
        content = {"order_no": order_no, **asdict(elements)}
        body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        try:
            said = self._ask("POST", "/elements", order_no, body)
        except httpx.HTTPError:
            return ElementsSaid.UNDECIDED
        asked = protocol.elements_digest(self._keys.payee, asdict(elements))
        if said.verified and (said.order_no, said.payee_hash) == (order_no, asked):
            return _ELEMENTS.get(said.code, ElementsSaid.UNDECIDED)
        return ElementsSaid.UNDECIDED

    def order_no_of(self, raw: bytes) -> str:
        """Return the order number a callback claims to be about, unverified."""
        try:
            return _text(json.loads(raw)["order_no"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""

    def verify_callback(self, *, headers: Mapping[str, str], raw: bytes, at: datetime) -> Evidence:
        """Check signature over the raw bytes and age, then read. Raises CallbackRefused."""
        given = {name.lower(): value for name, value in headers.items()}
        timestamp = given.get(protocol.TIMESTAMP.lower(), "")
        signature = given.get(protocol.SIGNATURE.lower(), "")
        text = protocol.callback_text(timestamp, raw)
        if not protocol.verified(self._keys.channel.public_key(), signature, text):
            raise CallbackRefused(_("The callback is not signed by the channel."))
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MAX_TIME_DIGITS):
            raise CallbackRefused(_("The callback carries no time."))
        if abs(at.timestamp() - int(timestamp)) > protocol.WINDOW_SECONDS:
            raise CallbackRefused(_("The callback is too old."))
        try:
            return self._read(raw, received_at=at)
        except Doubtful as error:
            raise CallbackRefused(
                _("The callback cannot be read: %(reason)s") % {"reason": error}
            ) from None

    def fetch_statement(self, day: date) -> bytes:
        """Return the day file as it came. Raises StatementUnavailable."""
        path = f"/statements/{day.isoformat()}.csv"
        nonce = uuid.uuid4().hex
        headers = self._headers("GET", path, nonce, b"")
        try:
            answer, raw = self._exchange("GET", path, b"", headers, MAX_STATEMENT_BYTES)
        except (httpx.HTTPError, Doubtful) as error:
            raise StatementUnavailable(
                _("The channel did not give its day file: %(reason)s") % {"reason": repr(error)}
            ) from error
        if answer.status_code != 200 or not self._signed(answer, raw, nonce):
            raise StatementUnavailable(
                _("The channel did not give its day file: %(reason)s")
                % {"reason": f"HTTP {answer.status_code}"}
            )
        return raw

    def parse_statement(self, raw: bytes) -> Iterator[StatementLine]:
        """Read a day file; its totals must agree with its lines. Raises StatementRefused."""
        if len(raw) > MAX_STATEMENT_BYTES:
            raise StatementRefused(_("The day file is too large."))
        try:
            rows = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise StatementRefused(_("Row 1 of the day file is not its header."))
            yield from self._lines(rows)
        except (UnicodeDecodeError, csv.Error) as error:
            raise StatementRefused(
                _("The day file cannot be read: %(reason)s") % {"reason": error}
            ) from error

    def _lines(self, rows: Iterator[list[str]]) -> Iterator[StatementLine]:
        counts: Counter[tuple[str, str]] = Counter()
        sums: Counter[tuple[str, str]] = Counter()
        totals: dict[tuple[str, str], tuple[int, int]] = {}
        for number, row in enumerate(rows, start=2):
            try:
                if row[0] == TOTAL:
                    _total, kind, count, amount, currency, *_rest = row
                    totals[kind, currency] = (int(count), Money.parse(amount, currency).minor)
                    continue
                line = _line(number, row)
            except (ValueError, IndexError, DomainError) as error:
                raise StatementRefused(
                    _("Row %(row)s of the day file cannot be read: %(reason)s")
                    % {"row": number, "reason": error}
                ) from error
            counts[line.kind, line.amount.currency] += 1
            sums[line.kind, line.amount.currency] += line.amount.minor
            yield line
        if totals != {key: (counts[key], sums[key]) for key in counts}:
            raise StatementRefused(_("The totals of the day file do not agree with its lines."))

    def _ask(self, method: str, path: str, order_no: str, body: bytes) -> Evidence:
        """Send one signed request and read the answer; connection errors pass for `pay_out`."""
        nonce = uuid.uuid4().hex
        headers = self._headers(method, path, nonce, body)
        raw = b""
        try:
            answer, raw = self._exchange(method, path, body, headers, MAX_ANSWER_BYTES)
            if not self._signed(answer, raw, nonce):
                raise Doubtful(f"HTTP {answer.status_code} without a valid signature")
            if answer.status_code >= 500 or answer.status_code == 429:
                raise Doubtful(f"HTTP {answer.status_code}")
            return self._read(raw, received_at=clock.now())
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise
        except httpx.HTTPError as error:
            return _doubt(order_no, repr(error))
        except Doubtful as error:
            return _doubt(order_no, str(error), raw)

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], most: int
    ) -> tuple[httpx.Response, bytes]:
        """Send, and read at most `most` bytes for a bounded time. Raises Doubtful, HTTPError."""
        with self._http.stream(method, path, content=body, headers=headers) as answer:
            raw, until = bytearray(), time.monotonic() + MAX_ANSWER_SECONDS
            for chunk in answer.iter_raw():
                raw += chunk
                if len(raw) > most:
                    raise Doubtful("the answer is too long")
                if time.monotonic() > until:
                    raise Doubtful("the answer does not end")
        return answer, bytes(raw)

    def _headers(self, method: str, path: str, nonce: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        text = protocol.request_text(method, path, timestamp, nonce, body)
        return {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # what is signed is what is read
            protocol.TIMESTAMP: timestamp,
            protocol.NONCE: nonce,
            protocol.SIGNATURE: protocol.sign(self._keys.client, text),
        }

    def _signed(self, answer: httpx.Response, raw: bytes, nonce: str) -> bool:
        timestamp = answer.headers.get(protocol.TIMESTAMP, "")
        text = protocol.answer_text(answer.status_code, timestamp, nonce, raw)
        signature = answer.headers.get(protocol.SIGNATURE, "")
        return protocol.verified(self._keys.channel.public_key(), signature, text)

    def _read(self, raw: bytes, *, received_at: datetime) -> Evidence:
        """Read a verified body; what it means says the reviewed map. Raises Doubtful."""
        try:
            said = json.loads(raw, parse_float=_no_fraction, object_pairs_hook=_named_once)
            order_no, code = _exact(said["order_no"]), _exact(said["code"])
            payee_hash, amount = _exact(said.get("payee_digest", "")), _amount(said)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Doubtful(f"cannot be read: {error!r}") from None
        return Evidence(
            kind=self._meanings.get(code, Kind.UNKNOWN),
            order_no=order_no,
            received_at=received_at,
            raw=raw,
            code=code,
            amount=amount,
            payee_hash=payee_hash,
            channel_no=_text(said.get("channel_no", "")),
            event_id=_text(said.get("event_id", "")),
            doubt="" if code in self._meanings else f"code {code} is not on the map",
            verified=True,
        )


@lru_cache(maxsize=8)
def _client(
    _process: int, base_url: str, connect: float, read: float, write: float
) -> httpx.Client:
    """
    Return the process's HTTP client for one address; it may be shared by threads.

    No connection is used twice: one that the other side closed meanwhile would leave in doubt an
    order that never left.
    """
    return httpx.Client(
        base_url=base_url,
        timeout=httpx.Timeout(connect=connect, read=read, write=write, pool=connect),
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


def _amount(said: Mapping[str, Any]) -> Money | None:
    minor, currency = said.get("amount"), said.get("currency")
    if minor is None and currency is None:
        return None
    if type(minor) is not int or not isinstance(currency, str):
        raise Doubtful("amount or currency is malformed")
    if abs(minor) > MAX_MINOR or not _CURRENCY.fullmatch(currency):
        raise Doubtful("amount or currency is out of range")
    return Money(minor, currency)


def _exact(value: object) -> str:
    """Return a text that is compared: never cut or cleaned into one that fits. Raises Doubtful."""
    text = _text(value)
    if text != value:
        raise Doubtful("a text is missing, too long or not plain")
    return text


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says the same thing twice: readers differ in which one they take."""
    said = dict(pairs)
    if len(said) < len(pairs):
        raise ValueError("a name stands twice")
    return said


def _text(value: object) -> str:
    """Return a text of the channel's as we may keep it: short, and printable ASCII only."""
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text if " " <= letter <= "~")[:64]


def _no_fraction(text: str) -> object:
    raise ValueError(f"{text} is a binary fraction")


def _line(number: int, row: list[str]) -> StatementLine:
    kind, order_no, channel_no, amount, currency, payee_hash, moment = row
    if kind not in ("PAID", "RETURNED"):
        raise ValueError(f"{kind!r} is no kind of movement")
    at = datetime.fromisoformat(moment)
    if at.tzinfo is None:
        raise ValueError("a time without its offset")
    return StatementLine(
        number, kind, order_no, channel_no, Money.parse(amount, currency), payee_hash, at
    )


def _doubt(order_no: str, why: str, raw: bytes = b"") -> Evidence:
    return Evidence(
        kind=Kind.UNKNOWN, order_no=order_no, received_at=clock.now(), raw=raw, doubt=why[:200]
    )

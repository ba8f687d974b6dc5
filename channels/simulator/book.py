"""The simulated channel's own book: what it accepted, refused, really paid and took back."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")  # the channel's day, whatever zone we keep


@dataclass(slots=True)
class Order:
    """One order as the channel knows it; instants are UTC in ISO 8601."""

    order_no: str
    content: str
    amount_minor: int
    currency: str
    payee_digest: str
    channel_no: str
    accepted_at: str
    status: str = "ACCEPTED"  # ACCEPTED, REFUSED, PAID or RETURNED
    code: str = "IN_PROCESS"
    pay_at: float | None = None
    return_at: float | None = None
    paid_at: str | None = None
    returned_at: str | None = None
    submissions: int = 1


class ContentDiffers(Exception):
    """The order number is known with other content."""


@dataclass(slots=True)
class Movement:
    """Money that really moved: kind PAID or RETURNED, for the day file and for the judge."""

    kind: str
    order_no: str
    channel_no: str
    amount_minor: int
    currency: str
    payee_digest: str
    at: str
    extra: dict[str, Any] = field(default_factory=dict)


class Book:
    """
    An append-only file of events, replayed at start; every event is on disk before anybody hears.

    Thread-safe. The same order number with the same content is the same order; with other content
    it raises ContentDiffers. An order is paid at most once, whatever is asked.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._orders: dict[str, Order] = {}
        self._movements: list[Movement] = []
        if path.exists():
            for event in _whole_lines(path):
                self._replay(event)
        self._file = path.open("ab")

    def accept(self, order: Order) -> tuple[Order, bool]:
        """Take an order in; return it and whether it is new. Raises ContentDiffers."""
        with self._lock:
            known = self._orders.get(order.order_no)
            if known is None:
                self._write({"event": "accepted", "order": asdict(order)})
                return self._orders[order.order_no], True
            if known.content != order.content:
                raise ContentDiffers(order.order_no)
            self._write({"event": "submitted", "order_no": order.order_no})
            return known, False

    def refuse(self, order_no: str, code: str) -> None:
        """Note that an order was refused; one that was paid stays paid."""
        with self._lock:
            if self._orders[order_no].status == "ACCEPTED":
                self._write({"event": "refused", "order_no": order_no, "code": code})

    def pay(self, order_no: str) -> bool:
        """Pay an order, once; return whether money moved now."""
        with self._lock:
            if self._orders[order_no].paid_at is not None:
                return False
            self._write({"event": "paid", "order_no": order_no, "at": _now()})
            return True

    def take_back(self, order_no: str) -> bool:
        """Note that the payee's bank sent the money back (退票), once."""
        with self._lock:
            order = self._orders[order_no]
            if order.paid_at is None or order.returned_at is not None:
                return False
            self._write({"event": "returned", "order_no": order_no, "at": _now()})
            return True

    def get(self, order_no: str) -> Order | None:
        """Return an order, after everything that has come due for it has happened."""
        with self._lock:
            order = self._orders.get(order_no)
            if order is not None:
                self._come_due(order)
            return order

    def orders(self) -> list[Order]:
        """Return every order, oldest first."""
        with self._lock:
            for order in self._orders.values():
                self._come_due(order)
            return list(self._orders.values())

    def movements(self, day: date | None = None) -> list[Movement]:
        """Return the money that really moved, of one day of the channel's or all, in order."""
        self.orders()
        with self._lock:
            return [
                movement
                for movement in self._movements
                if day is None or datetime.fromisoformat(movement.at).astimezone(ZONE).date() == day
            ]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _come_due(self, order: Order) -> None:
        moment = datetime.now(UTC).timestamp()
        if order.pay_at is not None and order.pay_at <= moment:
            self.pay(order.order_no)
        if order.return_at is not None and order.return_at <= moment:
            self.take_back(order.order_no)

    def _write(self, event: dict[str, Any]) -> None:
        self._file.write(json.dumps(event, sort_keys=True).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._replay(event)

    def _replay(self, event: dict[str, Any]) -> None:
        if event["event"] == "accepted":
            order = Order(**event["order"])
            self._orders[order.order_no] = order
            return
        order = self._orders[event["order_no"]]
        match event["event"]:
            case "submitted":
                order.submissions += 1
            case "refused":
                order.status, order.code = "REFUSED", event["code"]
            case "paid":
                order.status, order.code, order.paid_at = "PAID", "OK", event["at"]
                self._movements.append(_movement("PAID", order, event["at"]))
            case "returned":
                order.status, order.code = "RETURNED", "RETURNED_BY_BANK"
                order.returned_at = event["at"]
                self._movements.append(_movement("RETURNED", order, event["at"]))


def _movement(kind: str, order: Order, at: str) -> Movement:
    return Movement(
        kind,
        order.order_no,
        order.channel_no,
        order.amount_minor,
        order.currency,
        order.payee_digest,
        at,
    )


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events; a last line that a kill cut off never happened, and is cut off the file."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for line in whole.splitlines():
        yield json.loads(line)


def _now() -> str:
    return datetime.now(UTC).isoformat()

"""What the simulated channel decides: orders, queries, callbacks, returns. No HTTP in here."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from channels.simulator import callbacks, protocol
from channels.simulator.book import Book, ContentDiffers, Order
from channels.simulator.script import CallbackPlan, Rule, Script

SUCCESS_WORD: Final = "SUCCESS"
_STATUS: Final = {
    "OK": "SUCCESS",
    "IN_PROCESS": "PROCESSING",
    "RETURNED_BY_BANK": "RETURNED",
    "ORDER_NOT_FOUND": "NOT_FOUND",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What one request is answered: the status, the truth as JSON, and how it is disturbed."""

    http_status: int
    body: dict[str, Any]
    disturbance: str = "truth"
    latency: float = 0.0


class OrderMalformed(Exception):
    """The body of an order lacks something or has the wrong type."""


class Engine:
    """The channel behind the doors: one book, one script, one clockwork."""

    def __init__(self, *, book: Book, keys: protocol.Keys, callback_url: str = "") -> None:
        self.book, self.keys, self.callback_url = book, keys, callback_url
        self.script = Script()
        self.clockwork = callbacks.Clockwork()
        self.always_call_back = False
        self.cards: set[str] = set()  # digests of the elements of the cards the bank knows

    def pay_out(self, body: bytes) -> Told:
        """Take one order in, do with it what its rule says, and answer."""
        order = self._order(body)
        rule = self.script.take(order.order_no, order.amount_minor)
        if rule.forget:
            return Told(404, _unknown(order.order_no), rule.answer, rule.latency)
        now = time.time()
        order.pay_at = None if rule.pay_after is None else now + rule.pay_after
        order.return_at = None if rule.return_after is None else now + rule.return_after
        if rule.refuse and rule.pay_after == 0:
            order.pay_at = None  # refused for good
        try:
            known, new = self.book.accept(order)
        except ContentDiffers:
            return Told(409, _code(order.order_no, "ORDER_CONTENT_DIFFERS"))
        if new and rule.refuse:
            self.book.refuse(order.order_no, rule.refuse)
        found = self.book.get(known.order_no) or known
        if new:
            self._plan(found, rule)
        return Told(200, self._truth(found), rule.answer, rule.latency)

    def check_elements(self, body: bytes) -> Told:
        """Say whether the elements are those of a card the bank knows; only digests are kept."""
        try:
            given = json.loads(body)
            order_no, digest = str(given["order_no"]), self.digest_of(given)
        except (KeyError, TypeError, ValueError) as error:
            raise OrderMalformed(type(error).__name__) from None
        rule = self.script.take(order_no, 0)
        code = "ELEMENTS_MATCH" if digest in self.cards else "ELEMENTS_DIFFER"
        said = {"order_no": order_no, "code": code, "payee_digest": digest}
        return Told(200, said, rule.answer, rule.latency)

    def digest_of(self, given: Mapping[str, Any]) -> str:
        """Return the digest of elements that came as JSON. Raises KeyError."""
        names = ("holder", "card", "identity", "phone")
        return protocol.elements_digest(self.keys.payee, {name: str(given[name]) for name in names})

    def query(self, order_no: str) -> Told:
        """Answer what became of an order."""
        rule, says = self.script.query(order_no)
        order = self.book.get(order_no)
        if order is None or says == "not_found":
            return Told(404, _unknown(order_no), latency=rule.latency)
        return Told(200, self._truth(order), says, rule.latency)

    def take_back(self, order_no: str) -> bool:
        """Let the payee's bank send the money back now, and say so."""
        returned = self.book.take_back(order_no)
        if returned:
            self.call_back(order_no, CallbackPlan())
        return returned

    def call_back(self, order_no: str, plan: CallbackPlan) -> None:
        """Send one event about an order, once or several times, true or not."""
        event_id = uuid.uuid4().hex
        for number in range(plan.times):
            self.clockwork.after(
                plan.after + 0.01 * number, lambda: self._deliver(order_no, plan, event_id, 0)
            )

    def disturb(self, body: dict[str, Any], disturbance: str) -> dict[str, Any]:
        """Return what is said instead of the truth, where the disturbance is in the content."""
        changed = dict(body)
        if disturbance.startswith("code:"):
            changed["code"] = disturbance.removeprefix("code:")
            changed["status"] = _STATUS.get(changed["code"], "FAILED")
        match disturbance:
            case "other_amount":
                changed["amount"] = int(body.get("amount", 0)) + 1
            case "other_currency":
                changed["currency"] = "USD" if body.get("currency") != "USD" else "CNY"
            case "other_payee":
                changed["payee_digest"] = hashlib.sha256(b"somebody else").hexdigest()
            case "other_order":
                changed["order_no"] = f"{body['order_no']}0"
            case "not_found":
                changed = _unknown(str(body["order_no"]))
        return changed

    def _order(self, body: bytes) -> Order:
        try:
            given = json.loads(body)
            payee = given["payee"]
            number, holder = str(payee["number"]), str(payee["holder"])
            amount, order_no = given["amount"], str(given["order_no"])
            if type(amount) is not int or amount <= 0 or not order_no or not number:
                raise ValueError("amount or number")
            currency = str(given["currency"])
        except (KeyError, TypeError, ValueError) as error:
            raise OrderMalformed(str(error)) from None
        return Order(
            order_no=order_no,
            content=hashlib.sha256(body).hexdigest(),
            amount_minor=amount,
            currency=currency,
            payee_digest=protocol.payee_digest(self.keys.payee, number, holder),
            channel_no=f"S{secrets.token_hex(8).upper()}",
            accepted_at=datetime.now(UTC).isoformat(),
        )

    def _truth(self, order: Order) -> dict[str, Any]:
        return {
            "order_no": order.order_no,
            "channel_no": order.channel_no,
            "amount": order.amount_minor,
            "currency": order.currency,
            "payee_digest": order.payee_digest,
            "status": _STATUS.get(order.code, "FAILED"),
            "code": order.code,
        }

    def _plan(self, order: Order, rule: Rule) -> None:
        """Set the clock for what the rule says about later."""
        for plan in rule.callbacks:
            self.call_back(order.order_no, plan)
        if not self.always_call_back:
            return
        for seconds in (rule.pay_after, rule.return_after):
            if seconds is not None:
                self.call_back(order.order_no, CallbackPlan(after=seconds + 0.05))

    def _deliver(self, order_no: str, plan: CallbackPlan, event_id: str, tries: int) -> None:
        order = self.book.get(order_no)
        truth = self._truth(order) if order is not None else _unknown(order_no)
        said = self.disturb(truth, plan.says)
        if not self.callback_url:
            return
        body = json.dumps(said | {"event_id": event_id}, sort_keys=True).encode()
        if plan.says == "garbage":
            body = b"\x00 not json"
        timestamp = str(int(time.time()) - (3600 if plan.says == "stale" else 0))
        headers = {protocol.TIMESTAMP: timestamp}
        if plan.says != "unsigned":
            text = protocol.callback_text(timestamp, body)
            key = self.keys.client if plan.says == "forged" else self.keys.channel
            headers[protocol.SIGNATURE] = protocol.sign(key, text)
        answer = callbacks.deliver(self.callback_url, body, headers)
        pauses = callbacks.RETRY_SECONDS
        if answer != SUCCESS_WORD and plan.says == "truth" and tries < len(pauses):
            again = pauses[tries]
            self.clockwork.after(again, lambda: self._deliver(order_no, plan, event_id, tries + 1))


def _unknown(order_no: str) -> dict[str, Any]:
    return _code(order_no, "ORDER_NOT_FOUND") | {"status": "NOT_FOUND"}


def _code(order_no: str, code: str) -> dict[str, Any]:
    return {"order_no": order_no, "status": "FAILED", "code": code}


def callback_from(given: Mapping[str, Any]) -> CallbackPlan:
    """Read a callback to send from JSON."""
    return CallbackPlan(
        after=float(given.get("after", 0)),
        says=str(given.get("says", "truth")),
        times=int(given.get("times", 1)),
    )

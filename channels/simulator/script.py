"""How the simulated channel misbehaves: rules for the next orders, given over HTTP by tests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Final

# What an answer, a query's answer or a callback may say instead of the truth.
DISTURBANCES: Final = frozenset(
    {
        "truth",
        "timeout",
        "reset",
        "garbage",
        "empty",
        "http_500",
        "http_429",
        "unsigned",
        "forged",
        "stale",
        "not_found",
        "other_amount",
        "other_currency",
        "other_payee",
        "other_order",
    }
)


class RuleMalformed(Exception):
    """A rule names something the simulator does not know, or gives it the wrong type."""


@dataclass(frozen=True, slots=True)
class CallbackPlan:
    """
    One callback to come: `says` is a disturbance or `code:<CODE>`; `times` repeats the same event.
    """

    after: float = 0.0
    says: str = "truth"
    times: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What happens to the next orders whose number fits the pattern and, if given, the amount.

    `forget`: the order never reaches the book. `refuse`: the book says no, with that code.
    `pay_after`: seconds until the money really moves (0 at once, None never); together with
    `refuse` the failure is followed by a success. `return_after`: seconds until the bank sends it
    back. `answer` and `queries` (one each in turn, then the truth) are what we are told: a
    disturbance or `code:<CODE>`. `latency` delays each answer. `times`: how many orders, None all.
    """

    order_no: str = "*"
    amount_minor: int | None = None
    times: int | None = 1
    latency: float = 0.0
    forget: bool = False
    refuse: str = ""
    pay_after: float | None = 0.0
    return_after: float | None = None
    answer: str = "truth"
    queries: tuple[str, ...] = ()
    callbacks: tuple[CallbackPlan, ...] = ()

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Rule:
        """Read a rule from JSON. Raises RuleMalformed."""
        known = {item.name for item in fields(cls)}
        if unknown := set(given) - known:
            raise RuleMalformed(f"unknown: {', '.join(sorted(unknown))}")
        values = dict(given)
        try:
            values["queries"] = tuple(values.get("queries", ()))
            plans = tuple(CallbackPlan(**plan) for plan in values.get("callbacks", ()))
        except TypeError as error:
            raise RuleMalformed(str(error)) from None
        rule = cls(**values | {"callbacks": plans})
        for says in (rule.answer, *rule.queries, *(plan.says for plan in plans)):
            if says not in DISTURBANCES and not says.startswith("code:"):
                raise RuleMalformed(f"unknown: {says}")
        return rule

    def fits(self, order_no: str, amount_minor: int) -> bool:
        """Return whether this rule is for that order."""
        return fnmatchcase(order_no, self.order_no) and self.amount_minor in (None, amount_minor)


ORDINARY: Final = Rule(times=None)


@dataclass(slots=True)
class Script:
    """The rules that wait for orders, and those that took hold of one. Thread-safe."""

    default: Rule = ORDINARY
    _waiting: list[Rule] = field(default_factory=list)
    _taken: dict[str, Rule] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rules: list[Rule]) -> None:
        """Add rules behind those that wait."""
        with self._lock:
            self._waiting += rules

    def clear(self) -> None:
        """Forget every rule; orders that one took hold of behave ordinarily from now on."""
        with self._lock:
            self._waiting.clear()
            self._taken.clear()

    def take(self, order_no: str, amount_minor: int) -> Rule:
        """Return the rule of a new order: the first that fits, used up once."""
        with self._lock:
            if order_no in self._taken:
                return self._taken[order_no]
            rule = next(
                (rule for rule in self._waiting if rule.fits(order_no, amount_minor)), self.default
            )
            if rule is not self.default and rule.times is not None:
                place = self._waiting.index(rule)
                if rule.times > 1:
                    self._waiting[place] = replace(rule, times=rule.times - 1)
                else:
                    del self._waiting[place]
            self._taken[order_no] = rule
            return rule

    def query(self, order_no: str) -> tuple[Rule, str]:
        """Return the order's rule, and what this query is to be told."""
        with self._lock:
            rule = self._taken.get(order_no, self.default)
            asked = self._asked.get(order_no, 0)
            self._asked[order_no] = asked + 1
            return rule, rule.queries[asked] if asked < len(rule.queries) else "truth"

"""A simulated payout channel for each trial, and the judge of what we say was paid."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from settlement.models import PayoutAttempt
from tests.factories import payout as make
from tests.factories import simulator as simulators


class Bank:
    """A simulated channel per trial, and its judgement of ours."""

    def __init__(self, folder: Path, rules: Sequence[Mapping[str, object]] = ()) -> None:
        self.folder, self.rules, self.trials = folder, rules, itertools.count()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Run a channel with an empty book that treats the next orders as the rules say."""
        with simulators.running(self.folder / f"{next(self.trials)}") as self.channel:
            make.address(self.channel.url)
            for rule in self.rules:
                self.channel.rule(**rule)
            yield

    def judge(self) -> list[str]:
        """Return where its book and ours differ, and every order handed in or paid twice."""
        book = self.last_book = self.channel.book()
        paid = Counter((row["order_no"], row["amount_minor"]) for row in book["movements"])
        ours = PayoutAttempt.objects.filter(paid_at__isnull=False)
        said = Counter(ours.values_list("number", "amount_minor"))
        wrong = [f"paid twice: {order}" for order, times in paid.items() if times > 1]
        wrong += [f"the channel paid {paid}, we say {said}"] if paid != said else []
        orders = Counter(row["order_no"].rpartition("-")[0] for row in book["orders"])
        return wrong + [f"two orders: {number}" for number, times in orders.items() if times > 1]

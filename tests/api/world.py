"""A shop that has one of everything, and its program."""

from __future__ import annotations

from pathlib import Path

from foundation import clock
from tests.api.caller import Caller, wish
from tests.factories import payout as make
from tests.factories import portal, registration


class World:
    """A shop that has one of everything, and its program."""

    def __init__(self, folder: Path, *, days: int = 3) -> None:
        at = clock.now()
        self.shop = portal.shop(at)
        settled = range(days + 4, -1, -1)
        portal.trade(self.shop, folder, at, days=days + 6, per_day=3, settled=settled)
        make.fund(self.shop.merchant, 1_000_00)
        self.owner = Caller(self.shop.merchant)
        for number in range(6):
            registration.requested(self.shop.merchant, registration.channel(f"c{number}"))
        for number in range(days):
            body = wish(self.shop.account, order_no=f"A-{number}")
            asked = self.owner.post("withdrawals", body, key=f"w{number}")
            assert asked.status_code == 201, asked.content
        self.numbers = {
            "currency": "CNY",
            "payment": self._first("payments", "payment_no"),
            "refund": self._first("refunds", "refund_no"),
            "settlement": self._first("settlement-batches", "number"),
            "withdrawal": self._first("withdrawals", "number"),
        }

    def _first(self, path: str, name: str) -> str:
        return str(self.owner.get(path).json()["items"][0][name])

"""`balances`: where every merchant's money is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from foundation.command import JsonCommand
from settlement.selectors import merchant_balance


class Command(JsonCommand):
    """Reads only, one snapshot, streamed. Amounts are minor units (docs/rules/settlement.md)."""

    help = "List every merchant's balances by currency."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"]:
            self._as_json()
        else:
            self._as_table()

    def _as_json(self) -> None:
        mark = "["
        for row in merchant_balance.stream():
            self.stdout.write(mark + json.dumps(asdict(row)), ending="")
            mark = ",\n "
        self.stdout.write("[]" if mark == "[" else "]")

    def _as_table(self) -> None:
        names = ("pending", "available", "held", "reserve", "debt", "paid_out", "payout_fees")
        head = "".join(f"{name:>15}" for name in (*names, "waiting"))
        self.stdout.write(f"{'merchant_no':<24} {'cur':<4}{head}")
        for row in merchant_balance.stream():
            values = [*(getattr(row, name) for name in names), row.waiting_refunds]
            amounts = "".join(f"{value:>15}" for value in values)
            self.stdout.write(f"{row.merchant_no:<24} {row.currency:<4}{amounts}")

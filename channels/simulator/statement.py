"""The simulated channel's day file: one line per movement, then a trailer per kind and currency."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from channels.simulator.book import Movement
from foundation.money import Money

COLUMNS: Final = ("kind", "order_no", "channel_no", "amount", "currency", "payee_digest", "at")
TOTAL: Final = "TOTAL"


def write(movements: Iterable[Movement]) -> bytes:
    """Return the file: amounts in major units, at the end `TOTAL,kind,count,sum,currency`."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(COLUMNS)
    totals: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for movement in movements:
        amount = Money(movement.amount_minor, movement.currency).major
        out.writerow(
            [
                movement.kind,
                movement.order_no,
                movement.channel_no,
                amount,
                movement.currency,
                movement.payee_digest,
                movement.at,
            ]
        )
        total = totals[movement.kind, movement.currency]
        total[0] += 1
        total[1] += movement.amount_minor
    for (kind, currency), (count, minor) in sorted(totals.items()):
        out.writerow([TOTAL, kind, count, Money(minor, currency).major, currency, "", ""])
    return text.getvalue().encode()

"""The demo's summary table: what came in, what it cost, where it went, and whether it adds up."""

from __future__ import annotations

from typing import Final

from foundation import sql
from foundation.money import Money

# Each row: what it is, how many, and how much in minor units (or nothing). Without an order a
# parallel plan gives the rows as they come.
_FIGURES: Final = """
SELECT 1 AS place, 'payments' AS what, count(*) AS n, sum(amount_minor)::bigint AS minor
            FROM channels_payment
UNION ALL SELECT 2, 'refunds', count(*), sum(amount_minor)::bigint FROM channels_refund
UNION ALL SELECT 3, 'fees', count(*) FILTER (WHERE fee_minor > 0), sum(fee_minor)::bigint
            FROM channels_pricing
UNION ALL SELECT 4, 'settled (items)', count(*), sum(net_minor)::bigint FROM settlement_item
           WHERE posted_at IS NOT NULL
UNION ALL SELECT 5, 'paid out', count(*), sum(amount_minor)::bigint FROM settlement_withdrawal
           WHERE status = 'PAID'
UNION ALL SELECT 6, 'refused by the channel', count(*), sum(amount_minor)::bigint
            FROM settlement_withdrawal WHERE status = 'FAILED'
UNION ALL SELECT 7, 'unknown, then resolved', count(DISTINCT t.attempt_id), NULL
            FROM settlement_payout_transition t JOIN settlement_payout_attempt a
              ON a.merchant_id = t.merchant_id AND a.id = t.attempt_id
           WHERE t.to_status = 'UNKNOWN' AND a.status IN ('SUCCEEDED', 'FAILED')
UNION ALL SELECT 8, 'still unknown', count(*), NULL FROM settlement_payout_attempt
           WHERE status = 'UNKNOWN'
UNION ALL SELECT 9, 'bank lines booked', count(*), NULL FROM settlement_bank_line
           WHERE state = 'BOOKED'
ORDER BY place"""


def lines(verdict: str) -> list[str]:
    """Return the table, with the verdict of each ledger check behind it."""
    made = ["", f"{'':<28}{'count':>10}{'CNY':>20}", "-" * 58]
    for row in sql.rows(_FIGURES):
        amount = "" if row["minor"] is None else f"{Money(row['minor'], 'CNY').major:>20}"
        made.append(f"{row['what']:<28}{row['n']:>10}{amount}")
    made += ["-" * 58, "ledger checks"]
    made += [f"  {line}" for line in verdict.splitlines()]
    return made

"""I10 of the money-safety rules: refunds never exceed their payment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

_I10: Final = """
SELECT p.merchant_id, p.currency, 'payment ' || p.payment_no AS subject,
       'at most ' || p.amount_minor AS expected, r.total::text AS found
  FROM (SELECT merchant_id, payment_id, sum(amount_minor) AS total FROM channels_refund
         GROUP BY merchant_id, payment_id) r
  JOIN channels_payment p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
 WHERE r.total > p.amount_minor
UNION ALL
SELECT r.merchant_id, r.currency, 'refund ' || r.refund_no,
       'a refund of a payment in ' || coalesce(p.currency, 'this book') || ', behind '
         || coalesce(r.behind, 0), r.currency || ', behind ' || r.refunded_before_minor
  FROM (SELECT f.*, sum(f.amount_minor) OVER (
                 PARTITION BY f.merchant_id, f.payment_id ORDER BY f.refunded_before_minor, f.id
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS behind
          FROM channels_refund f) r
  LEFT JOIN channels_payment p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
 WHERE p.currency IS DISTINCT FROM r.currency
    OR r.refunded_before_minor <> coalesce(r.behind, 0)"""


def refunds_within_payments() -> Iterator[Finding]:
    """I10: the refunds of a payment, whatever their state, never exceed it."""
    for row in sql.rows(_I10):
        yield Finding(check="I10", message="More was refunded than was paid.", **row)

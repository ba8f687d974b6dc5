"""What `verify` asks of clearing: every fact is booked once, as priced, by the right version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.conf import settings

from foundation import csv_intake, sql
from foundation.registries import Finding

_C1: Final = """
SELECT f.merchant_id, f.currency, f.kind || ' ' || f.number AS subject,
       'booked, on the work list, or in a chunk to be cleared' AS expected,
       coalesce(nullif(concat_ws(', ', CASE WHEN f.booked THEN 'booked' END,
         CASE WHEN u.id IS NOT NULL THEN 'on the work list' END,
         CASE WHEN c.id IS NOT NULL THEN 'in chunk ' || c.id END), ''), 'none of them') AS found
  FROM (SELECT p.merchant_id, p.currency, 'payment' AS kind, p.payment_no AS number, p.id,
               p.intake_id, g.id IS NOT NULL AS booked
          FROM channels_payment p
          LEFT JOIN channels_pricing g ON g.merchant_id = p.merchant_id AND g.payment_id = p.id
        UNION ALL
        SELECT r.merchant_id, r.currency, 'refund', r.refund_no, r.id, r.intake_id,
               b.id IS NOT NULL
          FROM channels_refund r
          LEFT JOIN channels_refund_booking b ON b.merchant_id = r.merchant_id
           AND b.refund_id = r.id) f
  LEFT JOIN channels_unpriced u ON u.merchant_id = f.merchant_id AND u.fact_id = f.id
   AND u.fact_kind = upper(f.kind)
  LEFT JOIN channels_chunk c ON c.state = 'NEW' AND c.intake_id = f.intake_id
   AND f.id BETWEEN c.from_id AND c.to_id
 WHERE f.booked::int + (u.id IS NOT NULL)::int + (c.id IS NOT NULL)::int <> 1"""

# The price again, by whole units and the floor, from the version that is kept beside it.
_C2_PAYMENTS: Final = f"""
SELECT g.merchant_id, coalesce(p.currency, '') AS currency,
       'fee of payment ' || coalesce(p.payment_no, g.payment_id::text) AS subject,
       coalesce(w.fee::text, 'a version that holds for it') AS expected,
       g.fee_minor || ' by version ' || g.fee_rule_id AS found
  FROM channels_pricing g
  LEFT JOIN channels_payment p ON p.merchant_id = g.merchant_id AND p.id = g.payment_id
  LEFT JOIN channels_fee_rule r ON r.id = g.fee_rule_id
   AND coalesce(r.merchant_id, p.merchant_id) = p.merchant_id
   AND coalesce(r.product_id, p.product_id) = p.product_id
   AND coalesce(r.channel_id, p.channel_id) = p.channel_id
   AND r.currency IN ('', p.currency)
   AND r.effective_from <= (p.captured_at AT TIME ZONE %(zone)s)::date
  LEFT JOIN {csv_intake.CURRENCIES} ON currency.code = p.currency
  LEFT JOIN LATERAL (
    SELECT least(p.amount_minor, greatest(round(r.minimum * u.unit), least(round(r.cap * u.unit),
             floor(p.amount_minor * r.rate_percent * 0.01 + 0.5) + round(r.fixed * u.unit)))) AS fee
      FROM (SELECT power(10::numeric, currency.exponent) AS unit) u) w ON r.id IS NOT NULL
 WHERE w.fee IS DISTINCT FROM g.fee_minor"""

# A better version that was there well before the clearing. An hour, since a version's time is when
# its import began, and clearing sees it when that has ended.
_C2_VERSIONS: Final = """
SELECT t.merchant_id, t.currency,
       'version of ' || t.payments || ' payments of ' || t.day AS subject,
       'version ' || b.id AS expected, 'version ' || t.fee_rule_id AS found
  FROM (SELECT p.merchant_id, p.product_id, p.channel_id, p.currency, g.fee_rule_id, c.cleared_at,
               (p.captured_at AT TIME ZONE %(zone)s)::date AS day, count(*) AS payments
          FROM channels_pricing g
          JOIN channels_payment p ON p.merchant_id = g.merchant_id AND p.id = g.payment_id
          JOIN channels_chunk c ON c.id = g.chunk_id
         GROUP BY 1, 2, 3, 4, 5, 6, 7) t
 CROSS JOIN LATERAL (
    SELECT r.id FROM channels_fee_rule r
     WHERE (r.merchant_id = t.merchant_id OR r.merchant_id IS NULL)
       AND (r.channel_id = t.channel_id OR r.channel_id IS NULL)
       AND (r.product_id = t.product_id OR r.product_id IS NULL)
       AND r.currency IN ('', t.currency) AND r.effective_from <= t.day
       AND (r.id = t.fee_rule_id OR r.created_at < t.cleared_at - interval '1 hour')
     ORDER BY r.merchant_id IS NULL, r.channel_id IS NULL, r.product_id IS NULL, r.currency = '',
              r.effective_from DESC LIMIT 1) b
 WHERE b.id <> t.fee_rule_id"""

_C2_REFUNDS: Final = """
SELECT b.merchant_id, coalesce(r.currency, '') AS currency,
       'booking of refund ' || coalesce(r.refund_no, b.refund_id::text) AS subject,
       coalesce(r.amount_minor || ', fee back ' || w.back, 'a refund of a priced payment')
         AS expected,
       b.amount_minor || ', fee back ' || b.fee_returned_minor AS found
  FROM channels_refund_booking b
  LEFT JOIN channels_refund r ON r.merchant_id = b.merchant_id AND r.id = b.refund_id
   AND r.payment_id = b.payment_id
  LEFT JOIN channels_payment p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
  LEFT JOIN channels_pricing g ON g.merchant_id = p.merchant_id AND g.payment_id = p.id
  LEFT JOIN channels_fee_rule v ON v.id = g.fee_rule_id
  LEFT JOIN LATERAL (
    SELECT CASE v.fee_on_refund WHEN 'kept' THEN 0 ELSE
             div(2 * g.fee_minor::numeric * (r.refunded_before_minor + r.amount_minor)
                 + p.amount_minor, 2 * p.amount_minor)
             - div(2 * g.fee_minor::numeric * r.refunded_before_minor + p.amount_minor,
                   2 * p.amount_minor) END AS back) w ON v.id IS NOT NULL
 WHERE (r.amount_minor, w.back) IS DISTINCT FROM (b.amount_minor, b.fee_returned_minor::numeric)"""

# Each fact's own lines ...
_C3_LINES: Final = """
WITH want AS (
  SELECT g.merchant_id, 'payment' AS fact, g.payment_id AS id, 'merchant_pending' AS kind,
         p.currency, p.amount_minor - g.fee_minor AS amount
    FROM channels_pricing g
    JOIN channels_payment p ON p.merchant_id = g.merchant_id AND p.id = g.payment_id
   WHERE p.amount_minor <> g.fee_minor
  UNION ALL
  SELECT b.merchant_id, 'refund', b.refund_id, part.kind, r.currency, part.amount
    FROM channels_refund_booking b
    JOIN channels_refund r ON r.merchant_id = b.merchant_id AND r.id = b.refund_id
   CROSS JOIN LATERAL (VALUES ('merchant_pending', -b.from_pending_minor),
                              ('merchant_available', -b.from_available_minor),
                              ('merchant_debt', b.to_debt_minor)) AS part (kind, amount)
   WHERE part.amount <> 0
), have AS (
  SELECT l.merchant_id, l.fact_kind AS fact, l.fact_id AS id, a.kind, a.currency,
         sum(l.amount_minor) AS amount
    FROM ledger_posting_line l
    JOIN ledger_account a ON a.merchant_id = l.merchant_id AND a.id = l.account_id
   WHERE l.fact_kind IN ('payment', 'refund') GROUP BY 1, 2, 3, 4, 5
)
SELECT merchant_id, currency, concat_ws(' ', 'line of', fact, id, 'on', kind) AS subject,
       coalesce(want.amount::text, 'none') AS expected, coalesce(have.amount::text, 'none') AS found
  FROM want FULL JOIN have USING (merchant_id, fact, id, kind, currency)
 WHERE want.amount IS DISTINCT FROM have.amount"""

# ... and what each chunk's facts come to, account by account, in the entry of the chunk.
_C3_ENTRIES: Final = """
WITH cleared AS (
  SELECT g.merchant_id, 'clearing' AS cause, g.chunk_id || ':' || p.currency AS number, p.currency,
         c.code, p.amount_minor AS gross, g.fee_minor AS fee
    FROM channels_pricing g
    JOIN channels_payment p ON p.merchant_id = g.merchant_id AND p.id = g.payment_id
    JOIN channels_channel c ON c.id = p.channel_id
), refunded AS (
  SELECT b.merchant_id, 'refund' AS cause, b.chunk_id || ':' || r.currency AS number, r.currency,
         c.code, b.amount_minor, b.from_pending_minor, b.from_available_minor, b.to_debt_minor,
         b.fee_returned_minor
    FROM channels_refund_booking b
    JOIN channels_refund r ON r.merchant_id = b.merchant_id AND r.id = b.refund_id
    JOIN channels_payment p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
    JOIN channels_channel c ON c.id = p.channel_id
), want AS (
  SELECT f.merchant_id, f.cause, f.number, f.currency, part.kind, part.ref, sum(part.debit) AS debit
    FROM cleared f
   CROSS JOIN LATERAL (VALUES ('channel_receivable', f.code, f.gross),
                              ('merchant_pending', '', f.fee - f.gross),
                              ('fee_income', '', -f.fee)) AS part (kind, ref, debit)
   GROUP BY 1, 2, 3, 4, 5, 6
  UNION ALL
  SELECT f.merchant_id, f.cause, f.number, f.currency, part.kind, part.ref, sum(part.debit)
    FROM refunded f
   CROSS JOIN LATERAL (VALUES ('channel_receivable', f.code, -f.amount_minor),
                              ('merchant_pending', '', f.from_pending_minor),
                              ('merchant_available', '', f.from_available_minor),
                              ('merchant_debt', '', f.to_debt_minor),
                              ('fee_income', '', f.fee_returned_minor)) AS part (kind, ref, debit)
   GROUP BY 1, 2, 3, 4, 5, 6
), have AS (
  SELECT e.merchant_id, e.source_kind AS cause, e.source_id AS number, a.currency, a.kind,
         a.ref_id AS ref,
         sum(CASE p.side WHEN 'DR' THEN p.amount_minor ELSE -p.amount_minor END) AS debit
    FROM ledger_entry e
    JOIN ledger_posting p ON p.merchant_id = e.merchant_id AND p.entry_id = e.id
    JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
   WHERE e.source_kind IN ('clearing', 'refund') GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT merchant_id, currency, concat_ws(' ', cause, number, kind, ref) AS subject,
       'debit ' || coalesce(want.debit, 0) AS expected,
       'debit ' || coalesce(have.debit, 0) AS found
  FROM want FULL JOIN have USING (merchant_id, cause, number, currency, kind, ref)
 WHERE coalesce(want.debit, 0) <> coalesce(have.debit, 0)"""


def taken_in_is_booked() -> Iterable[Finding]:
    """C1: a payment or refund is booked, or waits for a price, or is about to be cleared."""
    return _find("C1", "A fact was taken in and is booked nowhere, or twice.", _C1)


def priced_by_the_version_in_force() -> Iterable[Finding]:
    """C2: each price follows from its version, which was in force; each fee back from the price."""
    message = "A price does not follow from the version that was in force."
    return _find("C2", message, _C2_PAYMENTS, _C2_VERSIONS, _C2_REFUNDS)


def booked_as_priced() -> Iterable[Finding]:
    """C3: the ledger holds for each fact and each chunk exactly what its price says."""
    return _find("C3", "The ledger does not hold what was priced.", _C3_LINES, _C3_ENTRIES)


def _find(check: str, message: str, *statements: str) -> Iterator[Finding]:
    params: dict[str, Any] = {"zone": settings.TIME_ZONE}
    for statement in statements:
        for row in sql.rows(statement, params):
            yield Finding(check=check, message=message, **row)

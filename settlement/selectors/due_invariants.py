"""S4 of our own: dues, items and batches say what the facts behind them say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding
from settlement.models.schedule import DEFAULT_CODE

_PAYMENTS: Final = """
SELECT p.merchant_id, p.currency, 'due of payment ' || p.payment_no AS subject,
       concat_ws(' ', p.amount_minor - g.fee_minor, p.currency, 'of', p.business_date) AS expected,
       coalesce(concat_ws(' ', d.amount_minor, d.currency, 'of', d.business_date,
                          CASE WHEN d.at_once THEN 'at once' END, d.origin_id), 'none') AS found
  FROM channels_pricing g
  JOIN channels_payment p ON p.merchant_id = g.merchant_id AND p.id = g.payment_id
  LEFT JOIN settlement_due d ON d.merchant_id = p.merchant_id AND d.source_kind = 'payment'
   AND d.source_id = p.id
 WHERE (d.amount_minor, d.currency, d.business_date, d.at_once, d.origin_id)
       IS DISTINCT FROM (p.amount_minor - g.fee_minor, p.currency, p.business_date, false, NULL)
UNION ALL
SELECT d.merchant_id, d.currency, 'due ' || d.id, 'by a schedule, or by hand',
       concat_ws(', ', d.schedule_code, d.explanation)
  FROM settlement_due d
 WHERE d.source_kind = 'payment'
   AND ((d.explanation = 'manual') <> (d.schedule_code = 'MANUAL')
        OR d.explanation NOT IN ('manual', 'schedule', 'calendar_year_not_loaded'))"""

# A refund takes the date of its own payment, the rest is due at once.
_REFUNDS: Final = """
SELECT b.merchant_id, r.currency, 'dues of refund ' || r.refund_no AS subject,
       b.from_pending_minor::text AS expected, coalesce(t.taken, 0)::text AS found
  FROM channels_refund_booking b
  JOIN channels_refund r ON r.merchant_id = b.merchant_id AND r.id = b.refund_id
  LEFT JOIN (SELECT merchant_id, source_id, -sum(amount_minor) AS taken FROM settlement_due
              WHERE source_kind IN ('refund', 'refund_rest') GROUP BY merchant_id, source_id) t
    ON t.merchant_id = b.merchant_id AND t.source_id = b.refund_id
 WHERE b.from_pending_minor <> coalesce(t.taken, 0)
UNION ALL
SELECT d.merchant_id, d.currency, 'due ' || d.id || ' of refund ' || r.refund_no,
       concat_ws(', ', r.currency, r.business_date, 'payment ' || r.payment_id,
                 CASE d.source_kind WHEN 'refund' THEN 'as its payment: ' || coalesce(
                   concat_ws(', ', p.due_date, p.schedule_code), 'none') ELSE 'at once' END),
       concat_ws(', ', d.currency, d.business_date, 'payment ' || d.origin_id, d.due_date,
                 d.schedule_code, d.explanation)
  FROM settlement_due d
  JOIN channels_refund r ON r.merchant_id = d.merchant_id AND r.id = d.source_id
  LEFT JOIN settlement_due p ON p.merchant_id = d.merchant_id AND p.source_kind = 'payment'
   AND p.source_id = r.payment_id
 WHERE d.source_kind IN ('refund', 'refund_rest')
   AND ((d.currency, d.business_date, d.origin_id)
        IS DISTINCT FROM (r.currency, r.business_date, r.payment_id)
        OR (d.due_date, d.schedule_code, d.explanation, d.at_once) IS DISTINCT FROM
           CASE d.source_kind WHEN 'refund'
                THEN (p.due_date, p.schedule_code, 'own_payment'::varchar, false)
                ELSE (r.business_date, ''::varchar, 'at_once'::varchar, true) END)"""

# The date again by the calendar, unless a day in between was changed in it since; and the schedule
# again. A schedule that came within the hour may not have been seen when the fact was booked.
_DATES: Final = """
WITH given AS MATERIALIZED (
  SELECT schedule_code, business_date, due_date, count(*) AS dues, min(merchant_id) AS merchant_id,
         min(currency) AS currency
    FROM settlement_due
   WHERE source_kind = 'payment' AND due_date IS NOT NULL AND explanation <> 'manual'
   GROUP BY schedule_code, business_date, due_date
), again AS MATERIALIZED (
  SELECT schedule_code, business_date,
         settlement_due_date(schedule_code, business_date) AS due_date
    FROM (SELECT DISTINCT schedule_code, business_date FROM given) d
)
SELECT g.merchant_id, g.currency,
       concat_ws(' ', g.dues, 'dues of', g.business_date, 'by', g.schedule_code) AS subject,
       coalesce(a.due_date::text, 'none') AS expected, g.due_date::text AS found
  FROM given g JOIN again a USING (schedule_code, business_date)
 WHERE a.due_date IS DISTINCT FROM g.due_date
   AND NOT EXISTS (
         SELECT FROM foundation_history h
          WHERE h."table" = 'foundation_business_day' AND h.operation = 'UPDATE'
            AND h.row_id BETWEEN g.business_date::text
                             AND greatest(g.due_date, a.due_date)::text)
UNION ALL
SELECT t.merchant_id, t.currency,
       concat_ws(' ', 'schedule of', t.dues, 'dues of', t.business_date),
       coalesce(s.code, %(default_code)s), t.schedule_code
  FROM (SELECT d.merchant_id, d.currency, d.business_date, d.schedule_code, e.booked_at,
               count(*) AS dues
          FROM settlement_due d
          JOIN channels_pricing g ON g.merchant_id = d.merchant_id AND g.payment_id = d.source_id
          JOIN ledger_entry e ON e.merchant_id = d.merchant_id AND e.source_kind = 'clearing'
           AND e.source_id = g.chunk_id || ':' || d.currency
         WHERE d.source_kind = 'payment' GROUP BY 1, 2, 3, 4, 5) t
  LEFT JOIN LATERAL (
         SELECT s.code FROM settlement_schedule s
          WHERE s.merchant_id = t.merchant_id AND s.effective_from <= t.business_date
            AND (s.code = t.schedule_code OR s.created_at < t.booked_at - interval '1 hour')
          ORDER BY s.effective_from DESC, s.version DESC LIMIT 1) s ON true
 WHERE coalesce(s.code, %(default_code)s) <> t.schedule_code"""

# An item is of its batch, its run, its entry and its hold; a batch of its run.
_ITEMS: Final = """
SELECT i.merchant_id, i.currency, 'item ' || i.id AS subject,
       'of its batch, its entry and its hold' AS expected,
       concat_ws(', ', i.run_date || ':' || i.cycle || ':' || i.currency, 'batch ' || i.batch_id,
                 'posted at ' || i.posted_at, e.source_kind || ' ' || e.source_id,
                 'hold of ' || h.source_kind || ' ' || h.source_id) AS found
  FROM settlement_item i
  LEFT JOIN settlement_batch b ON b.id = i.batch_id
  LEFT JOIN ledger_entry e ON e.merchant_id = i.merchant_id AND e.id = i.entry_id
  LEFT JOIN ledger_hold h ON h.merchant_id = i.merchant_id AND h.id = i.hold_id
 CROSS JOIN LATERAL (
         SELECT i.run_date || ':' || i.cycle || ':' || i.currency AS cause) c
 WHERE (b.run_date, b.cycle, b.currency) IS DISTINCT FROM (i.run_date, i.cycle, i.currency)
    OR i.merchant_id NOT BETWEEN b.merchant_from AND b.merchant_to
    OR (i.state = 'CLOSED') <> (i.closed_at IS NOT NULL)
    OR (i.entry_id IS NOT NULL AND (e.source_kind, e.source_id, e.occurred_at)
        IS DISTINCT FROM ('settlement', c.cause, i.posted_at))
    OR (i.hold_id IS NOT NULL AND (h.source_kind, h.source_id, h.account_kind, h.operation)
        IS DISTINCT FROM ('settlement', c.cause, 'merchant_pending', 'settle'))
UNION ALL
SELECT NULL, b.currency, 'batch ' || b.id, 'of its run, in the times of its state',
       concat_ws(', ', b.run_date, b.cycle, b.part || ' of ' || r.parts, b.state, r.state)
  FROM settlement_batch b
  LEFT JOIN settlement_run r ON r.id = b.run_id
 WHERE (r.run_date, r.cycle) IS DISTINCT FROM (b.run_date, b.cycle) OR b.part > r.parts
    OR (b.state = 'COLLECTING') <> (b.frozen_at IS NULL)
    OR (b.state IN ('POSTED', 'PAYING', 'CLOSED')) <> (b.posted_at IS NOT NULL)
    OR (b.state = 'CLOSED') <> (b.closed_at IS NOT NULL)
    OR (r.state = 'DONE') <> (r.finished_at IS NOT NULL)"""


def dated_as_booked() -> Iterable[Finding]:
    """S4: dues are those of their facts, on the days of schedule and calendar; items fit theirs."""
    return _find(_PAYMENTS, _REFUNDS, _DATES, _ITEMS)


def _find(*statements: str) -> Iterator[Finding]:
    message = "What is due, or was settled, is not what the facts behind it say."
    for statement in statements:
        for row in sql.rows(statement, {"default_code": DEFAULT_CODE}):
            yield Finding(check="S4", message=message, **row)

"""P5 of our own: withdrawals, attempts and bank lines are what their steps and causes say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

# Steps count from one, and each begins where the last one ended. Their times need not be in order:
# news are dated where they come in.
_STEPS: Final = """
SELECT s.merchant_id, '' AS currency, s.what || ' ' || s.id AS subject,
       concat_ws(' ', 'step', s.place, 'from', coalesce(s.former, 'nothing')) AS expected,
       concat_ws(' ', 'step', s.sequence, 'from', s.from_status, 'at', s.at) AS found
  FROM (SELECT merchant_id, 'withdrawal' AS what, withdrawal_id AS id, sequence, from_status, at,
               row_number() OVER w AS place, lag(to_status) OVER w AS former
          FROM settlement_withdrawal_transition
        WINDOW w AS (PARTITION BY merchant_id, withdrawal_id ORDER BY sequence)
         UNION ALL
        SELECT merchant_id, 'payout', attempt_id, sequence, from_status, at, row_number() OVER w,
               lag(to_status) OVER w
          FROM settlement_payout_transition
        WINDOW w AS (PARTITION BY merchant_id, attempt_id ORDER BY sequence)) s
 WHERE s.sequence <> s.place OR s.from_status <> coalesce(s.former, '')"""

# A business date is the local day or, by the cut-off of its time, the day before.
_WITHDRAWALS: Final = """
SELECT w.merchant_id, w.currency, w.number AS subject,
       'of its steps, its hold and its price: ' || concat_ws(', ',
         'W' || to_char(w.business_date, 'YYMM') || n.merchant || '-' || n.row_id,
         f.to_status || ' at ' || f.at, l.to_status, h.source_kind || ' ' || h.source_id,
         'fee ' || p.fee) AS expected,
       concat_ws(', ', w.status, w.business_date, 'asked for at ' || w.requested_at,
                 'closed at ' || w.closed_at, 'fee ' || w.fee_minor) AS found
  FROM settlement_withdrawal w
 CROSS JOIN ledger_accounting_day d
 CROSS JOIN LATERAL (
         SELECT lpad(w.merchant_id::text, greatest(7, length(w.merchant_id::text)), '0')
                  AS merchant,
                lpad(w.id::text, greatest(6, length(w.id::text)), '0') AS row_id,
                (w.requested_at AT TIME ZONE d.zone)::date AS local_day) n
  LEFT JOIN settlement_withdrawal_transition f ON f.merchant_id = w.merchant_id
   AND f.withdrawal_id = w.id AND f.sequence = 1
  LEFT JOIN settlement_withdrawal_transition l ON l.merchant_id = w.merchant_id
   AND l.withdrawal_id = w.id AND l.sequence = w.sequence
  LEFT JOIN ledger_hold h ON h.merchant_id = w.merchant_id AND h.id = w.hold_id
  LEFT JOIN settlement_item i ON i.merchant_id = w.merchant_id AND i.id = w.item_id
  LEFT JOIN settlement_payout_fee_rule r ON r.id = w.fee_rule_id AND r.currency = w.currency
   AND coalesce(r.merchant_id, w.merchant_id) = w.merchant_id
   AND r.effective_from <= w.business_date
 CROSS JOIN LATERAL (
         SELECT CASE WHEN w.fee_rule_id IS NULL THEN 0 ELSE greatest(r.minimum_minor, least(
           r.cap_minor, round(w.amount_minor * r.rate_percent / 100) + r.fixed_minor)) END AS fee) p
 WHERE w.number <> 'W' || to_char(w.business_date, 'YYMM') || n.merchant || '-' || n.row_id
    OR w.business_date NOT BETWEEN n.local_day - 1 AND n.local_day
    OR (f.to_status, f.at, f.actor) IS DISTINCT FROM ('CREATED', w.requested_at, w.actor)
    OR l.to_status IS DISTINCT FROM w.status
    OR (w.closed_at IS NOT NULL AND NOT EXISTS (
          SELECT FROM settlement_withdrawal_transition s
           WHERE s.merchant_id = w.merchant_id AND s.withdrawal_id = w.id AND s.at = w.closed_at))
    OR (w.hold_id IS NOT NULL AND (h.source_kind, h.source_id, h.account_kind, h.operation,
                                   h.currency, h.expires_at)
        IS DISTINCT FROM ('withdrawal', w.number, 'merchant_available', 'withdraw', w.currency,
                          NULL))
    OR (w.fee_rule_id IS NOT NULL AND r.id IS NULL) OR p.fee <> w.fee_minor
    OR (w.item_id IS NOT NULL AND (w.authority, w.order_no, w.currency) IS DISTINCT FROM
        ('STANDING_INSTRUCTION',
         concat_ws('-', 'item', to_char(i.run_date, 'YYYYMMDD'), i.cycle, i.currency), i.currency))
    OR (w.requested_by_id IS NOT NULL AND w.authority <> 'TOKEN')
    OR (EXISTS (SELECT FROM settlement_withdrawal_transition s
                 WHERE s.merchant_id = w.merchant_id AND s.withdrawal_id = w.id
                   AND s.from_status = 'REVIEW' AND s.to_status = 'HELD')
        AND NOT EXISTS (SELECT FROM foundation_approval a
                         WHERE a.merchant_id = w.merchant_id AND a.action = 'settlement.withdrawal'
                           AND a.subject = w.number AND a.state = 'APPROVED'
                           AND (a.effect_minor, a.effect_currency)
                             = (w.amount_minor, w.currency)))"""

_ATTEMPTS: Final = """
SELECT a.merchant_id, a.currency, a.number AS subject,
       'of its withdrawal and its steps: ' || concat_ws(', ', w.number || '-' || a.attempt_no,
         w.amount_minor, w.currency, f.at, s.at, l.to_status) AS expected,
       concat_ws(', ', a.number, a.amount_minor, a.currency, a.created_at, a.sent_at, a.status,
                 'paid at ' || a.paid_at) AS found
  FROM settlement_payout_attempt a
  LEFT JOIN settlement_withdrawal w ON w.merchant_id = a.merchant_id AND w.id = a.withdrawal_id
  LEFT JOIN settlement_payout_transition f ON f.merchant_id = a.merchant_id
   AND f.attempt_id = a.id AND f.sequence = 1
  LEFT JOIN settlement_payout_transition s ON s.merchant_id = a.merchant_id
   AND s.attempt_id = a.id AND s.to_status = 'SENDING'
  LEFT JOIN settlement_payout_transition l ON l.merchant_id = a.merchant_id
   AND l.attempt_id = a.id AND l.sequence = a.sequence
 WHERE (w.number || '-' || a.attempt_no, w.amount_minor, w.currency)
       IS DISTINCT FROM (a.number, a.amount_minor, a.currency)
    OR (f.at, s.at, l.to_status) IS DISTINCT FROM (a.created_at, a.sent_at, a.status)
    OR (a.paid_at IS NOT NULL AND NOT EXISTS (
          SELECT FROM settlement_payout_transition t
           WHERE t.merchant_id = a.merchant_id AND t.attempt_id = a.id AND t.at = a.paid_at))
    OR (a.status = 'DISPUTED' AND l.from_status IS DISTINCT FROM a.disputed_from)"""

# A day file and evidence are kept to the byte; a bank line is of its file, its payout, its entries.
_FILES: Final = """
SELECT e.merchant_id, e.currency, 'evidence ' || e.id AS subject, e.raw_sha256 AS expected,
       encode(sha256(e.raw), 'hex') AS found
  FROM settlement_payout_evidence e WHERE e.raw_sha256 <> encode(sha256(e.raw), 'hex')
UNION ALL
SELECT NULL, '', 'day file ' || f.id, f.sha256, encode(sha256(f.raw), 'hex')
  FROM settlement_payout_statement f WHERE f.sha256 <> encode(sha256(f.raw), 'hex')
UNION ALL
SELECT l.merchant_id, l.currency, 'bank line ' || l.id,
       'of its day file, its payout and its entry, at the time of that',
       concat_ws(', ', l.order_no, l.amount_minor, l.currency, l.cause, 'booked at ' || l.booked_at)
  FROM settlement_bank_line l
  LEFT JOIN settlement_payout_statement f ON f.id = l.statement_id
  LEFT JOIN settlement_payout_attempt a ON a.merchant_id = l.merchant_id AND a.id = l.attempt_id
  LEFT JOIN ledger_entry e ON e.merchant_id = l.merchant_id AND e.source_kind = 'payout_statement'
   AND e.source_id = l.cause
 WHERE f.channel_id IS DISTINCT FROM l.channel_id OR l.line_no > f.line_count + 1
    OR (l.attempt_id IS NOT NULL
        AND (a.number, a.channel_id, a.amount_minor, a.currency, a.payee_hash)
            IS DISTINCT FROM (l.order_no, l.channel_id, l.amount_minor, l.currency, l.payee_hash))
    OR (l.state = 'BOOKED' AND e.occurred_at IS DISTINCT FROM l.booked_at)"""

# Entries of payouts are told by the number of their attempt; what no door dates happened when it
# was booked.
_ENTRIES: Final = """
SELECT e.merchant_id, '' AS currency, 'entry ' || e.id AS subject,
       CASE WHEN e.source_kind LIKE 'payout_%' THEN 'about ' || e.source_id
            ELSE 'when it was booked, ' || e.booked_at END AS expected,
       concat_ws(', ', e.memo, e.occurred_at) AS found
  FROM ledger_entry e
 WHERE (e.source_kind IN ('payout_paid', 'payout_returned', 'payout_late', 'payout_resolved')
        AND (e.source_id <> e.memo AND NOT starts_with(e.source_id, e.memo || ':') OR e.memo = ''))
    OR (e.source_kind IN ('clearing', 'refund', 'payout_paid', 'payout_returned', 'payout_late',
                          'payout_resolved')
        AND e.occurred_at NOT BETWEEN e.booked_at - interval '1 minute'
                                  AND e.booked_at + interval '1 hour')"""


def kept_as_stepped() -> Iterable[Finding]:
    """P5: withdrawals, payouts and bank lines fit their steps, holds, prices, files and entries."""
    return _find(_STEPS, _WITHDRAWALS, _ATTEMPTS, _FILES, _ENTRIES)


def _find(*statements: str) -> Iterator[Finding]:
    message = "A withdrawal or payout is not what its steps and causes say."
    for statement in statements:
        for row in sql.rows(statement):
            yield Finding(check="P5", message=message, **row)

"""
L2 of our own: an entry is what was booked, on the day and in the moments in which it was.

Each entry carries the fingerprint of its content since it was made (LG-1): account, operation, side
and amount of every posting, the holds it captured, the facts below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from foundation.registries import Finding
from ledger.selectors.invariants import findings

# `ledger_post` takes the postings as they were given (their ids); `ledger_post_bulk` sorts them and
# adds the lines below them (in the first entries of all without a mark between). A posting that
# captured a hold carries that hold's id; of two postings alike the first captured the first.
_CONTENT: Final = """
WITH captured AS MATERIALIZED (
  SELECT h.merchant_id, h.entry_id, h.account_id, h.operation, h.side,
         h.captured_minor AS amount_minor, h.id AS hold_id, row_number() OVER (
           PARTITION BY h.merchant_id, h.entry_id, h.account_id, h.operation, h.side,
                        h.captured_minor ORDER BY h.id) AS place
    FROM ledger_hold h WHERE h.state = 'CAPTURED'
), held AS MATERIALIZED (
  SELECT p.merchant_id, p.id, c.hold_id
    FROM (SELECT p.merchant_id, p.entry_id, p.account_id, p.operation, p.side, p.amount_minor, p.id,
                 row_number() OVER (
                   PARTITION BY p.merchant_id, p.entry_id, p.account_id, p.operation, p.side,
                                p.amount_minor ORDER BY p.id) AS place
            FROM (SELECT DISTINCT merchant_id, entry_id FROM captured) e
            JOIN ledger_posting p USING (merchant_id, entry_id)) p
    JOIN captured c USING (merchant_id, entry_id, account_id, operation, side, amount_minor, place)
), posted AS (
  SELECT p.merchant_id, p.entry_id,
         concat_ws('|', array_agg(p.account_id ORDER BY p.id)::text,
                   array_agg(p.operation ORDER BY p.id)::text,
                   array_agg(p.side ORDER BY p.id)::text,
                   array_agg(p.amount_minor ORDER BY p.id)::text,
                   CASE WHEN count(h.hold_id) > 0
                        THEN array_agg(h.hold_id ORDER BY p.id)::text END) AS given,
         string_agg(concat_ws(',', p.account_id, p.operation, p.side, p.amount_minor, h.hold_id),
                    ';' ORDER BY p.account_id, p.operation, p.side, p.amount_minor, h.hold_id)
           AS sorted
    FROM ledger_posting p
    LEFT JOIN held h ON h.merchant_id = p.merchant_id AND h.id = p.id
   GROUP BY p.merchant_id, p.entry_id
), below AS (
  SELECT p.merchant_id, p.entry_id,
         string_agg(concat_ws(',', l.account_id, l.fact_kind, l.fact_id, l.amount_minor), ';'
                    ORDER BY l.account_id, l.fact_kind, l.fact_id, l.amount_minor) AS lines
    FROM ledger_posting_line l
    JOIN ledger_posting p ON p.merchant_id = l.merchant_id AND p.account_id = l.account_id
     AND p.seq = l.seq
   GROUP BY p.merchant_id, p.entry_id
)
SELECT e.merchant_id, '' AS currency, 'entry ' || e.id AS subject, 'the content it was booked with'
         AS expected, 'another' AS found
  FROM ledger_entry e
  JOIN posted p ON p.merchant_id = e.merchant_id AND p.entry_id = e.id
  LEFT JOIN below b ON b.merchant_id = e.merchant_id AND b.entry_id = e.id
 WHERE e.content_sha256 <> ALL (ARRAY[
         sha256(convert_to(concat_ws('|', p.given, e.reverses_id), 'UTF8')),
         sha256(convert_to(concat_ws('|', p.sorted, b.lines), 'UTF8')),
         sha256(convert_to(p.sorted || coalesce(b.lines, ''), 'UTF8'))])"""

# While no day is held open by hand, the accounting date is that of the moment of booking.
_DATE: Final = """
SELECT e.merchant_id, '' AS currency, 'accounting date of entry ' || e.id AS subject,
       coalesce('at most ' || d.open_date,
                ((e.booked_at AT TIME ZONE d.zone) - d.cut_off)::date::text) AS expected,
       e.accounting_date::text AS found
  FROM ledger_entry e CROSS JOIN ledger_accounting_day d
 WHERE CASE WHEN d.open_date IS NULL
            THEN e.accounting_date <> ((e.booked_at AT TIME ZONE d.zone) - d.cut_off)::date
            ELSE e.accounting_date > d.open_date END"""

# All by the database's clock, which may be set back by a little.
_MOMENTS: Final = """
SELECT p.merchant_id, p.currency, 'posting ' || p.id AS subject,
       'posted when it was booked, ' || p.booked_at AS expected,
       'posted at ' || p.posted_at AS found
  FROM ledger_posting p WHERE p.posted_at < p.booked_at - interval '1 minute'
UNION ALL
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id,
       'last posted at ' || coalesce(p.posted_at::text, 'no time'),
       'last posted at ' || coalesce(a.posted_at::text, 'no time')
  FROM ledger_account a
  LEFT JOIN ledger_posting p ON p.merchant_id = a.merchant_id AND p.account_id = a.id
   AND p.seq = a.seq
 WHERE p.posted_at IS DISTINCT FROM a.posted_at
UNION ALL
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id,
       'opened before ' || p.posted_at, 'opened at ' || a.opened_at
  FROM ledger_account a
  JOIN ledger_posting p ON p.merchant_id = a.merchant_id AND p.account_id = a.id AND p.seq = 1
 WHERE a.opened_at > p.posted_at + interval '1 minute'
UNION ALL
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id,
       'a reference of a kind, or neither', concat_ws(' ', a.ref_kind, a.ref_id)
  FROM ledger_account a WHERE (a.ref_kind = '') <> (a.ref_id = '')
UNION ALL
SELECT h.merchant_id, h.currency, 'hold ' || h.id, 'resolved when its entry was booked',
       'resolved at ' || h.resolved_at
  FROM ledger_hold h
  JOIN ledger_entry e ON e.merchant_id = h.merchant_id AND e.id = h.entry_id
  JOIN LATERAL (SELECT min(p.posted_at) AS posted_at FROM ledger_posting p
                 WHERE p.merchant_id = e.merchant_id AND p.entry_id = e.id) p ON true
 WHERE h.resolved_at NOT BETWEEN e.booked_at - interval '1 minute'
                             AND p.posted_at + interval '1 minute'
UNION ALL
SELECT h.merchant_id, h.currency, 'hold ' || h.id, 'opened before it was resolved',
       concat_ws(', ', 'opened at ' || h.opened_at, 'resolved at ' || h.resolved_at)
  FROM ledger_hold h WHERE h.opened_at > h.resolved_at + interval '1 minute'"""


def booked_as_kept() -> Iterable[Finding]:
    """L2: entries hold what their fingerprint says, on the day and at the time of booking."""
    message = "An entry, an account or a hold is no longer what was booked."
    return findings("L2", message, _CONTENT, _DATE, _MOMENTS)

"""
I1 to I6 of the money-safety rules and L1 of our own, asked of the whole ledger by set-based SQL.

I4 is in `guard_invariants`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

# Each statement returns merchant_id, currency, subject, expected, found for every broken row.
_I1: Final = """
SELECT p.merchant_id, p.currency, 'entry ' || p.entry_id AS subject,
       'two postings or more, difference 0' AS expected,
       count(*) || ' postings, difference '
         || sum(CASE p.side WHEN 'DR' THEN p.amount_minor ELSE -p.amount_minor END) AS found
  FROM ledger_posting p GROUP BY p.merchant_id, p.entry_id, p.currency
HAVING count(*) < 2 OR sum(CASE p.side WHEN 'DR' THEN p.amount_minor ELSE -p.amount_minor END) <> 0
UNION ALL
SELECT e.merchant_id, '', 'entry ' || e.id, 'postings in its own book', 'none'
  FROM ledger_entry e
 WHERE NOT EXISTS (SELECT FROM ledger_posting p
                    WHERE p.merchant_id = e.merchant_id AND p.entry_id = e.id)
UNION ALL
SELECT p.merchant_id, p.currency, 'posting ' || p.id, 'an entry and an account in its own book',
       'none'
  FROM ledger_posting p
  LEFT JOIN ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
   AND e.xid8 = p.xid8 AND e.booked_at = p.booked_at
  LEFT JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
   AND a.kind = p.account_kind AND a.currency = p.currency
 WHERE e.id IS NULL OR a.id IS NULL"""

_I2_BOOKS: Final = """
SELECT a.merchant_id, a.currency, 'book' AS subject, '0' AS expected,
       sum(CASE a.normal_side WHEN 'DR' THEN a.balance ELSE -a.balance END)::text AS found
  FROM ledger_account a GROUP BY a.merchant_id, a.currency
HAVING sum(CASE a.normal_side WHEN 'DR' THEN a.balance ELSE -a.balance END) <> 0"""

_I2_ACCOUNTS: Final = """
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id AS subject,
       concat_ws(', ', 'balance ' || coalesce(p.total, 0), 'seq ' || coalesce(p.last, 0),
                 coalesce(p.last, 0) || ' postings') AS expected,
       concat_ws(', ', 'balance ' || a.balance, 'seq ' || a.seq,
                 coalesce(p.postings, 0) || ' postings') AS found
  FROM ledger_account a
  LEFT JOIN (
    SELECT p.merchant_id, p.account_id, max(p.seq) AS last, count(*) AS postings,
           sum(CASE WHEN p.side = b.normal_side THEN p.amount_minor ELSE -p.amount_minor END)
             AS total
      FROM ledger_posting p
      JOIN ledger_account b ON b.merchant_id = p.merchant_id AND b.id = p.account_id
     GROUP BY p.merchant_id, p.account_id) p
    ON p.merchant_id = a.merchant_id AND p.account_id = a.id
 WHERE a.balance <> coalesce(p.total, 0) OR a.seq <> coalesce(p.last, 0)
    OR coalesce(p.postings, 0) <> coalesce(p.last, 0)
UNION ALL
SELECT r.merchant_id, r.currency, 'posting ' || r.id, 'balance after ' || r.expected,
       'balance after ' || r.balance_after
  FROM (SELECT p.id, p.merchant_id, p.currency, p.balance_after,
               coalesce(lag(p.balance_after) OVER w, 0)
                 + CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END
                 AS expected
          FROM ledger_posting p
          JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
        WINDOW w AS (PARTITION BY p.merchant_id, p.account_id ORDER BY p.seq)) r
 WHERE r.balance_after <> r.expected
UNION ALL
SELECT r.merchant_id, r.currency, 'posting ' || r.id, 'posted at ' || r.before || ' or later',
       'posted at ' || r.posted_at
  FROM (SELECT p.id, p.merchant_id, p.currency, p.posted_at, lag(p.posted_at) OVER w AS before
          FROM ledger_posting p
        WINDOW w AS (PARTITION BY p.merchant_id, p.account_id ORDER BY p.seq)) r
 WHERE r.posted_at < r.before"""

_I2_LINES: Final = """
SELECT l.merchant_id, coalesce(p.currency, '') AS currency,
       'lines of account ' || l.account_id || ' at ' || l.seq AS subject,
       coalesce(CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END::text,
                'a posting') AS expected,
       l.total::text AS found
  FROM (SELECT l.merchant_id, l.account_id, l.seq, l.posting_id, sum(l.amount_minor) AS total
          FROM ledger_posting_line l
         GROUP BY l.merchant_id, l.account_id, l.seq, l.posting_id) l
  LEFT JOIN ledger_posting p ON p.merchant_id = l.merchant_id AND p.account_id = l.account_id
   AND p.seq = l.seq AND p.id = l.posting_id
  LEFT JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
 WHERE (l.total = CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END)
       IS NOT TRUE
UNION ALL
SELECT r.merchant_id, r.currency, 'line ' || r.id,
       'line ' || r.number || ', balance after ' || r.expected,
       'line ' || r.line_no || ', balance after ' || r.balance_after
  FROM (SELECT l.id, l.merchant_id, p.currency, l.line_no, l.balance_after,
               row_number() OVER w AS number,
               p.balance_after + sum(l.amount_minor) OVER w
                 - CASE WHEN p.side = a.normal_side THEN p.amount_minor ELSE -p.amount_minor END
                 AS expected
          FROM ledger_posting_line l
          JOIN ledger_posting p ON p.merchant_id = l.merchant_id AND p.account_id = l.account_id
           AND p.seq = l.seq
          JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
        WINDOW w AS (PARTITION BY l.merchant_id, l.account_id, l.seq ORDER BY l.line_no
                     ROWS UNBOUNDED PRECEDING)) r
 WHERE r.balance_after <> r.expected OR r.line_no <> r.number"""

# A passage between two books is one cause with an entry in each; what is younger than a day may
# still be on its way.
_I2_PASSAGES: Final = """
SELECT min(p.merchant_id) AS merchant_id, p.currency,
       'passage ' || e.source_kind || ' ' || e.source_id AS subject, '0' AS expected,
       sum(CASE p.side WHEN 'DR' THEN p.amount_minor ELSE -p.amount_minor END)
         || ' since ' || min(p.posted_at) AS found
  FROM ledger_posting p
  JOIN ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
 WHERE p.account_kind = 'between_books'
 GROUP BY e.source_kind, e.source_id, p.currency
HAVING sum(CASE p.side WHEN 'DR' THEN p.amount_minor ELSE -p.amount_minor END) <> 0
   AND min(p.posted_at) < transaction_timestamp() - interval '1 day'"""

_I3: Final = """
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id AS subject,
       'held ' || coalesce(h.total, 0) AS expected,
       concat_ws(', ', 'held ' || a.held, 'balance ' || a.balance) AS found
  FROM ledger_account a
  JOIN ledger_account_kind k ON k.kind = a.kind
  LEFT JOIN (SELECT h.merchant_id, h.account_id, sum(h.amount_minor) AS total
               FROM ledger_hold h WHERE h.state = 'OPEN' GROUP BY h.merchant_id, h.account_id) h
    ON h.merchant_id = a.merchant_id AND h.account_id = a.id
 WHERE a.held <> coalesce(h.total, 0) OR a.held < 0
    OR (k.never_negative AND a.balance - a.held < 0)
UNION ALL
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id,
       concat_ws(', ', k.normal_side, CASE WHEN k.never_negative THEN 'never below zero' END,
                 CASE WHEN k.house_only THEN 'in the house''s book' END),
       concat_ws(', ', a.normal_side, CASE WHEN a.never_negative THEN 'never below zero' END,
                 CASE m.kind WHEN 'HOUSE' THEN 'in the house''s book' ELSE 'in a merchant''s' END)
  FROM ledger_account a
  JOIN ledger_account_kind k ON k.kind = a.kind
  LEFT JOIN merchants_merchant m ON m.id = a.merchant_id
 WHERE (a.normal_side, a.never_negative) IS DISTINCT FROM (k.normal_side, k.never_negative)
    OR (k.house_only AND m.kind IS DISTINCT FROM 'HOUSE')"""

_I5: Final = """
SELECT e.merchant_id, '' AS currency, e.source_kind || ' ' || e.source_id AS subject,
       '1 entry' AS expected, count(*) || ' entries' AS found
  FROM ledger_entry e GROUP BY e.merchant_id, e.source_kind, e.source_id HAVING count(*) > 1
UNION ALL
SELECT NULL, '', 'unique key entry_one_per_cause', 'valid', 'missing or not valid'
 WHERE NOT EXISTS (
         SELECT FROM pg_constraint c JOIN pg_index i ON i.indexrelid = c.conindid
          WHERE c.conrelid = 'ledger_entry'::regclass AND c.conname = 'entry_one_per_cause'
            AND i.indisunique AND i.indisvalid)"""

_I6: Final = """
SELECT h.merchant_id, h.currency,
       'hold ' || string_agg(DISTINCT h.id::text, ', ') AS subject,
       count(DISTINCT h.id) || ' posting of ' || h.captured_minor || ' by its entry' AS expected,
       count(DISTINCT p.id)::text AS found
  FROM ledger_hold h
  LEFT JOIN ledger_posting p ON p.merchant_id = h.merchant_id AND p.entry_id = h.entry_id
   AND p.account_id = h.account_id AND p.operation = h.operation AND p.side = h.side
   AND p.amount_minor = h.captured_minor
 WHERE h.state = 'CAPTURED'
 GROUP BY h.merchant_id, h.currency, h.entry_id, h.account_id, h.operation, h.side, h.captured_minor
HAVING count(DISTINCT p.id) < count(DISTINCT h.id)
UNION ALL
SELECT h.merchant_id, h.currency, 'hold ' || h.id, 'a resolution that fits its state',
       concat_ws(', ', h.state, 'captured ' || h.captured_minor, 'entry ' || h.entry_id)
  FROM ledger_hold h
 WHERE (h.state = 'OPEN') <> (h.resolved_at IS NULL)
    OR (h.state = 'CAPTURED') <> (h.entry_id IS NOT NULL)
    OR (h.state = 'CAPTURED') <> (h.captured_minor IS NOT NULL)
    OR h.captured_minor > h.amount_minor"""


# A closed account is empty, holds nothing and is of a merchant that is CLOSED; and whether an
# account is closed follows from its last line.
_L1: Final = """
SELECT a.merchant_id, a.currency, a.kind || ' account ' || a.id AS subject,
       concat_ws(', ', s.step, 'balance 0, no open hold, of a closed merchant') AS expected,
       concat_ws(', ', CASE WHEN a.closed_at IS NULL THEN 'open' ELSE 'closed' END,
                 'balance ' || a.balance, 'held ' || a.held, coalesce(h.many, 0) || ' open holds',
                 m.status) AS found
  FROM ledger_account a
  LEFT JOIN merchants_merchant m ON m.id = a.merchant_id
  LEFT JOIN LATERAL (
         SELECT s.step FROM ledger_account_step s
          WHERE s.merchant_id = a.merchant_id AND s.account_id = a.id
          ORDER BY s.id DESC LIMIT 1) s ON true
  LEFT JOIN LATERAL (
         SELECT count(*) AS many FROM ledger_hold h
          WHERE h.merchant_id = a.merchant_id AND h.account_id = a.id AND h.state = 'OPEN'
            AND a.closed_at IS NOT NULL) h ON true
 WHERE (a.closed_at IS NOT NULL) <> (s.step IS NOT DISTINCT FROM 'CLOSED')
    OR (a.closed_at IS NOT NULL AND (a.balance <> 0 OR a.held <> 0 OR h.many > 0
        OR m.status IS DISTINCT FROM 'CLOSED'))"""


def findings(check: str, message: str, *statements: str) -> Iterator[Finding]:
    """Yield what statements of (merchant_id, currency, subject, expected, found) return."""
    for statement in statements:
        for row in sql.rows(statement):
            yield Finding(
                check=check,
                merchant_id=row["merchant_id"],
                currency=row["currency"],
                subject=row["subject"],
                expected=row["expected"],
                found=row["found"],
                message=message,
            )


def balanced_entries() -> Iterable[Finding]:
    """I1: every entry lies in one book, has two postings or more and sums to zero per currency."""
    return findings("I1", "An entry does not balance in its book.", _I1)


def balanced_books() -> Iterable[Finding]:
    """I2: books sum to zero; balances are their postings; lines their posting; passages meet."""
    return findings(
        "I2",
        "A balance is not the sum of what made it.",
        _I2_BOOKS,
        _I2_ACCOUNTS,
        _I2_LINES,
        _I2_PASSAGES,
    )


def covered_holds() -> Iterable[Finding]:
    """I3: held is the sum of open holds, and nothing that may not is below zero."""
    return findings("I3", "What is held is not the sum of open holds, or is not there.", _I3)


def single_causes() -> Iterable[Finding]:
    """I5: one cause makes at most one entry per book."""
    return findings("I5", "One cause made more than one entry.", _I5)


def resolved_holds() -> Iterable[Finding]:
    """I6: a hold is captured by exactly the posting it names, or released, or open."""
    return findings("I6", "A hold and its resolution do not agree.", _I6)


def closed_accounts() -> Iterable[Finding]:
    """L1: a closed account is empty, holds nothing, and its merchant is closed (LG-13)."""
    return findings("L1", "A closed account is not what closed means.", _L1)

"""What `verify` asks of settling: I8, pending explained, bounds of positions, what was advanced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

# Each statement returns merchant_id, currency, subject, expected, found for every broken row.
_I8: Final = """
SELECT l.merchant_id, '' AS currency, l.source_kind || ' ' || l.source_id AS subject,
       'one line' AS expected, count(*) || ' lines' AS found
  FROM settlement_line l GROUP BY l.merchant_id, l.source_kind, l.source_id HAVING count(*) > 1
UNION ALL
SELECT coalesce(i.merchant_id, l.merchant_id), coalesce(i.currency, ''),
       'lines of item ' || coalesce(i.id, l.item_id),
       coalesce(i.line_count, 0) || ' lines, net ' || coalesce(i.net_minor, 0),
       coalesce(l.lines, 0) || ' lines, net ' || coalesce(l.net, 0)
  FROM settlement_item i
  FULL JOIN (SELECT merchant_id, item_id, count(*) AS lines, sum(amount_minor) AS net
               FROM settlement_line GROUP BY merchant_id, item_id) l
    ON l.merchant_id = i.merchant_id AND l.item_id = i.id
 WHERE coalesce(i.line_count, 0) <> coalesce(l.lines, 0)
    OR coalesce(i.net_minor, 0) <> coalesce(l.net, 0)
UNION ALL
SELECT l.merchant_id, d.currency, 'line of ' || l.source_kind || ' ' || l.source_id,
       coalesce(d.amount_minor::text, 'a due amount'), l.amount_minor::text
  FROM settlement_line l
  LEFT JOIN settlement_due d ON d.merchant_id = l.merchant_id AND d.source_kind = l.source_kind
   AND d.source_id = l.source_id
 WHERE d.amount_minor IS DISTINCT FROM l.amount_minor"""

_I8_ENTRIES: Final = """
SELECT i.merchant_id, i.currency, 'entry of item ' || i.id AS subject,
       (-i.net_minor)::text AS expected, coalesce(p.moved, 0)::text AS found
  FROM settlement_item i
  LEFT JOIN (
    SELECT p.merchant_id, p.entry_id, p.currency,
           sum(CASE p.side WHEN 'CR' THEN p.amount_minor ELSE -p.amount_minor END) AS moved
      FROM ledger_entry e
      JOIN ledger_posting p ON p.merchant_id = e.merchant_id AND p.entry_id = e.id
     WHERE e.source_kind = 'settlement' AND p.account_kind = 'merchant_pending'
     GROUP BY p.merchant_id, p.entry_id, p.currency) p
    ON p.merchant_id = i.merchant_id AND p.entry_id = i.entry_id AND p.currency = i.currency
 WHERE i.state IN ('POSTED', 'PAYING', 'CLOSED') AND coalesce(p.moved, 0) <> -i.net_minor
UNION ALL
SELECT i.merchant_id, i.currency, 'hold of item ' || i.id, 'open, ' || i.net_minor,
       coalesce(lower(h.state) || ', ' || h.amount_minor, 'none')
  FROM settlement_item i
  LEFT JOIN ledger_hold h ON h.merchant_id = i.merchant_id AND h.id = i.hold_id
 WHERE i.state IN ('FROZEN', 'HELD_BACK') AND i.net_minor > 0
   AND (h.state IS DISTINCT FROM 'OPEN' OR h.amount_minor <> i.net_minor)
UNION ALL
SELECT i.merchant_id, i.currency, 'hold of item ' || i.id, 'captured, ' || i.net_minor,
       coalesce(concat_ws(', ', lower(h.state), h.captured_minor || ' of ' || h.amount_minor),
                'none')
  FROM settlement_item i
  LEFT JOIN ledger_hold h ON h.merchant_id = i.merchant_id AND h.id = i.hold_id
 WHERE i.state IN ('POSTED', 'PAYING', 'CLOSED') AND i.net_minor > 0
   AND (h.state, h.amount_minor, h.captured_minor, h.entry_id)
       IS DISTINCT FROM ('CAPTURED', i.net_minor, i.net_minor, i.entry_id)
UNION ALL
SELECT i.merchant_id, i.currency, 'item ' || i.id, 'posted, since it is booked', lower(i.state)
  FROM settlement_item i
 WHERE i.state IN ('COLLECTED', 'FROZEN', 'HELD_BACK') AND i.entry_id IS NOT NULL"""

_OPEN_DUES: Final = """
WITH open AS (
  SELECT d.merchant_id, d.currency, d.due_date, d.at_once, d.amount_minor
    FROM settlement_due d
   WHERE NOT EXISTS (SELECT FROM settlement_line l
                      WHERE l.merchant_id = d.merchant_id AND l.source_kind = d.source_kind
                        AND l.source_id = d.source_id))"""

# A net below zero has left its dues already and is not booked yet: it is owed out of pending.
_S1: Final = f"""{_OPEN_DUES}
SELECT coalesce(a.merchant_id, o.merchant_id) AS merchant_id,
       coalesce(a.currency, o.currency) AS currency, 'merchant_pending' AS subject,
       (coalesce(o.total, 0) + coalesce(n.owed, 0))::text AS expected,
       coalesce(a.free, 0)::text AS found
  FROM (SELECT merchant_id, currency, balance - held AS free FROM ledger_account
         WHERE kind = 'merchant_pending') a
  FULL JOIN (SELECT merchant_id, currency, sum(amount_minor) AS total FROM open
              GROUP BY merchant_id, currency) o
    ON o.merchant_id = a.merchant_id AND o.currency = a.currency
  LEFT JOIN (SELECT merchant_id, currency, sum(net_minor) AS owed FROM settlement_item
              WHERE state IN ('COLLECTED', 'FROZEN', 'HELD_BACK') AND net_minor < 0
              GROUP BY merchant_id, currency) n
    ON n.merchant_id = coalesce(a.merchant_id, o.merchant_id)
   AND n.currency = coalesce(a.currency, o.currency)
 WHERE coalesce(a.free, 0) <> coalesce(o.total, 0) + coalesce(n.owed, 0)"""

_S2: Final = f"""{_OPEN_DUES}
SELECT o.merchant_id, o.currency, 'position' AS subject,
       'open from ' || o.first || ' or before, at once ' || o.at_once AS expected,
       'open from ' || coalesce(p.open_from::text, 'never') || ', at once '
         || coalesce(p.has_at_once::text, 'no row') AS found
  FROM (SELECT merchant_id, currency, min(due_date) AS first, bool_or(at_once) AS at_once
          FROM open WHERE due_date IS NOT NULL GROUP BY merchant_id, currency) o
  LEFT JOIN settlement_position p ON p.merchant_id = o.merchant_id AND p.currency = o.currency
 WHERE p.open_from IS NULL OR p.open_from > o.first OR (o.at_once AND NOT p.has_at_once)
UNION ALL
SELECT c.merchant_id, c.currency, 'position', 'settled to ' || c.last || ' or after',
       'settled to ' || coalesce(p.claimed_to::text, 'never')
  FROM (SELECT d.merchant_id, d.currency, max(d.due_date) AS last
          FROM settlement_line l
          JOIN settlement_due d ON d.merchant_id = l.merchant_id AND d.source_kind = l.source_kind
           AND d.source_id = l.source_id
         WHERE NOT d.at_once GROUP BY d.merchant_id, d.currency) c
  LEFT JOIN settlement_position p ON p.merchant_id = c.merchant_id AND p.currency = c.currency
 WHERE p.claimed_to IS NULL OR p.claimed_to < c.last"""

_S3: Final = """
SELECT coalesce(i.merchant_id, x.merchant_id) AS merchant_id,
       coalesce(i.currency, x.currency) AS currency,
       'exposure of item ' || coalesce(i.id, x.item_id) AS subject,
       coalesce(i.advance_minor, 0)::text AS expected, coalesce(x.amount_minor, 0)::text AS found
  FROM (SELECT * FROM settlement_item
         WHERE state IN ('POSTED', 'PAYING', 'CLOSED') AND advance_minor > 0) i
  FULL JOIN settlement_exposure x ON x.merchant_id = i.merchant_id AND x.item_id = i.id
 WHERE (i.advance_minor, i.currency) IS DISTINCT FROM (x.amount_minor, x.currency)"""


def single_lines() -> Iterable[Finding]:
    """I8: a fact is on at most one line; lines are their item's net, the item is its entry."""
    yield from _find("I8", _I8, "Lines do not match their item.")
    yield from _find("I8", _I8_ENTRIES, "An item does not match what is booked.")


def explained_pending() -> Iterable[Finding]:
    """S1: what no hold reserves of a pending balance is the sum of its dues on no line."""
    yield from _find("S1", _S1, "Pending money is not explained by open dues.")


def bounded_positions() -> Iterable[Finding]:
    """S2: no open due lies outside the bounds by which runs look for it."""
    yield from _find("S2", _S2, "A run would overlook an open due.")


def known_exposures() -> Iterable[Finding]:
    """S3: what an item advanced stands in its exposure, neither more nor less."""
    yield from _find("S3", _S3, "Money was advanced that no exposure names.")


def _find(check: str, statement: str, message: str) -> Iterator[Finding]:
    for row in sql.rows(statement):
        yield Finding(check=check, message=message, **row)

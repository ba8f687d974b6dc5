"""C4 of our own: payments and refunds are as they were taken in, as far as other facts tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

# The business date was computed once, by the zone and the cut-off that the intake names.
_DATES: Final = """
SELECT f.merchant_id, f.currency, 'business date of ' || f.subject AS subject,
       coalesce(w.day::text, 'that of an intake') AS expected, f.business_date::text AS found
  FROM (SELECT p.merchant_id, p.currency, 'payment ' || p.payment_no AS subject,
               p.captured_at AS at, p.business_date, p.intake_id, 'PAYMENT' AS kind
          FROM channels_payment p
         UNION ALL
        SELECT r.merchant_id, r.currency, 'refund ' || r.refund_no, r.refunded_at, r.business_date,
               r.intake_id, 'REFUND'
          FROM channels_refund r) f
  LEFT JOIN channels_intake i ON i.id = f.intake_id AND i.kind = f.kind
  LEFT JOIN LATERAL (
    SELECT ((f.at AT TIME ZONE i.zone) - (i.cut_off - time '00:00'))::date AS day) w ON true
 WHERE w.day IS DISTINCT FROM f.business_date"""

# An intake stores the facts of a merchant in the order of their instants and numbers.
_ORDER: Final = """
SELECT f.merchant_id, f.currency, f.kind || ' ' || f.number AS subject,
       'at ' || f.former_at || ' or later' AS expected, 'at ' || f.at AS found
  FROM (SELECT p.merchant_id, p.currency, 'payment' AS kind, p.payment_no AS number,
               p.captured_at AS at, lag(p.captured_at) OVER w AS former_at,
               lag(p.payment_no) OVER w AS former_number
          FROM channels_payment p
        WINDOW w AS (PARTITION BY p.merchant_id, p.intake_id ORDER BY p.id)
         UNION ALL
        SELECT r.merchant_id, r.currency, 'refund', r.refund_no, r.refunded_at,
               lag(r.refunded_at) OVER w, lag(r.refund_no) OVER w
          FROM channels_refund r
        WINDOW w AS (PARTITION BY r.merchant_id, r.intake_id ORDER BY r.id)) f
 WHERE (f.at, f.number) < (f.former_at, f.former_number)
UNION ALL
SELECT r.merchant_id, r.currency, 'refund ' || r.refund_no, 'not before its payment, '
         || p.captured_at, 'at ' || r.refunded_at
  FROM channels_refund r
  JOIN channels_payment p ON p.merchant_id = r.merchant_id AND p.id = r.payment_id
 WHERE r.refunded_at < p.captured_at"""

# Each intake has the facts that its chunks were made for. (It may have announced more: what another
# intake stored at the same moment.)
_COUNTS: Final = """
WITH facts AS (
  SELECT intake_id, 'PAYMENT' AS kind, count(*) AS n FROM channels_payment GROUP BY intake_id
   UNION ALL
  SELECT intake_id, 'REFUND', count(*) FROM channels_refund GROUP BY intake_id
), cut AS (
  SELECT intake_id, kind, sum(facts)::bigint AS n FROM channels_chunk
   WHERE intake_id IS NOT NULL GROUP BY intake_id, kind
)
SELECT NULL::bigint AS merchant_id, '' AS currency,
       'intake ' || coalesce(i.id, f.intake_id, c.intake_id) AS subject,
       concat_ws(', ', coalesce(c.n, 0) || ' facts in chunks', 'at most ' || i.stored) AS expected,
       coalesce(f.n, 0) || ' facts' AS found
  FROM channels_intake i
  FULL JOIN facts f ON f.intake_id = i.id AND f.kind = i.kind
  FULL JOIN cut c ON c.intake_id = coalesce(i.id, f.intake_id) AND c.kind = coalesce(i.kind, f.kind)
 WHERE coalesce(f.n, 0) <> coalesce(c.n, 0) OR i.id IS NULL OR f.n > i.stored OR i.stored > i.rows
UNION ALL
SELECT NULL, '', 'chunk ' || c.id, 'cleared at some time, or not yet',
       c.state || coalesce(', ' || c.cleared_at, '')
  FROM channels_chunk c WHERE (c.state = 'DONE') <> (c.cleared_at IS NOT NULL)"""


def kept_as_taken_in() -> Iterable[Finding]:
    """C4: business dates follow from the instants, intakes and chunks have their facts in order."""
    return _find(_DATES, _ORDER, _COUNTS)


def _find(*statements: str) -> Iterator[Finding]:
    for statement in statements:
        for row in sql.rows(statement):
            yield Finding(check="C4", message="A fact is not as it was taken in.", **row)

"""I7, I9, P1 to P4: what explains the money of payouts, asked of everything by set-based SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

# Each statement returns merchant_id, currency, subject, expected, found for every broken row.
_I7: Final = """
SELECT merchant_id, max(currency) AS currency, 'withdrawal ' || withdrawal_id AS subject,
       'one live attempt and one that ever paid at most' AS expected,
       count(*) FILTER (WHERE status IN ('READY', 'SENDING', 'PROCESSING', 'UNKNOWN')) || ' live, '
         || count(paid_at) || ' paid' AS found
  FROM settlement_payout_attempt GROUP BY merchant_id, withdrawal_id
HAVING count(*) FILTER (WHERE status IN ('READY', 'SENDING', 'PROCESSING', 'UNKNOWN')) > 1
    OR count(paid_at) > 1
UNION ALL
SELECT l.merchant_id, l.currency, 'payout ' || l.order_no, 'one line per payout in day files',
       count(*)::text
  FROM settlement_bank_line l WHERE l.kind = 'PAID'
 GROUP BY l.merchant_id, l.currency, l.order_no HAVING count(*) > 1"""

_I9: Final = """
SELECT w.merchant_id, w.currency, w.number AS subject,
       'an open hold of ' || w.amount_minor + w.fee_minor AS expected,
       coalesce(h.state || ' ' || h.amount_minor, 'none') AS found
  FROM settlement_withdrawal w
  LEFT JOIN ledger_hold h ON h.merchant_id = w.merchant_id AND h.id = w.hold_id
 WHERE w.status IN ('REVIEW', 'HELD', 'PAYING')
   AND (h.state, h.amount_minor) IS DISTINCT FROM ('OPEN', w.amount_minor + w.fee_minor)
UNION ALL
SELECT w.merchant_id, w.currency, w.number, 'a hold of ' || w.amount_minor + w.fee_minor,
       coalesce(h.state || ' ' || h.amount_minor, 'none')
  FROM settlement_withdrawal w
  LEFT JOIN ledger_hold h ON h.merchant_id = w.merchant_id AND h.id = w.hold_id
 WHERE w.status NOT IN ('CREATED', 'REVIEW', 'HELD', 'PAYING')
   AND h.amount_minor IS DISTINCT FROM w.amount_minor + w.fee_minor
UNION ALL
SELECT a.merchant_id, a.currency, a.number, 'a withdrawal that is being paid', w.status
  FROM settlement_payout_attempt a
  JOIN settlement_withdrawal w ON w.merchant_id = a.merchant_id AND w.id = a.withdrawal_id
 WHERE a.status IN ('READY', 'SENDING', 'PROCESSING', 'UNKNOWN') AND w.status <> 'PAYING'
UNION ALL
SELECT h.merchant_id, h.currency, 'hold ' || h.source_id, 'a withdrawal that waits', 'none'
  FROM ledger_hold h
 WHERE h.source_kind = 'withdrawal' AND h.state = 'OPEN'
   AND NOT EXISTS (SELECT FROM settlement_withdrawal w
                    WHERE w.merchant_id = h.merchant_id AND w.hold_id = h.id
                      AND w.status IN ('REVIEW', 'HELD', 'PAYING'))"""

# In transit is what attempts sent, less what came back, less what day files have completed; and
# each attempt explains its own part of it: two faults of one amount do not hide each other.
_TRANSIT: Final = """
WITH said AS (
  SELECT merchant_id, currency, code, sum(amount) AS amount FROM (
    SELECT a.merchant_id, a.currency, c.code, a.amount_minor AS amount
      FROM settlement_payout_attempt a JOIN settlement_payout_channel c ON c.id = a.channel_id
     WHERE a.status IN ('SUCCEEDED', 'DISPUTED')
     UNION ALL
    SELECT l.merchant_id, l.currency, c.code,
           CASE l.kind WHEN 'PAID' THEN -l.amount_minor ELSE l.amount_minor END
      FROM settlement_bank_line l JOIN settlement_payout_channel c ON c.id = l.channel_id
     WHERE l.state = 'BOOKED') moved
  GROUP BY merchant_id, currency, code
), booked AS (
  SELECT p.merchant_id, p.currency, e.memo AS number,
         sum(CASE p.side WHEN 'CR' THEN p.amount_minor ELSE -p.amount_minor END) AS amount
    FROM ledger_posting p
    JOIN ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
    LEFT JOIN ledger_entry r ON r.merchant_id = e.merchant_id AND r.id = e.reverses_id
   WHERE p.account_kind = 'payout_in_transit'
     AND coalesce(r.source_kind, e.source_kind) <> 'payout_statement'
   GROUP BY p.merchant_id, p.currency, e.memo
)
SELECT coalesce(s.merchant_id, a.merchant_id) AS merchant_id,
       coalesce(s.currency, a.currency) AS currency,
       'payout_in_transit ' || coalesce(s.code, a.ref_id) AS subject,
       coalesce(s.amount, 0)::text AS expected, coalesce(a.balance, 0)::text AS found
  FROM said s
  FULL JOIN (SELECT * FROM ledger_account
              WHERE kind = 'payout_in_transit' AND ref_kind = 'channel') a
    ON a.merchant_id = s.merchant_id AND a.currency = s.currency AND a.ref_id = s.code
 WHERE coalesce(s.amount, 0) <> coalesce(a.balance, 0)
UNION ALL
SELECT coalesce(a.merchant_id, b.merchant_id), coalesce(a.currency, b.currency),
       coalesce(a.number, b.number), coalesce(a.amount, 0)::text, coalesce(b.amount, 0)::text
  FROM (SELECT merchant_id, currency, number,
               CASE WHEN status IN ('SUCCEEDED', 'DISPUTED') THEN amount_minor ELSE 0 END AS amount
          FROM settlement_payout_attempt) a
  FULL JOIN booked b USING (merchant_id, currency, number)
 WHERE coalesce(a.amount, 0) <> coalesce(b.amount, 0)"""

# What each withdrawal says was paid, with its fee, is what the ledger took from the merchant for
# it.
_TOTALS: Final = """
WITH said AS (
  SELECT w.merchant_id, w.currency, a.number, w.paid_minor + w.paid_fee_minor AS amount
    FROM settlement_withdrawal w
    LEFT JOIN settlement_payout_attempt a
      ON a.merchant_id = w.merchant_id AND a.withdrawal_id = w.id
   WHERE a.id IS NOT NULL OR w.paid_minor <> 0 OR w.paid_fee_minor <> 0
), booked AS (
  SELECT p.merchant_id, p.currency, e.memo AS number,
         sum(CASE p.side WHEN a.normal_side THEN -p.amount_minor ELSE p.amount_minor END
             * CASE p.account_kind WHEN 'merchant_debt' THEN -1 ELSE 1 END) AS amount
    FROM ledger_posting p
    JOIN ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
    JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.id = p.account_id
    LEFT JOIN ledger_entry r ON r.merchant_id = e.merchant_id AND r.id = e.reverses_id
   WHERE p.account_kind IN ('merchant_available', 'merchant_debt')
     AND coalesce(r.source_kind, e.source_kind) IN
         ('payout_paid', 'payout_returned', 'payout_late', 'payout_resolved')
   GROUP BY p.merchant_id, p.currency, e.memo
)
SELECT coalesce(s.merchant_id, b.merchant_id) AS merchant_id,
       coalesce(s.currency, b.currency) AS currency,
       'paid out and fees of ' || coalesce(s.number, b.number, 'no attempt') AS subject,
       coalesce(s.amount, 0)::text AS expected, coalesce(b.amount, 0)::text AS found
  FROM said s FULL JOIN booked b USING (merchant_id, currency, number)
 WHERE coalesce(s.amount, 0) <> coalesce(b.amount, 0)"""

# Withdrawal and attempt say the same, and each ending has the news that prove it.
_PROOF: Final = """
WITH told AS (
  SELECT w.merchant_id, w.currency, w.number, w.status AS wanted, a.status AS said
    FROM settlement_withdrawal w
    LEFT JOIN LATERAL (SELECT status FROM settlement_payout_attempt a
                        WHERE a.merchant_id = w.merchant_id AND a.withdrawal_id = w.id
                        ORDER BY a.attempt_no DESC LIMIT 1) a ON true
)
SELECT merchant_id, currency, number AS subject, wanted AS expected,
       coalesce(said, 'no attempt') AS found
  FROM told
 WHERE NOT (CASE
     WHEN said IS NULL THEN wanted IN ('CREATED', 'REVIEW', 'HELD', 'REJECTED', 'CANCELLED',
                                       'EXPIRED')
     WHEN said IN ('READY', 'SENDING', 'PROCESSING', 'UNKNOWN') THEN wanted = 'PAYING'
     WHEN said = 'SUCCEEDED' THEN wanted = 'PAID'
     ELSE wanted = said END)
UNION ALL
SELECT a.merchant_id, a.currency, a.number, 'news that prove ' || a.status, 'none'
  FROM settlement_payout_attempt a
 WHERE a.status IN ('SUCCEEDED', 'FAILED', 'RETURNED', 'DISPUTED')
   AND NOT EXISTS (
     SELECT FROM settlement_payout_evidence e
      WHERE e.merchant_id = a.merchant_id AND e.attempt_id = a.id
        AND coalesce(e.sequence, a.sequence) = a.sequence
        AND (a.status, e.verdict) IN (
          ('SUCCEEDED', 'PAY'), ('SUCCEEDED', 'DECIDED'), ('FAILED', 'FAIL'),
          ('FAILED', 'DECIDED'), ('RETURNED', 'RETURN'), ('RETURNED', 'PAY_AND_RETURN'),
          ('RETURNED', 'DECIDED'), ('DISPUTED', 'LATE_SUCCESS'), ('DISPUTED', 'CONTRADICT'))
        AND (e.verdict IN ('DECIDED', 'FAIL', 'CONTRADICT')
             OR (e.amount_minor, e.currency, e.payee_hash, e.order_no)
                = (a.amount_minor, a.currency, a.payee_hash, a.number)))
UNION ALL
SELECT a.merchant_id, a.currency, a.number, 'not paid', 'a booked bank line'
  FROM settlement_payout_attempt a
  JOIN settlement_bank_line l ON l.merchant_id = a.merchant_id AND l.attempt_id = a.id
 WHERE a.status = 'FAILED' AND l.kind = 'PAID' AND l.state = 'BOOKED'"""

# A token opened one withdrawal, the one it was given for.
_AUTHORITY: Final = """
SELECT w.merchant_id, w.currency, w.number AS subject, 'a token of its own' AS expected,
       w.authority_reference AS found
  FROM settlement_withdrawal w
 WHERE w.authority = 'TOKEN'
   AND (NOT EXISTS (
          SELECT FROM merchants_verification_token t
            JOIN merchants_bank_account b
              ON b.merchant_id = w.merchant_id AND b.id = w.bank_account_id
           WHERE t.merchant_id = w.merchant_id AND 'token:' || t.id = w.authority_reference
             AND t.operation = 'withdrawal' AND t.user_id = w.requested_by_id
             AND (t.amount_minor, t.currency, t.payee)
                 = (w.amount_minor, w.currency, b.uuid::text)
             AND t.used_at IS NOT NULL)
        OR EXISTS (
          SELECT FROM settlement_withdrawal o
           WHERE o.merchant_id = w.merchant_id AND o.authority = 'TOKEN' AND o.id <> w.id
             AND o.authority_reference = w.authority_reference))
UNION ALL
SELECT w.merchant_id, w.currency, w.number, 'a standing instruction to this payee',
       w.authority_reference
  FROM settlement_withdrawal w
 WHERE w.authority = 'STANDING_INSTRUCTION' AND NOT EXISTS (
     SELECT FROM settlement_standing_instruction s
      WHERE s.merchant_id = w.merchant_id AND s.currency = w.currency
        AND s.bank_account_id = w.bank_account_id
        AND concat('SI', s.merchant_id, '-', s.currency, '-', s.version) = w.authority_reference)
UNION ALL
SELECT w.merchant_id, w.currency, w.number, 'a key of this merchant or of the institution',
       w.authority_reference
  FROM settlement_withdrawal w
 WHERE w.authority = 'SIGNED_REQUEST' AND NOT EXISTS (
     SELECT FROM merchants_api_key k
      WHERE 'key:' || k.prefix = w.authority_reference
        AND (k.kind = 'INSTITUTION' OR k.kind = 'MERCHANT' AND k.merchant_id = w.merchant_id))"""


def _findings(check: str, message: str, statement: str) -> Iterator[Finding]:
    for row in sql.rows(statement):
        yield Finding(check=check, message=message, **row)


def proved_endings() -> Iterable[Finding]:
    """P3: withdrawal and attempt say the same, and no payout ended without its evidence."""
    yield from _findings("P3", "a payout ended without proof", _PROOF)


def proved_authority() -> Iterable[Finding]:
    """P4: a verification token opened one withdrawal, the one it was given for."""
    yield from _findings("P4", "a withdrawal has no authority of its own", _AUTHORITY)


def paid_at_most_once() -> Iterable[Finding]:
    """I7: a withdrawal has at most one live attempt, and at most one that ever paid."""
    yield from _findings("I7", "a withdrawal was paid twice or is being paid twice", _I7)


def unknown_keeps_its_hold() -> Iterable[Finding]:
    """I9: what may yet be paid keeps its hold, and only that keeps one."""
    yield from _findings("I9", "a withdrawal and its hold do not fit", _I9)


def explained_transit() -> Iterable[Finding]:
    """P1: money in transit is what was sent less what came back and what day files completed."""
    yield from _findings("P1", "money in transit is not explained by payouts", _TRANSIT)


def explained_withdrawals() -> Iterable[Finding]:
    """P2: what withdrawals say was paid is what the ledger took from the merchants for them."""
    yield from _findings("P2", "withdrawals and ledger do not agree", _TOTALS)


CHECKS: Final = {
    "I7": paid_at_most_once,
    "I9": unknown_keeps_its_hold,
    "P1": explained_transit,
    "P2": explained_withdrawals,
    "P3": proved_endings,
    "P4": proved_authority,
}

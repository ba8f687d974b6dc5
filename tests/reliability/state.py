"""
What stands in the business tables in the end, so that two databases can be compared.

Surrogate ids, instants, and what only tells by which way the end was reached (how often was asked,
under whose lease) are left out; everything else is in, new tables and columns too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from django.db import connection

from foundation import sql

State = dict[str, Counter[str]]

_PACKAGES: Final = ("channels", "ledger", "settlement")
# How it came about, not what came of it.
_TELLS_THE_WAY: Final = frozenset(
    {
        "settlement_payout_transition",
        "settlement_payout_evidence",
        "settlement_payout_callback",
        "settlement_payout_case",  # those still open are compared
    }
)
_NO_CONTENT: Final = ("timestamp with time zone", "uuid", "bytea", "xid8")
_LEFT_OUT: Final[dict[str, frozenset[str]]] = {
    # Order of postings in an account, and numbers made from sequences: a rollback skips some.
    "ledger_posting": frozenset({"seq", "balance_after"}),
    "ledger_posting_line": frozenset({"seq", "line_no", "balance_after"}),
    "ledger_entry": frozenset({"source_id", "memo", "accounting_date"}),
    "ledger_hold": frozenset({"source_id", "reason", "resolved_by"}),
    "settlement_withdrawal": frozenset({"number", "business_date"}),
    "settlement_withdrawal_transition": frozenset({"reason"}),
    "settlement_payout_attempt": frozenset(
        {"number", "sequence", "queries", "fence", "lease_owner", "channel_no"}
    ),
    "settlement_bank_line": frozenset({"order_no", "channel_no", "cause", "line_no"}),
    "settlement_payout_statement": frozenset({"day", "sha256"}),
}
_REFERENCES: Final = {
    "what each line settles": """
SELECT i.merchant_id, i.run_date, i.cycle, i.currency, b.part, l.source_kind, l.amount_minor,
       coalesce(p.payment_no, r.refund_no) AS fact
  FROM settlement_line l
  JOIN settlement_item i ON i.merchant_id = l.merchant_id AND i.id = l.item_id
  JOIN settlement_batch b ON b.id = i.batch_id
  LEFT JOIN channels_payment p ON l.source_kind = 'payment' AND p.merchant_id = l.merchant_id
                              AND p.id = l.source_id
  LEFT JOIN channels_refund r ON l.source_kind <> 'payment' AND r.merchant_id = l.merchant_id
                             AND r.id = l.source_id""",
    "what each entry posts": """
SELECT e.merchant_id, e.source_kind, array_agg((p.account_kind, p.currency, p.operation, p.side,
         p.amount_minor)::text ORDER BY p.account_kind, p.operation, p.side, p.amount_minor) AS p
  FROM ledger_entry e JOIN ledger_posting p ON p.merchant_id = e.merchant_id AND p.entry_id = e.id
 GROUP BY e.merchant_id, e.source_kind, e.id""",
    "who pays which item": """
SELECT w.merchant_id, w.order_no, w.status, i.state, i.run_date, a.attempt_no, a.status AS attempt,
       h.state AS hold
  FROM settlement_withdrawal w
  LEFT JOIN settlement_item i ON i.merchant_id = w.merchant_id AND i.id = w.item_id
  LEFT JOIN settlement_payout_attempt a ON a.merchant_id = w.merchant_id AND a.withdrawal_id = w.id
  LEFT JOIN ledger_hold h ON h.merchant_id = w.merchant_id AND h.id = w.hold_id""",
    "what waits for people": (
        "SELECT merchant_id, kind FROM settlement_payout_case WHERE closed_at IS NULL"
    ),
    "what the outbox promised": "SELECT merchant_id, kind, state FROM foundation_outbox",
}


def digest() -> State:
    """Return every business row's content, counted, by table and by reference."""
    found: State = {}
    for table, columns in _columns().items():
        rows = sql.rows(f"SELECT {', '.join(columns)} FROM {table}")
        found[table] = Counter(_text(row) for row in rows)
    for name, statement in _REFERENCES.items():
        found[name] = Counter(_text(row) for row in sql.rows(statement))
    return found


def differences(expected: State, found: State) -> list[str]:
    """Return what is missing and what is too much, one line each."""
    said = []
    for name in sorted(expected.keys() | found.keys()):
        ours, theirs = found.get(name, Counter()), expected.get(name, Counter())
        said += [f"{name}: missing {n} x {row}" for row, n in sorted((theirs - ours).items())]
        said += [f"{name}: too much {n} x {row}" for row, n in sorted((ours - theirs).items())]
    return said


def _columns() -> dict[str, list[str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND split_part(table_name, '_', 1) = ANY (%s)"
            " ORDER BY table_name, ordinal_position",
            [list(_PACKAGES)],
        )
        found: dict[str, list[str]] = {}
        for table, column, kind in cursor.fetchall():
            surrogate = kind == "bigint" and (column == "id" or column.endswith("_id"))
            who = column in ("actor", "request_id")
            if (
                table in _TELLS_THE_WAY
                or kind in _NO_CONTENT
                or who
                or (surrogate and column != "merchant_id")
                or column in _LEFT_OUT.get(table, ())
            ):
                continue
            found.setdefault(table, []).append(f'"{column}"')
        return found


def _text(row: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items())

"""
Clearing: priced payments and refunds become journal entries, a chunk to a transaction.

A chunk is claimed by its row's lock, so any number of processes may clear at once, and what a dead
one left is cleared by the next. Rule: CLR-1 to CLR-5 (docs/rules/clearing.md).
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from django.conf import settings
from django.db import DataError, IntegrityError, transaction

from channels.models import Chunk, Intake
from config.errors import DomainError
from foundation import csv_intake, registries, retry, sql
from foundation.csv_intake import Progress
from ledger import errors
from ledger.services import journal

log = logging.getLogger(__name__)

_NEXT: Final = """
SELECT id, intake_id, from_id, to_id, facts FROM channels_chunk
 WHERE state = 'NEW' AND kind = %(kind)s AND id <> ALL (%(failed)s)
 ORDER BY id LIMIT %(limit)s FOR UPDATE {wait}"""
_OF_INTAKE: Final = (
    "{alias}.id BETWEEN %(from_id)s AND %(to_id)s AND {alias}.intake_id = %(intake_id)s"
)
_OF_INTAKES: Final = (
    "{alias}.id IN (SELECT f.id FROM channels_chunk c JOIN {table} f"
    " ON f.id BETWEEN c.from_id AND c.to_id AND f.intake_id = c.intake_id"
    " WHERE c.id = ANY (%(chunk_ids)s))"
)
_OF_WAITING: Final = (
    "({alias}.merchant_id, {alias}.id) IN (SELECT u.merchant_id, u.fact_id"
    " FROM channels_unpriced u WHERE u.chunk_id = %(chunk_id)s)"
)
_OPEN: Final = """
SELECT ledger_open_accounts(array_agg(w.merchant_id), array_agg(w.kind), array_agg(w.currency),
       array_agg(w.ref_kind), array_agg(w.ref_id))
  FROM (SELECT DISTINCT t.merchant_id, k.kind, t.currency, '' AS ref_kind, '' AS ref_id
          FROM pg_temp.{table} t CROSS JOIN unnest(%(kinds)s::text[]) AS k (kind)
         UNION
        SELECT DISTINCT t.merchant_id, 'channel_receivable', t.currency, 'channel', c.code
          FROM pg_temp.{table} t JOIN channels_channel c ON c.id = t.channel_id) w"""
_LINES: Final = """
INSERT INTO ledger_intake_line (call_id, ord, merchant_id, source_kind, source_id, account_id,
       operation, fact_kind, fact_id, amount_minor)
SELECT %(call_id)s, t.id, t.merchant_id, %(source)s, %(chunk_id)s || ':' || t.currency, a.id,
       %(operation)s, %(fact)s, t.id, {amount}
  FROM pg_temp.{table} t
  JOIN ledger_account a ON a.merchant_id = t.merchant_id AND a.kind = %(kind)s
   AND a.currency = t.currency AND a.ref_kind = '' AND a.ref_id = ''
 WHERE {amount} <> 0"""
# Every account the refunds will touch, locked at once in id order (a second round could meet
# a payout's); then what is free in the pending and available of each refunding merchant.
_SPOT: Final = """
CREATE TEMPORARY TABLE spot ON COMMIT DROP AS
WITH wanted AS MATERIALIZED (
  SELECT a.id, a.merchant_id, a.currency, a.kind
    FROM (SELECT DISTINCT r.merchant_id, r.currency FROM channels_refund r WHERE {chosen}) w
    JOIN ledger_account a ON a.merchant_id = w.merchant_id AND a.currency = w.currency
     AND a.kind IN ('merchant_pending', 'merchant_available', 'merchant_debt', 'fee_income',
                    'channel_receivable')
), locked AS MATERIALIZED (
  SELECT * FROM ledger_lock((SELECT array_agg(id ORDER BY id) FROM wanted))
)
SELECT w.merchant_id, w.currency,
       coalesce(sum(l.balance - l.held) FILTER (WHERE w.kind = 'merchant_pending'), 0)::bigint
         AS pending,
       coalesce(sum(l.balance - l.held) FILTER (WHERE w.kind = 'merchant_available'), 0)::bigint
         AS available
  FROM wanted w JOIN locked l USING (id) GROUP BY w.merchant_id, w.currency"""
_OPEN_FOR_REFUNDS: Final = """
SELECT ledger_open_accounts(array_agg(w.merchant_id), array_agg(k.kind), array_agg(w.currency),
       array_agg(''::text), array_agg(''::text))
  FROM (SELECT DISTINCT r.merchant_id, r.currency FROM channels_refund r WHERE {chosen}) w
 CROSS JOIN unnest(ARRAY['merchant_pending', 'merchant_available', 'merchant_debt', 'fee_income'])
       AS k (kind)"""
_WAIT_FOR_A_VERSION: Final = """
INSERT INTO channels_unpriced (merchant_id, fact_kind, fact_id, since)
SELECT t.merchant_id, 'PAYMENT', t.id, %(at)s FROM pg_temp.clearing_payment t
 WHERE t.fee_rule_id IS NULL ON CONFLICT (merchant_id, fact_kind, fact_id) DO NOTHING"""
_WAIT_FOR_THE_PAYMENT: Final = """
INSERT INTO channels_unpriced (merchant_id, fact_kind, fact_id, since)
SELECT r.merchant_id, 'REFUND', r.id, %(at)s FROM channels_refund r
 WHERE {chosen} AND NOT EXISTS (
         SELECT FROM channels_pricing g
          WHERE g.merchant_id = r.merchant_id AND g.payment_id = r.payment_id)
ON CONFLICT (merchant_id, fact_kind, fact_id) DO NOTHING"""
_LEAVE_THE_LIST: Final = """
DELETE FROM channels_unpriced u USING pg_temp.{table} t
 WHERE u.fact_kind = %(kind)s AND u.merchant_id = t.merchant_id AND u.fact_id = t.id {priced}"""
_STAY_ON_THE_LIST: Final = (
    "UPDATE channels_unpriced SET chunk_id = NULL WHERE chunk_id = %(chunk_id)s"
)
_READY: Final = {
    "PAYMENT": """EXISTS (
        SELECT FROM channels_payment p WHERE p.merchant_id = u.merchant_id AND p.id = u.fact_id
           AND channels_fee_rule_for(p.merchant_id, p.product_id, p.channel_id, p.currency,
                 (p.captured_at AT TIME ZONE %(zone)s)::date) IS NOT NULL)""",
    "REFUND": """EXISTS (
        SELECT FROM channels_refund r JOIN channels_pricing g
            ON g.merchant_id = r.merchant_id AND g.payment_id = r.payment_id
         WHERE r.merchant_id = u.merchant_id AND r.id = u.fact_id)""",
}
_GIVE_CHUNK: Final = """
WITH ready AS MATERIALIZED (
  SELECT u.id FROM channels_unpriced u
   WHERE u.fact_kind = %(kind)s AND u.chunk_id IS NULL AND {ready}
   ORDER BY u.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), chunk AS (
  INSERT INTO channels_chunk (kind, from_id, to_id, facts, state, created_at)
  SELECT %(kind)s, 0, 0, count(*), 'NEW', %(at)s FROM ready HAVING count(*) > 0 RETURNING id
)
UPDATE channels_unpriced u SET chunk_id = chunk.id FROM ready, chunk WHERE u.id = ready.id"""
_WAITING_CHUNK: Final = 50_000
_COALESCED: Final = 500  # small chunks, one for each API call, that are booked together
_SMALL: Final = 2_000  # facts; a chunk of a file is larger and is booked by itself


@dataclass(frozen=True, slots=True)
class Cleared:
    """
    What one call cleared: chunks, payments and refunds booked, how many facts wait, and how many
    chunks could not be booked.
    """

    chunks: int
    payments: int
    refunds: int
    waiting: int
    failed: int

    def as_dict(self) -> dict[str, int]:
        """Return what commands print."""
        return asdict(self)


@dataclass(slots=True)
class _Round:
    """One walk over the chunks of a kind: those passed over, and whether each goes by itself."""

    failed: list[int] = field(default_factory=list)
    alone: bool = False


def clear_all(*, at: datetime, progress: Progress | None = None) -> Cleared:
    """
    Clear every chunk that is left, payments before refunds; safe to run twice and at once.

    What waited for a fee version or for its payment is taken up again when that has come. Returns
    when nothing is left, also when another process did the last of it. A chunk that cannot be
    booked stays, is logged and counted, and holds up no other.
    Rule: CLR-1, CLR-3, CLR-6 (docs/rules/clearing.md).
    """
    chunks = payments = refunds = failed = 0
    total = Chunk.objects.filter(state=Chunk.State.NEW).count()
    for kind in (Intake.Kind.PAYMENT, Intake.Kind.REFUND):
        _take_up_waiting(kind, at)
        walk = _Round()
        while (done := retry.retried(partial(_clear_next, kind, at, walk))) is not None:
            chunks += 1
            payments += done if kind == Intake.Kind.PAYMENT else 0
            refunds += done if kind == Intake.Kind.REFUND else 0
            if progress is not None:
                progress(chunks, max(total, chunks))
        failed += len(walk.failed)
    waiting = sql.rows("SELECT count(*) AS n FROM channels_unpriced")[0]["n"]
    return Cleared(chunks - failed, payments, refunds, int(waiting), failed)


def _take_up_waiting(kind: str, at: datetime) -> None:
    """Give what waits and can go on now chunks of its own."""
    statement = _GIVE_CHUNK.format(ready=_READY[kind])
    params = {"kind": kind, "zone": settings.TIME_ZONE, "limit": _WAITING_CHUNK, "at": at}
    while sql.execute(statement, params):
        pass


def _clear_next(kind: str, at: datetime, walk: _Round) -> int | None:
    """
    Clear one chunk, or many small ones together, in one transaction.

    Returns how many facts were booked, None when nothing is left. What the ledger or a constraint
    refuses is passed over from here on; small chunks that went together then go one by one.
    """
    chunks: list[sql.Row] = []
    try:
        return _clear_claimed(kind, at, walk, chunks)
    except (DomainError, DataError, IntegrityError) as refusal:
        if len(chunks) > 1:
            walk.alone = True
            return _clear_next(kind, at, walk)
        bug = not isinstance(refusal, DomainError)
        log.error("chunk %s cannot be cleared: %s", chunks[0]["id"], refusal, exc_info=bug)
        walk.failed.append(chunks[0]["id"])
        return 0


def _clear_claimed(kind: str, at: datetime, walk: _Round, chunks: list[sql.Row]) -> int | None:
    """Do it; `chunks` tells afterwards what was claimed."""
    with transaction.atomic(durable=True):
        chunks += _claim(kind, walk)
        if not chunks:
            return None
        sql.execute("SET LOCAL work_mem = '128MB'")
        clear = _clear_payments if kind == Intake.Kind.PAYMENT else _clear_refunds
        with errors.named():
            booked = clear(_params(chunks, at))
        sql.execute(
            "UPDATE channels_chunk SET state = 'DONE', cleared_at = %s WHERE id = ANY (%s)",
            [at, [chunk["id"] for chunk in chunks]],
        )
    return booked


def _claim(kind: str, walk: _Round) -> list[sql.Row]:
    """
    Lock the next chunk, and behind a small one more small ones, to be booked together (CLR-5).

    A merchant whose payments come one by one is thus locked once for many of them.
    """
    params = {"kind": kind, "failed": walk.failed, "limit": 1}
    first = sql.rows(_NEXT.format(wait="SKIP LOCKED"), params)
    if not first:  # wait for those that another process is clearing
        sql.execute("SET LOCAL lock_timeout = '10min'")
        first = sql.rows(_NEXT.format(wait=""), params)
    if not first or not _is_small(first[0]) or walk.alone:
        return first
    found = sql.rows(_NEXT.format(wait="SKIP LOCKED"), params | {"limit": _COALESCED})
    return [chunk for chunk in found if _is_small(chunk)]


def _is_small(chunk: sql.Row) -> bool:
    return chunk["intake_id"] is not None and chunk["facts"] <= _SMALL


def _params(chunks: list[sql.Row], at: datetime) -> dict[str, object]:
    lead = chunks[0]
    return {
        "call_id": uuid.uuid4(),
        "chunk_id": lead["id"],
        "chunk_ids": [chunk["id"] for chunk in chunks],
        "intake_id": lead["intake_id"],
        "from_id": lead["from_id"],
        "to_id": lead["to_id"],
        "zone": settings.TIME_ZONE,
        "at": at,
    }


def _chosen(params: dict[str, object], alias: str, table: str) -> str:
    if params["intake_id"] is None:
        return _OF_WAITING.format(alias=alias)
    several = params["chunk_ids"] != [params["chunk_id"]]
    return (_OF_INTAKES if several else _OF_INTAKE).format(alias=alias, table=table)


def _clear_payments(params: dict[str, object]) -> int:
    sql.execute("DROP TABLE IF EXISTS pg_temp.clearing_fact, pg_temp.clearing_payment")
    facts = sql.load("channels", "clear_fact").format(
        chosen=_chosen(params, "p", "channels_payment")
    )
    sql.execute(facts, params)
    sql.execute("ANALYZE pg_temp.clearing_fact")
    statement = sql.load("channels", "clear_price").format(currencies=csv_intake.CURRENCIES)
    sql.execute(statement)
    sql.execute("ANALYZE pg_temp.clearing_payment")
    sql.execute(_WAIT_FOR_A_VERSION, params)
    sql.execute(
        _LEAVE_THE_LIST.format(table="clearing_payment", priced="AND t.fee_rule_id IS NOT NULL"),
        {"kind": "PAYMENT"},
    )
    sql.execute(_STAY_ON_THE_LIST, params)
    booked = sql.execute(
        "INSERT INTO channels_pricing (merchant_id, payment_id, fee_rule_id, fee_minor, chunk_id)"
        " SELECT merchant_id, id, fee_rule_id, fee_minor, %(chunk_id)s"
        " FROM pg_temp.clearing_payment"
        " WHERE fee_rule_id IS NOT NULL ORDER BY id",
        params,
    )
    if not booked:
        return 0
    kinds = ["merchant_pending", "fee_income"]
    sql.execute(_OPEN.format(table="clearing_payment"), {"kinds": kinds})
    sql.execute(sql.load("channels", "clear_postings"), params)
    _add_lines(
        params,
        "clearing_payment",
        "merchant_pending",
        "clear",
        "clearing",
        "payment",
        "(CASE WHEN t.fee_rule_id IS NULL THEN 0 ELSE t.amount_minor - t.fee_minor END)",
    )
    _book(params, "payments_cleared")
    return booked


def _clear_refunds(params: dict[str, object]) -> int:
    chosen = _chosen(params, "r", "channels_refund")
    sql.execute("DROP TABLE IF EXISTS pg_temp.clearing_refund, pg_temp.spot")
    sql.execute(_WAIT_FOR_THE_PAYMENT.format(chosen=chosen), params)
    sql.execute(_OPEN_FOR_REFUNDS.format(chosen=chosen), params)
    sql.execute(_SPOT.format(chosen=chosen), params)
    sql.execute(sql.load("channels", "refund_allocate").format(chosen=chosen), params)
    sql.execute("ANALYZE pg_temp.clearing_refund")
    sql.execute(_LEAVE_THE_LIST.format(table="clearing_refund", priced=""), {"kind": "REFUND"})
    sql.execute(_STAY_ON_THE_LIST, params)
    booked = sql.execute(
        "INSERT INTO channels_refund_booking (merchant_id, refund_id, payment_id, amount_minor,"
        " fee_returned_minor, from_pending_minor, from_available_minor, to_debt_minor, chunk_id)"
        " SELECT merchant_id, id, payment_id, amount_minor, fee_returned_minor, from_pending_minor,"
        " from_available_minor, to_debt_minor, %(chunk_id)s FROM pg_temp.clearing_refund"
        " ORDER BY id",
        params,
    )
    if not booked:
        return 0
    sql.execute(_OPEN.format(table="clearing_refund"), {"kinds": []})
    sql.execute(sql.load("channels", "refund_postings"), params)
    for kind, operation, amount in (
        ("merchant_pending", "refund", "(-t.from_pending_minor)"),
        ("merchant_available", "refund", "(-t.from_available_minor)"),
        ("merchant_debt", "owe", "t.to_debt_minor"),
    ):
        _add_lines(params, "clearing_refund", kind, operation, "refund", "refund", amount)
    _book(params, "refunds_booked")
    return booked


def _add_lines(
    params: dict[str, object],
    table: str,
    kind: str,
    operation: str,
    source: str,
    fact: str,
    amount: str,
) -> None:
    words = {"kind": kind, "operation": operation, "source": source, "fact": fact}
    sql.execute(_LINES.format(table=table, amount=amount), params | words)


def _book(params: dict[str, object], event: str) -> None:
    call_id, chunk_id = params["call_id"], params["chunk_id"]
    assert isinstance(call_id, uuid.UUID)
    assert isinstance(chunk_id, int)
    journal.post_bulk(call_id=call_id)
    registries.announce_facts(event, chunk_id=chunk_id)

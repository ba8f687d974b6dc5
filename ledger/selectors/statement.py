"""Statements: opening + movements = closing, paged by key over postings and their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import connection

from config.errors import DomainError
from foundation import clock, registries

_COLUMNS = """seq, line_no, posted_at, operation, amount_minor, balance_after, entry_id, fact_kind,
  fact_id, source_kind, source_id"""

# Lines first; a posting shows by itself only where it has no lines. A posting whose lines lie past
# the page sorts after all of them, so the LIMIT cuts it off: no flag and no look-ahead is needed.
_TEMPLATE = f"""
WITH account AS MATERIALIZED (
  SELECT normal_side FROM ledger_account WHERE merchant_id = %(merchant_id)s AND id = %(account_id)s
), lines AS MATERIALIZED (
  SELECT l.seq, l.line_no, l.amount_minor, l.balance_after, l.fact_kind, l.fact_id
    FROM ledger_posting_line l <join>
   WHERE l.merchant_id = %(merchant_id)s AND l.account_id = %(account_id)s
     AND (l.seq, l.line_no) < (%(seq)s, %(line_no)s) AND l.seq > %(floor)s <only>
   ORDER BY l.seq DESC, l.line_no DESC LIMIT %(limit)s
), postings AS MATERIALIZED (
  SELECT p.seq, p.posted_at, p.operation, p.side, p.amount_minor, p.balance_after, p.entry_id
    FROM ledger_posting p
   WHERE p.merchant_id = %(merchant_id)s AND p.account_id = %(account_id)s
     AND p.seq < %(seq)s AND p.seq > %(floor)s <only>
   ORDER BY p.seq DESC LIMIT %(limit)s
), page AS (
  SELECT l.seq, l.line_no, p.posted_at, p.operation, l.amount_minor, l.balance_after, p.entry_id,
         l.fact_kind, l.fact_id
    FROM lines l JOIN ledger_posting p
      ON p.merchant_id = %(merchant_id)s AND p.account_id = %(account_id)s AND p.seq = l.seq
  UNION ALL
  SELECT p.seq, 0, p.posted_at, p.operation,
         CASE WHEN p.side = account.normal_side THEN p.amount_minor ELSE -p.amount_minor END,
         p.balance_after, p.entry_id, '', NULL
    FROM postings p CROSS JOIN account
   WHERE NOT EXISTS (SELECT FROM lines l WHERE l.seq = p.seq)
   ORDER BY 1 DESC, 2 DESC LIMIT %(limit)s)
SELECT {_COLUMNS} FROM page
  JOIN (SELECT id, source_kind, source_id FROM ledger_entry WHERE merchant_id = %(merchant_id)s) e
    ON e.id = page.entry_id
 ORDER BY seq DESC, line_no DESC"""

_PAGE = _TEMPLATE.replace("<join>", "").replace("<only>", "")
# Of one operation: it is the posting's, and there are far fewer postings than lines.
_PAGE_OF_OPERATION = _TEMPLATE.replace(
    "<join>",
    "JOIN ledger_posting p ON p.merchant_id = l.merchant_id AND p.account_id = l.account_id"
    " AND p.seq = l.seq",
).replace("<only>", "AND p.operation = %(operation)s")

_TOP = 2**62


class StatementDoesNotAddUp(DomainError):
    """Opening plus movements is not closing: the statement is not printed (S2-35)."""

    code = "statement_does_not_add_up"
    http_status = 500


class Position(NamedTuple):
    """Where a page ends; the next one begins below it."""

    seq: int
    line_no: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a statement. Amounts are signed minor units: positive grows the account."""

    seq: int
    line_no: int
    posted_at: datetime
    operation: str
    amount_minor: int
    balance_after: int
    entry_id: int
    fact_kind: str
    fact_id: int | None
    source_kind: str
    source_id: str

    @property
    def position(self) -> Position:
        """The key that the next page starts from."""
        return Position(self.seq, self.line_no)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of an account between two moments: postings `first_seq` to `last_seq`."""

    merchant_id: int
    account_id: int
    floor_seq: int
    last_seq: int
    opening_minor: int
    closing_minor: int


def span(
    *, merchant_id: int, account_id: int, since: datetime | None, until: datetime | None
) -> Span:
    """
    Return the span of an account after `since`, up to and including `until`, with both balances.

    None means from the beginning, or up to now. One that ends before it begins is empty.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT s.floor, s.last, coalesce(o.balance_after, 0), coalesce(c.balance_after, 0)
                 FROM (SELECT f.floor, greatest(f.floor, ledger_seq_as_of(%(m)s, %(a)s,
                                coalesce(%(until)s::timestamptz, 'infinity'))) AS last
                         FROM (SELECT ledger_seq_as_of(%(m)s, %(a)s,
                                        coalesce(%(since)s::timestamptz, '-infinity')) AS floor
                               OFFSET 0) f) s
                 LEFT JOIN ledger_posting o
                   ON o.merchant_id = %(m)s AND o.account_id = %(a)s AND o.seq = s.floor
                 LEFT JOIN ledger_posting c
                   ON c.merchant_id = %(m)s AND c.account_id = %(a)s AND c.seq = s.last""",
            {
                "m": merchant_id,
                "a": account_id,
                "since": since,
                "until": until,
            },
        )
        floor, last, opening, closing = cursor.fetchone()
    return Span(merchant_id, account_id, int(floor), int(last), int(opening), int(closing))


def span_of_days(
    *, merchant_id: int, account_id: int, since: date | None, until: date | None
) -> Span:
    """
    Return the span of whole business days, from cut-off to cut-off, both days included.

    None means from the beginning, or up to now. One that ends before it begins is empty.
    """
    moment = timedelta(microseconds=1)
    return span(
        merchant_id=merchant_id,
        account_id=account_id,
        since=clock.begins(since) - moment if since else None,
        until=clock.begins(until + timedelta(days=1)) - moment if until else None,
    )


def page(
    *,
    merchant_id: int,
    account_id: int,
    below: Position | None = None,
    limit: int = 50,
    within: Span | None = None,
    operation: str = "",
) -> list[Movement]:
    """
    Return at most `limit` movements, latest first, below a position; "" is of every operation.

    One indexed statement at any depth; no OFFSET, no count.
    """
    top = Position(within.last_seq + 1 if within else _TOP, 0)
    start = below if below is not None else top
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE_OF_OPERATION if operation else _PAGE,
            {
                "merchant_id": merchant_id,
                "account_id": account_id,
                "seq": start.seq,
                "line_no": start.line_no,
                "floor": within.floor_seq if within else 0,
                "limit": limit,
                "operation": operation,
            },
        )
        return [Movement(*row) for row in cursor.fetchall()]


def references(*, merchant_id: int, found: Sequence[Movement]) -> list[str]:
    """
    Return the number by which people know the cause of each movement: of its payment or refund,
    else of what its entry was made for. One statement per kind of fact.
    """
    numbers: dict[str, Mapping[int, str]] = {}
    for kind in {movement.fact_kind for movement in found if movement.fact_kind}:
        if kind in registries.fact_namers:
            ids = [m.fact_id for m in found if m.fact_kind == kind and m.fact_id is not None]
            numbers[kind] = registries.fact_namers.get(kind)(merchant_id=merchant_id, fact_ids=ids)
    return [
        numbers.get(movement.fact_kind, {}).get(movement.fact_id or 0)
        or _cause(merchant_id, movement)
        for movement in found
    ]


def _cause(merchant_id: int, movement: Movement) -> str:
    if movement.source_kind not in registries.cause_namers:
        return movement.source_id
    name = registries.cause_namers.get(movement.source_kind)
    return name(merchant_id=merchant_id, source_id=movement.source_id)


def movements(*, within: Span, page_size: int = 1000) -> Iterator[Movement]:
    """
    Yield every movement of a span, latest first, in bounded memory, and prove that it adds up.

    Raises: StatementDoesNotAddUp after the last row when opening + movements is not closing.
    """
    below: Position | None = None
    total = 0
    while True:
        rows = page(
            merchant_id=within.merchant_id,
            account_id=within.account_id,
            below=below,
            limit=page_size,
            within=within,
        )
        total += sum(row.amount_minor for row in rows)
        yield from rows
        if len(rows) < page_size:
            break
        below = rows[-1].position
    if within.opening_minor + total != within.closing_minor:
        raise StatementDoesNotAddUp(
            f"{within.opening_minor} + {total} is not {within.closing_minor}.",
            account=within.account_id,
        )

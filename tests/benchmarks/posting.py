"""Posting: one by one on random and hot accounts, and in bulk."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from tests.benchmarks import bed

_NAME = bed.own("post")
_CHANNELS = 1_000


def _books(count: int) -> list[tuple[int, int, int]]:
    """Make merchants with two accounts each; return (merchant, receivable, pending)."""
    from django.db import connection

    with bed.superuser(_NAME) as server:
        server.execute(
            "INSERT INTO merchants_merchant (merchant_no, kind, name, registration_no, city,"
            " region, country, status, declared_schedule, created_at)"
            " SELECT 'B' || g, 'MERCHANT', 'B', '', '', '', 'CN', 'ACTIVE', 'T1', now()"
            " FROM generate_series(1, %s) g",
            [count],
        )
        server.execute(
            "SELECT ledger_open_accounts(array_agg(m.id), array_agg(k.kind),"
            " array_agg('CNY'::text), array_agg(''::text), array_agg(''::text))"
            " FROM merchants_merchant m CROSS JOIN unnest(ARRAY['channel_receivable',"
            " 'merchant_pending']) AS k (kind) WHERE m.kind = 'MERCHANT'"
        )
        server.execute("VACUUM ANALYZE merchants_merchant, ledger_account")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.merchant_id, r.id, p.id FROM ledger_account r JOIN ledger_account p"
            " ON p.merchant_id = r.merchant_id AND p.kind = 'merchant_pending'"
            " WHERE r.kind = 'channel_receivable' AND r.ref_id = '' ORDER BY 1"
        )
        return [(int(a), int(b), int(c)) for a, b, c in cursor.fetchall()]


def _hot_book(merchant_id: int) -> tuple[int, list[int]]:
    """Open a thousand channel slices in one book; return its pending account and them."""
    from ledger.services.account import Slice, open_slices

    pending = Slice("merchant_pending", "CNY")
    slices = [Slice("channel_receivable", "CNY", "channel", f"c{i}") for i in range(_CHANNELS)]
    ids = open_slices(merchant_id=merchant_id, slices=[pending, *slices])
    return ids[pending], [ids[each] for each in slices]


def _one(merchant: int, receivable: int, pending: int, amount: int) -> None:
    from ledger.services import journal

    journal.post(
        merchant_id=merchant,
        source_kind="bench",
        source_id=uuid.uuid4().hex,
        postings=[
            journal.debit(receivable, "clear", amount),
            journal.credit(pending, "clear", amount),
        ],
    )


def _move_in(operation: Callable[[], object]) -> None:
    """
    Book a little and take statistics, as any database in use has them: of empty tables the planner
    knows nothing, and what it chose then would be measured in place of the posting.
    """
    for _ in range(500):
        operation()
    with bed.superuser(_NAME) as server:
        server.execute("ANALYZE ledger_account, ledger_entry, ledger_posting, ledger_ability")


def post() -> None:
    """Goals 1, 2 and 4: one transfer on random accounts, 1 and 4 processes, and without waiting."""
    bed.database(_NAME)
    books = _books(bed.ACCOUNTS // 2)

    def make(seed: int) -> Callable[[], object]:
        rng = bed.chooser(seed)
        return lambda: _one(*rng.choice(books), rng.randint(1, 10_000))

    _move_in(make(0))
    for processes in (1, 4):
        limit = bed.pgbench(_NAME, bed.GUARDED, processes)
        bed.tell(f"limit.post_guarded.c{processes}", limit, "transfers/s")
        rate = bed.throughput(make, processes)
        name = f"subject.limit.post_guarded.c{processes}"
        bed.tell(f"post.random.p{processes}", rate, "transfers/s", limit=name)
    from django.conf import settings

    options = settings.DATABASES["default"]["OPTIONS"]
    options["options"] += " -c synchronous_commit=off"
    limit = bed.pgbench(_NAME, bed.GUARDED, 1, "-c synchronous_commit=off")
    bed.tell("limit.post_guarded.c1.nosync", limit, "transfers/s")
    name = "subject.limit.post_guarded.c1.nosync"
    bed.tell("post.random.p1.nosync", bed.throughput(make, 1), "transfers/s", limit=name)
    bed.exact("post")


def post_hot() -> None:
    """Goals 5 and 6: one hot account, one by one."""
    bed.database(_NAME)
    merchant = _books(1)[0][0]
    pending, receivables = _hot_book(merchant)

    def make(seed: int) -> Callable[[], object]:
        rng = bed.chooser(seed)
        return lambda: _one(merchant, rng.choice(receivables), pending, rng.randint(1, 10_000))

    _move_in(make(0))
    limit = bed.pgbench(_NAME, bed.GUARDED_HOT, 4)
    bed.tell("limit.post_guarded_hot.c4", limit, "transfers/s")
    rates = {count: bed.throughput(make, count) for count in (4, 2, 8)}
    name = "subject.limit.post_guarded_hot.c4"
    bed.tell("post.hot.p4", rates[4], "transfers/s", limit=name)
    bed.tell("post.hot.p2", rates[2], "transfers/s")
    bed.tell("post.hot.p8", rates[8], "transfers/s", limit="subject.post.hot.p2")
    bed.exact("post_hot")


_POSTINGS = """
INSERT INTO ledger_intake_posting (call_id, merchant_id, source_kind, source_id, account_id,
  operation, side, amount_minor)
SELECT %(call_id)s, p.merchant_id, 'bench', %(call_id)s::text || ':' || p.place, a.account_id,
  'clear', a.side, p.amount
  FROM unnest(%(merchants)s::bigint[], %(receivables)s::bigint[], %(pendings)s::bigint[],
              %(amounts)s::bigint[]) WITH ORDINALITY
       AS p (merchant_id, receivable, pending, amount, place),
       LATERAL (VALUES (p.receivable, 'DR'), (p.pending, 'CR')) AS a (account_id, side)"""
_LINES = """
INSERT INTO ledger_intake_line (call_id, ord, merchant_id, source_kind, source_id, account_id,
  operation, fact_kind, fact_id, amount_minor)
SELECT %(call_id)s, l.ord, %(merchant)s, 'bench', %(call_id)s::text || ':1', %(pending)s, 'clear',
  'bench', %(first)s + l.ord, l.amount
  FROM unnest(%(amounts)s::bigint[]) WITH ORDINALITY AS l (amount, ord)"""


def batch() -> None:
    """Goals 7 and 8: a thousand transfers a call, over random accounts and onto a hot one."""
    from itertools import count

    bed.database(_NAME)
    books = _books(bed.ACCOUNTS // 2)
    merchant = books[0][0]
    pending, receivables = _hot_book(merchant)
    facts = count(1)

    def random_accounts() -> None:
        rng = bed.chooser(1)
        chosen = [rng.choice(books) for _ in range(1_000)]
        merchants, froms, tos = (list(column) for column in zip(*chosen, strict=True))
        amounts = [rng.randint(1, 10_000) for _ in chosen]
        _call(merchants, froms, tos, amounts, None)

    def hot_account() -> None:
        rng = bed.chooser(2)
        amounts = [rng.randint(1, 10_000) for _ in range(1_000)]
        lines = {
            "merchant": merchant,
            "pending": pending,
            "first": next(facts) * 10_000,
            "amounts": amounts,
        }
        _call([merchant], [rng.choice(receivables)], [pending], [sum(amounts)], lines)

    for name, script, work in (
        ("batch", bed.BATCH, random_accounts),
        ("batch_hot", bed.BATCH_HOT, hot_account),
    ):
        limit = bed.pgbench(_NAME, script, 1) * 1_000
        bed.tell(f"limit.{name}1000", limit, "transfers/s")
        rate = bed.throughput(lambda seed, work=work: work, 1) * 1_000
        bed.tell(f"{name}1000.p1", rate, "transfers/s", limit=f"subject.limit.{name}1000")
    bed.exact("batch")


def _call(
    merchants: list[int],
    receivables: list[int],
    pendings: list[int],
    amounts: list[int],
    lines: dict[str, object] | None,
) -> None:
    from django.db import transaction

    from foundation import sql
    from ledger.services import journal

    call_id = uuid.uuid4()
    with transaction.atomic(durable=True):
        sql.execute(
            _POSTINGS,
            {
                "call_id": call_id,
                "merchants": merchants,
                "receivables": receivables,
                "pendings": pendings,
                "amounts": amounts,
            },
        )
        if lines is not None:
            sql.execute(_LINES, lines | {"call_id": call_id})
        journal.post_bulk(call_id=call_id)

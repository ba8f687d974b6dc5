"""Reading: a statement of five million lines, and balances now and as of a moment."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from tests.benchmarks import bed

_NAME = bed.own("read")
_CHUNK = 50_000
_READS = 400
_BARE_PAGE = (
    "SELECT seq, line_no, amount_minor, balance_after FROM ledger_posting_line"
    " WHERE merchant_id = %s AND account_id = %s AND (seq, line_no) < (%s, %s)"
    " ORDER BY seq DESC, line_no DESC LIMIT 50"
)
_BARE_BALANCE = "SELECT balance, held FROM ledger_account WHERE merchant_id = %s AND id = %s"


def _fill(lines: int) -> tuple[int, int]:
    """Book chunks of lines onto one account through the ledger; return (merchant, account)."""
    from django.db import transaction

    from foundation import sql
    from ledger.services import journal
    from ledger.services.account import Slice, open_slices
    from merchants.services import house

    merchant = house.house().id
    pending, receivable = Slice("merchant_pending", "CNY"), Slice("channel_receivable", "CNY")
    ids = open_slices(merchant_id=merchant, slices=[pending, receivable])
    for chunk in range(max(lines // _CHUNK, 4)):
        call_id, size = uuid.uuid4(), min(_CHUNK, lines)
        with transaction.atomic(durable=True):
            sql.execute(
                "INSERT INTO ledger_intake_posting (call_id, merchant_id, source_kind, source_id,"
                " account_id, operation, side, amount_minor) VALUES (%s, %s, 'bench', %s, %s,"
                " 'clear', 'DR', %s), (%s, %s, 'bench', %s, %s, 'clear', 'CR', %s)",
                [
                    call_id,
                    merchant,
                    str(chunk),
                    ids[receivable],
                    size * 100,
                    call_id,
                    merchant,
                    str(chunk),
                    ids[pending],
                    size * 100,
                ],
            )
            sql.execute(
                "INSERT INTO ledger_intake_line SELECT %s, g, %s, 'bench', %s, %s, 'clear',"
                " 'bench', %s::bigint * 1000000 + g, 100 FROM generate_series(1, %s) g",
                [call_id, merchant, str(chunk), ids[pending], chunk, size],
            )
            journal.post_bulk(call_id=call_id)
    with bed.superuser(_NAME) as server:
        server.execute("VACUUM ANALYZE")
    return merchant, ids[pending]


def _times(work: Callable[[], object]) -> list[float]:
    for _ in range(20):
        work()
    found = []
    for _ in range(_READS):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found


def page() -> None:
    """Goals 13 to 15, in the service layer, each beside the bare SQL."""
    bed.database(_NAME)
    merchant, account = _fill(bed.scaled(5_000_000))
    from django.db import connection

    from ledger.models import Account, Posting
    from ledger.selectors import balance, statement

    top = Account.objects.get(merchant_id=merchant, id=account).seq
    rng = random.Random(1)

    def place(share: float) -> statement.Position:
        return statement.Position(max(int(top * share), 1), rng.randint(60, 400))

    def bare(query: str, params: Callable[[], list[object]]) -> Callable[[], object]:
        def work() -> object:
            with connection.cursor() as cursor:
                cursor.execute(query, params())
                return cursor.fetchall()

        return work

    def of(share: float) -> list[float]:
        return _times(
            lambda: statement.page(merchant_id=merchant, account_id=account, below=place(share))
        )

    limit = _times(bare(_BARE_PAGE, lambda: [merchant, account, *place(0.5)]))
    bed.tell("limit.page.p99", bed.percentile(limit, 0.99), "ms", "lower")
    first, middle, last = of(1.0), of(0.5), of(0.0)
    bed.tell("page.first.p99", bed.percentile(first, 0.99), "ms", "lower")
    name = "subject.page.first.p99"
    bed.tell("page.last.p99", bed.percentile(last, 0.99), "ms", "lower", limit=name)
    name = "subject.limit.page.p99"
    worst = max(bed.percentile(times, 0.99) for times in (first, middle, last))
    bed.tell("page.any.p99", worst, "ms", "lower", limit=name)

    limit = _times(bare(_BARE_BALANCE, lambda: [merchant, account]))
    bed.tell("limit.balance.p99", bed.percentile(limit, 0.99), "ms", "lower")
    name = "subject.limit.balance.p99"
    now = _times(
        lambda: balance.free(merchant_id=merchant, kind="merchant_pending", currency="CNY")
    )
    bed.tell("balance.now.p99", bed.percentile(now, 0.99), "ms", "lower", limit=name)
    ends = Posting.objects.filter(merchant_id=merchant, account_id=account)
    since = ends.order_by("seq").values_list("posted_at", flat=True)[0]
    span = ends.order_by("-seq").values_list("posted_at", flat=True)[0] - since
    then = _times(
        lambda: balance.as_of(
            merchant_id=merchant,
            account_id=account,
            moment=since + timedelta(seconds=span.total_seconds() * rng.random()),
        )
    )
    bed.tell("balance.as_of.p99", bed.percentile(then, 0.99), "ms", "lower", limit=name)

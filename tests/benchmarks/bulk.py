"""A million rows: import, clear, settle, and what that costs in memory."""

from __future__ import annotations

import csv
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from tests.benchmarks import bed

_NAME = bed.own("bulk")
MERCHANTS = 3_000
_DAYS = 28  # January 2026
_MERCHANT_COLUMNS = [
    "merchant_no",
    "name",
    "registration_no",
    "city",
    "region",
    "country",
    "schedule",
]

_LIMIT_TABLES = """
DROP TABLE IF EXISTS bench.stage, bench.final;
CREATE UNLOGGED TABLE bench.stage (payment_no text, order_no text, merchant_no text, product text,
  channel text, amount numeric, currency text, captured_at timestamptz, payer_ref text,
  code_kind text);
CREATE TABLE bench.final (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id bigint NOT NULL, payment_no text NOT NULL, order_no text NOT NULL,
  amount bigint NOT NULL, currency text NOT NULL, captured_at timestamptz NOT NULL);
CREATE UNIQUE INDEX ON bench.final (payment_no, merchant_id);
CREATE INDEX ON bench.final (merchant_id, captured_at)"""
_LIMIT_IMPORT = """
INSERT INTO bench.final (merchant_id, payment_no, order_no, amount, currency, captured_at)
SELECT m.id, s.payment_no, s.order_no, (s.amount * 100)::bigint, s.currency, s.captured_at
  FROM bench.stage s JOIN merchants_merchant m ON m.merchant_no = s.merchant_no
 WHERE s.amount > 0 AND s.currency = 'USD' ON CONFLICT DO NOTHING"""
_LIMIT_SETTLE_TABLES = """
DROP TABLE IF EXISTS bench.item, bench.line, bench.txn, bench.entry, bench.payable;
CREATE TABLE bench.item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  merchant_id bigint NOT NULL, run integer NOT NULL, k bigint, gross bigint, fee bigint,
  net bigint, UNIQUE (merchant_id, run));
CREATE TABLE bench.line (payment_id bigint PRIMARY KEY, item_id bigint NOT NULL, amount bigint,
  fee bigint, net bigint);
CREATE TABLE bench.txn (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id bigint);
CREATE TABLE bench.entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, txn_id bigint,
  account text, merchant_id bigint, amount bigint);
CREATE INDEX ON bench.entry (merchant_id, id);
CREATE TABLE bench.payable AS SELECT id, 0::bigint AS amount FROM merchants_merchant;
ALTER TABLE bench.payable ADD PRIMARY KEY (id)"""
_LIMIT_SETTLE = """
WITH priced AS MATERIALIZED (
  SELECT p.id, p.merchant_id, p.amount_minor AS amount, (p.amount_minor * 60 + 5000) / 10000 AS fee
    FROM channels_payment p
), summed AS MATERIALIZED (
  SELECT merchant_id, count(*) AS k, sum(amount)::bigint AS gross, sum(fee)::bigint AS fee
    FROM priced GROUP BY 1
), item AS (
  INSERT INTO bench.item (merchant_id, run, k, gross, fee, net)
  SELECT merchant_id, 1, k, gross, fee, gross - fee FROM summed
  RETURNING id, merchant_id, gross, fee, net
), line AS (
  INSERT INTO bench.line SELECT p.id, i.id, p.amount, p.fee, p.amount - p.fee
    FROM priced p JOIN item i USING (merchant_id)
), txn AS (INSERT INTO bench.txn (item_id) SELECT id FROM item RETURNING id, item_id
), entry AS (
  INSERT INTO bench.entry (txn_id, account, merchant_id, amount)
  SELECT t.id, x.account, i.merchant_id, x.amount FROM item i JOIN txn t ON t.item_id = i.id,
    LATERAL (VALUES ('clearing', -i.gross), ('payable', i.net), ('fee', i.fee)) x (account, amount)
), moved AS (
  UPDATE bench.payable p SET amount = p.amount + i.net FROM item i WHERE i.merchant_id = p.id
)
SELECT count(*) FROM item"""


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def files(rows: int) -> tuple[Path, Path]:
    """
    Return a merchants file and a payments file of `rows`: the harness's rows where it left them.
    """
    bed.HOME.mkdir(parents=True, exist_ok=True)
    merchants, payments = bed.HOME / "merchants.csv", bed.HOME / f"payments_{rows}.csv"
    with merchants.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(
            ["merchant_no", "name", "registration_no", "city", "region", "country", "schedule"]
        )
        out.writerows([f"B{i}", f"B{i}", "", "", "", "CN", "T1"] for i in range(1, MERCHANTS + 1))
    given, rng = bed.HOME / "tx.csv", random.Random(7)
    with payments.open("w", newline="") as file:
        file.write(
            "payment_no,order_no,merchant_no,product,channel,amount,currency,captured_at,"
            "payer_ref,code_kind\n"
        )
        if given.exists():
            with given.open() as source:
                for _row, line in zip(range(rows), source, strict=False):
                    _id, merchant, order, ref, minor, currency, _s, way, at = line.rstrip().split(
                        ","
                    )
                    major = f"{int(minor) // 100}.{int(minor) % 100:02d}"
                    file.write(f"{ref},{order},B{merchant},{way},bench,{major},{currency},{at},,\n")
            return merchants, payments
        for i in range(rows):
            minor = rng.randint(100, 500_000)
            file.write(
                f"CH{i * 7919 % 999999937:010d},ORD{i:09d},B{rng.randint(1, MERCHANTS)},card,bench,"
                f"{minor // 100}.{minor % 100:02d},USD,2026-01-{1 + i % _DAYS:02d}"
                f"T10:{i % 60:02d}:00Z,,\n"
            )
    return merchants, payments


def _prepare(merchants: Path) -> datetime:
    bed.database(_NAME)
    from channels.services import fee_import
    from foundation.csv_intake import Source
    from merchants.services import merchant_import

    at = datetime.now(UTC)
    merchant_import.run(source=Source.from_path(merchants), at=at)
    fees = bed.HOME / "fees.csv"
    fees.write_text(
        "merchant_no,product,channel,rate_percent,fixed,minimum,cap,currency,fee_on_refund,"
        "effective_from\n*,*,*,0.60,,,,,kept,2016-01-01\n"
    )
    fee_import.run(source=Source.from_path(fees), at=at)
    return at


def _limit_import(payments: Path) -> float:
    with bed.superuser(_NAME) as server:
        server.execute(_LIMIT_TABLES)

        def work() -> None:
            with server.transaction():
                with (
                    payments.open("rb") as file,
                    server.cursor().copy("COPY bench.stage FROM STDIN CSV HEADER") as copy,
                ):
                    while block := file.read(1 << 18):
                        copy.write(block)
                server.execute(_LIMIT_IMPORT)

        return _timed(work)


def _import(payments: Path, at: datetime) -> None:
    from channels.services import payment_import
    from foundation.csv_intake import Source

    payment_import.run(source=Source.from_path(payments), at=at)


def import_payments() -> None:
    """Goal 9: a file to stored payments, beside COPY and one validated INSERT; then clearing."""
    from_file = files(bed.scaled(1_000_000))
    at = _prepare(from_file[0])
    limit = _limit_import(from_file[1])
    bed.tell("limit.import.time", limit, "s", "lower")
    taken = _timed(lambda: _import(from_file[1], at))
    bed.tell("import.time", taken, "s", "lower", limit="subject.limit.import.time")
    from channels.services import clearing

    cleared = _timed(lambda: clearing.clear_all(at=at))
    bed.tell("clearing.time", cleared, "s", "lower", limit="subject.limit.import.time")
    bed.exact("import")


def settle() -> None:
    """Goals 10 and 16: settle what was cleared, beside one statement; and count the tasks."""
    from_file = files(bed.scaled(1_000_000))
    at = _prepare(from_file[0])
    _import(from_file[1], at)
    from channels.services import clearing
    from settlement.models import Batch
    from settlement.services import run as runs

    clearing.clear_all(at=at)
    with bed.superuser(_NAME) as server:
        server.execute("VACUUM ANALYZE")
        server.execute(_LIMIT_SETTLE_TABLES)
        server.execute("CHECKPOINT")
        limit = _timed(lambda: server.execute(_LIMIT_SETTLE))
        server.execute("CHECKPOINT")
    bed.tell("limit.settle.time", limit, "s", "lower")

    def work() -> None:
        started = runs.start(run_date=date(2026, 3, 31))
        assert started is not None
        runs.work_inline(run=started.run, at=at, notify=lambda done, total: None, threads=2)

    bed.tell("settle.time", _timed(work), "s", "lower", limit="subject.limit.settle.time")
    tasks = Batch.objects.values("run_id", "part").distinct().count()
    bed.tell("settle.tasks", tasks, "tasks", "lower")
    bed.exact("settle")


def memory() -> None:
    """Goals 17 and 18: peak memory of the import command, large and small."""
    peaks = {}
    for rows in (10_000, bed.scaled(1_000_000)):
        merchants, payments = files(rows)
        if not peaks:
            _prepare(merchants)
        command = [sys.executable, __file__, "import", str(payments)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=bed.ROOT,
            env=os.environ | {"PYTHONPATH": str(bed.ROOT)},
        )  # fmt: skip
        peaks[rows] = float(done.stdout.split()[-1])
    small, large = peaks.values() if len(peaks) == 2 else (0.0, *peaks.values())
    bed.tell("memory.import.peak", large, "MB", "lower")
    bed.tell("memory.import.growth", large - small, "MB", "lower")


def _measured_import(path: Path) -> None:
    import django

    django.setup()
    from channels.services import clearing

    _import(path, datetime.now(UTC))
    clearing.clear_all(at=datetime.now(UTC))
    # not ru_maxrss: a process that was spawned inherits its parent's peak there
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    sys.stdout.write(f"{int(peak[1]) / 1024}\n")


if __name__ == "__main__":
    _measured_import(Path(sys.argv[2]))

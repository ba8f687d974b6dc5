"""Imports as processes: at the same time, killed in the middle, large, with one bad row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from channels.models import Chunk, Intake, Payment, Pricing, Refund
from channels.services import payment_import
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

ROOT = Path(__file__).resolve().parents[2]
ROWS = 12_000

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cloned_db")]


@pytest.fixture
def path(cloned_db: str, tmp_path: Path) -> Path:
    """A file of many payments of three merchants, priced at nothing."""
    for number in range(3):
        MerchantFactory.create(merchant_no=f"S{number}")
    make.fees("*,*,*,1,,,,,kept,2016-01-01")
    return payments(tmp_path / "payments.csv", ROWS)


def payments(path: Path, rows: int, bad: int = -1) -> Path:
    """Write a payments file; row `bad` names a merchant nobody knows."""
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(payment_import.COLUMNS) + "\n")
        for n in range(rows):
            shop = "NOBODY" if n + 2 == bad else f"S{n % 3}"
            file.write(f'P{n},"O,{n}",{shop},card,up,10.00,CNY,2026-03-02T12:00:00+08:00,,\n')
    return path


def start(command: str, path: Path) -> subprocess.Popen[str]:
    """Start an import as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", command, str(path), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """Wait for an import; return its exit code and what it told."""
    out, errors = process.communicate(timeout=240)
    assert "Traceback" not in errors
    return process.returncode, json.loads(out)


def all_is_stored_and_booked_once() -> bool:
    rows = Payment.objects.count(), Pricing.objects.count(), Intake.objects.count()
    make.assert_proved()
    return rows == (ROWS, ROWS, 1)


class TestTwoProcesses:
    def test_with_the_same_file_store_it_once(self, path: Path) -> None:
        ends = [told(each) for each in [start("import_payments", path) for _ in range(2)]]

        assert [code for code, _ in ends] == [0, 0]
        assert sorted(each["new"] for _, each in ends) == [0, ROWS]
        assert sum(each["payments"] for _, each in ends) == ROWS
        assert all_is_stored_and_booked_once()

    def test_with_the_same_refunds_store_them_once(self, path: Path, tmp_path: Path) -> None:
        assert told(start("import_payments", path))[0] == 0
        refunds = tmp_path / "refunds.csv"
        lines = [f"R{n},P{n},1.00,CNY,2026-03-03T12:00:00+08:00" for n in range(2_000)]
        head = "refund_no,payment_no,amount,currency,refunded_at"
        refunds.write_text("\n".join([head, *lines, ""]), encoding="utf-8")

        ends = [told(each) for each in [start("import_refunds", refunds) for _ in range(2)]]

        assert [code for code, _ in ends] == [0, 0]
        assert sorted(each["new"] for _, each in ends) == [0, 2_000]
        assert Refund.objects.count() == 2_000
        make.assert_proved()


class TestAKilledProcess:
    def test_leaves_nothing_or_all_and_the_next_one_ends_it(
        self, path: Path, cloned_db: str
    ) -> None:
        for moment in ("COPY", "INSERT INTO channels_payment", "ledger_post_bulk"):
            victim = start("import_payments", path)
            self.wait_for(moment, victim)
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
            assert Payment.objects.count() in (0, ROWS)

        code, answer = told(start("import_payments", path))

        assert code == 0
        assert answer["new"] + answer["known"] == ROWS
        assert Chunk.objects.exclude(state="DONE").count() == 0
        assert all_is_stored_and_booked_once()

    def wait_for(self, moment: str, process: subprocess.Popen[str]) -> None:
        """Wait until a statement of another session runs, or the process has ended."""
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as watcher:
            while process.poll() is None:
                found = watcher.execute(
                    "SELECT FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state <> 'idle' AND query LIKE %s",
                    [f"%{moment}%"],
                ).fetchone()
                if found is not None:
                    return
                time.sleep(0.002)


class TestOneBadRow:
    def test_among_a_hundred_thousand_refuses_all_and_is_named(
        self, path: Path, tmp_path: Path
    ) -> None:
        spoilt = payments(tmp_path / "bad.csv", 100_000, bad=67_891)

        code, answer = told(start("import_payments", spoilt))

        assert (code, answer["new"], answer["bad_rows"]) == (1, 0, 1)
        (bad,) = answer["bad"]
        assert (bad["row"], bad["column"], bad["value"], bad["reason"]) == (
            67_891,
            "merchant_no",
            "NOBODY",
            "unknown_merchant",
        )
        assert not Payment.objects.exists()

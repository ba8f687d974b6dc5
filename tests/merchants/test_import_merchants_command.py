"""`manage.py import_merchants`: exit codes, JSON, the table of bad rows, memory."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from merchants.models import Merchant

ROOT = Path(__file__).resolve().parents[2]
HEADER = "merchant_no,name,registration_no,city,region,country,schedule\n"


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "import_merchants", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"LANGUAGE_CODE": "en"},
        capture_output=True,
        text=True,
        check=False,
    )


def shops() -> int:
    return Merchant.objects.filter(kind=Merchant.Kind.MERCHANT).count()


@pytest.mark.usefixtures("cloned_db")
class TestCommand:
    def test_stores_then_knows_and_says_so_in_json(self, tmp_path: Path) -> None:
        path = tmp_path / "m.csv.gz"
        path.write_bytes(gzip.compress((HEADER + "A1,店,,上海,SH,CN,T1\n").encode()))

        first, again = (command(path, "--json") for _ in range(2))

        assert (first.returncode, again.returncode) == (0, 0)
        told = [json.loads(run.stdout) for run in (first, again)]
        assert [(each["new"], each["known"], each["bad"]) for each in told] == [
            (1, 0, []),
            (0, 1, []),
        ]
        assert shops() == 1

    def test_refuses_with_exit_code_one_and_lists_every_bad_row(self, tmp_path: Path) -> None:
        path = tmp_path / "m.csv"
        path.write_text(HEADER + "A1,店,,上海,SH,CN,T1\nB2,店,,,,zz,T99\nC3,店\n")

        as_json, as_text = command(path, "--json"), command(path)

        assert (as_json.returncode, as_text.returncode) == (1, 1)
        told = json.loads(as_json.stdout)
        assert (told["new"], told["bad_rows"], told["bad_not_listed"]) == (0, 2, 0)
        assert [(bad["row"], bad["column"], bad["reason"]) for bad in told["bad"]] == [
            (3, "country", "not_allowed"),
            (3, "schedule", "schedule_unknown"),
            (4, "registration_no", "missing_values"),
        ]
        assert "T99" in as_text.stderr
        assert shops() == 0

    def test_reads_gb18030_when_told(self, tmp_path: Path) -> None:
        path = tmp_path / "m.csv"
        path.write_bytes((HEADER + "A1,账房,,上海,SH,CN,T1\n").encode("gb18030"))

        assert command(path).returncode == 1
        assert command(path, "--encoding", "gb18030").returncode == 0
        assert Merchant.objects.get(merchant_no="A1").name == "账房"

    def test_wrong_usage_is_exit_code_two(self, tmp_path: Path) -> None:
        assert command(tmp_path / "missing.csv").returncode == 2
        assert command().returncode == 2
        assert command(tmp_path).returncode == 2

    def test_what_is_written_to_a_terminal_is_harmless(self, tmp_path: Path) -> None:
        path = tmp_path / "m.csv"
        path.write_text(HEADER + "A1,\x1b[31mred,,上海,SH,CN,T1\n")

        assert "\x1b" not in command(path).stderr


MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
print(done.stdout.strip())
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(path: Path) -> tuple[dict[str, Any], int]:
    """Import a file in a process of its own; return what it told and its peak memory in KB."""
    manage = [sys.executable, "-W", "ignore", "manage.py", "import_merchants", str(path), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *manage],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told, peak = done.stdout.strip().rsplit("\n", 1)
    return json.loads(told), int(peak)


@pytest.mark.slow
@pytest.mark.usefixtures("cloned_db")
def test_a_file_of_200_megabytes_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    """One bad row at the end, so that the whole file is staged and looked at (goals 17 and 18)."""
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    filler = "城" * 30
    for path, rows in ((small, 10), (large, 1_000_000)):
        with path.open("w", encoding="utf-8") as file:
            file.write(HEADER)
            for number in range(rows):
                file.write(f'M{number:07d},"店 {number}, {filler}",,{filler},SH,CN,T1\n')
            file.write("LAST,店,,,,xx,T1\n")
    assert large.stat().st_size > 200 * 10**6

    (told_small, peak_small), (told_large, peak_large) = peak_of(small), peak_of(large)

    assert (told_small["bad_rows"], told_large["bad_rows"]) == (1, 1)
    assert told_large["bad"][0]["row"] == 1_000_002
    assert peak_large - peak_small < 10 * 1024
    assert peak_large < 200 * 1024

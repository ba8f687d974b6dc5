"""The probes run: at a thousandth of its size each tells figures beside limits it also told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("probe", ["batch", "import", "settle", "page"])
def test_a_probe_tells_figures_that_name_known_limits(
    probe: str, tmp_path: Path, template_db: str
) -> None:
    if not os.environ.get("DATABASE_SUPERUSER_URL"):
        pytest.skip("DATABASE_SUPERUSER_URL is not set: a probe makes its own database.")
    environment = os.environ | {
        "BENCH_SECONDS": "0.2",
        "BENCH_SCALE": "0.001",
        "BENCH_HOME": str(tmp_path),
        "BENCH_TEMPLATE": template_db,
    }
    done = subprocess.run(
        [sys.executable, "tests/benchmarks/subject.py", probe],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    told = {f"subject.{figure['metric']}" for figure in figures}
    assert figures
    assert all(figure["value"] > 0 for figure in figures)
    assert {figure["limit"] for figure in figures if figure["limit"]} <= told

"""`./run bench [PROBE ...]`: every probe in a process of its own, and a table with the ratios."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.subject import PROBES

_SUBJECT = Path(__file__).with_name("subject.py")


def main(names: list[str]) -> int:
    """Run the probes named, or all; return 1 when one failed."""
    figures: dict[str, dict[str, Any]] = {}
    failed = 0
    for name in names or list(PROBES):
        done = subprocess.run(
            [sys.executable, str(_SUBJECT), name], stdout=subprocess.PIPE, text=True, check=False
        )
        failed |= int(done.returncode != 0)
        for line in done.stdout.splitlines():
            figure = json.loads(line)
            figures[figure["metric"]] = figure
            sys.stdout.write(_row(figure, figures) + "\n")
            sys.stdout.flush()
    return failed


def _row(figure: dict[str, Any], figures: dict[str, dict[str, Any]]) -> str:
    limit = figures.get((figure["limit"] or "").removeprefix("subject."))
    ratio = f"{figure['value'] / limit['value']:.2f} of {limit['metric']}" if limit else ""
    return f"{figure['metric']:<32}{figure['value']:>14,.2f} {figure['unit']:<12} {ratio}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

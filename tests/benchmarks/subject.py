"""
One probe, its figures as JSON lines: `python tests/benchmarks/subject.py PROBE`.

PGHOST, PGPORT and PGUSER (or DATABASE_SUPERUSER_URL) name a server on which the probe makes its own
database; BENCH_SECONDS, BENCH_SCALE and BENCH_HOME as a harness sets them. A probe of work that the
product does not do yet prints nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.benchmarks import bed, bulk, posting, reading

PROBES = {
    "post": posting.post,
    "post_hot": posting.post_hot,
    "batch": posting.batch,
    "import": bulk.import_payments,
    "settle": bulk.settle,
    "page": reading.page,
    "memory": bulk.memory,
}

if __name__ == "__main__":
    probe = PROBES.get(sys.argv[1]) if len(sys.argv) == 2 else None
    if probe is not None:
        try:
            probe()
        finally:
            for name in ("post", "bulk", "read"):
                bed.drop(bed.own(name))

"""The demo's table stands in the order in which it is read."""

from __future__ import annotations

import pytest

from foundation import sql
from settlement.demo import report


@pytest.mark.django_db
def test_the_table_has_its_order_whatever_the_plan() -> None:
    for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        sql.execute(f"SET LOCAL {setting} = 0")

    told = report.lines("I1 ok")

    names = [line[:28].strip() for line in told if line[:1].isalpha()]
    assert names == [
        "payments", "refunds", "fees", "settled (items)", "paid out", "refused by the channel",
        "unknown, then resolved", "still unknown", "bank lines booked", "ledger checks",
    ]  # fmt: skip

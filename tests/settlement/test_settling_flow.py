"""From the four files to settled balances, through the real parts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from foundation import registries
from settlement.models import Due, Line

MERCHANTS = """merchant_no,name,registration_no,city,region,country,schedule
A,Alpha,,,,CN,T1
B,Beta,,,,CN,D3
C,Gamma,,,,CN,T0
"""
FEES = """merchant_no,product,channel,rate_percent,fixed,minimum,cap,currency,\
fee_on_refund,effective_from
*,*,*,0.60,,,,,kept,2016-01-01
"""
PAYMENTS = """payment_no,order_no,merchant_no,product,channel,amount,currency,\
captured_at,payer_ref,code_kind
P1,O1,A,card,wx,100.00,CNY,2026-02-13T23:59:59+08:00,,
P2,O2,A,card,wx,50.00,CNY,2026-02-14T00:00:00+08:00,,
P3,O3,B,card,wx,10.00,CNY,2026-02-13T12:00:00+08:00,,
P4,O4,C,card,wx,20.00,CNY,2026-02-13T12:00:00+08:00,,
"""
REFUNDS = """refund_no,payment_no,amount,currency,refunded_at
R1,P1,30.00,CNY,2026-02-13T23:59:59+08:00
R2,P3,10.00,CNY,2026-02-20T12:00:00+08:00
"""


def run(name: str, *options: str) -> Any:
    out = io.StringIO()
    call_command(name, *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def bring_in(folder: Path, kind: str, text: str) -> None:
    path = folder / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    run(f"import_{kind}", str(path))


def balances() -> dict[str, tuple[int, int, int]]:
    """Pending, available and debt of each merchant."""
    return {
        row["merchant_no"]: (row["pending"], row["available"], row["debt"])
        for row in run("balances")
    }


def settle(day: str) -> int:
    items: int = run("settle", "--date", day, "--inline")["items"]
    assert [finding for check in registries.invariant_checks for finding in check()] == []
    return items


@pytest.mark.django_db
class TestTheDayOfAnInstitution:
    def test_settles_each_merchant_by_its_own_rhythm(self, tmp_path):
        for kind, text in (("merchants", MERCHANTS), ("fees", FEES), ("payments", PAYMENTS)):
            bring_in(tmp_path, kind, text)
        assert balances() == {"A": (149_10, 0, 0), "B": (9_94, 0, 0), "C": (19_88, 0, 0)}

        assert settle("2026-02-13") == 1  # T0
        bring_in(tmp_path, "refunds", REFUNDS.replace("R2", "#").split("#")[0])  # R1 alone
        assert settle("2026-02-14") == 1  # T1 of Friday: Saturday works, and R1 goes with P1
        assert balances() == {"A": (49_70, 69_40, 0), "B": (9_94, 0, 0), "C": (0, 19_88, 0)}

        assert settle("2026-02-16") == 1  # D3, in the middle of Spring Festival
        bring_in(tmp_path, "refunds", REFUNDS)  # R2: P3 is settled, available pays, 0.06 is owed
        assert settle("2026-02-23") == 0
        assert balances()["B"] == (0, 0, 6)

        assert settle("2026-02-24") == 1  # T1 of the 14th
        assert balances()["A"] == (0, 119_10, 0)
        assert Line.objects.count() == Due.objects.count() == 5
        assert settle("2026-02-24") == 0

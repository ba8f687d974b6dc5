"""Importing and clearing are struck at every commit: the file is in once, and booked once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.factories import channels as bring_in
from tests.factories.merchants import MerchantFactory
from tests.reliability.sweep import Strike, Sweep

PAYMENTS = """payment_no,order_no,merchant_no,product,channel,amount,currency,\
captured_at,payer_ref,code_kind
P1,O1,A,card,wx,100.00,CNY,2026-02-13T23:59:59+08:00,,
P2,O2,A,card,wx,50.00,CNY,2026-02-14T00:00:00+08:00,,
P3,O3,B,qr,ali,10.00,CNY,2026-02-13T12:00:00+08:00,,
P4,O4,B,gift,ali,20,JPY,2026-02-13T12:00:00+08:00,,
"""
REFUNDS = """refund_no,payment_no,amount,currency,refunded_at
R1,P1,30.00,CNY,2026-02-13T23:59:59+08:00
R2,P3,10.00,CNY,2026-02-20T12:00:00+08:00
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", Strike)
def test_payments_and_refunds(cloned_db, tmp_path, how):
    for number in "AB":
        MerchantFactory(merchant_no=number)
    bring_in.fees("*,*,*,0.60,,,,CNY,kept,2016-01-01")  # none in JPY: P4 waits
    files = {"payments": PAYMENTS, "refunds": REFUNDS}
    for kind, text in files.items():
        (tmp_path / f"{kind}.csv").write_text(text, encoding="utf-8")

    sweep = Sweep(cloned_db, lambda: bring(tmp_path), lambda: bring(tmp_path))

    assert any("channels_payment" in site for site in sweep.sites)
    assert sum("ledger_post_bulk" in site for site in sweep.sites) == 2
    wrong = sweep.strike_all(how)
    assert not wrong, wrong


def bring(folder: Path) -> None:
    for kind in ("payments", "refunds"):
        call_command(f"import_{kind}", str(folder / f"{kind}.csv"), "--json", stdout=io.StringIO())

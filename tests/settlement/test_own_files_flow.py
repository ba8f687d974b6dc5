"""
README's "Bring your own files", followed to the letter, and proved by arithmetic of its own.

For every merchant and currency: pending + available + held + reserve + paid out + payout fees
- debt is what came in less fees less refunds, with a fee of 0.60 % kept on refunds.
"""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from foundation.services import outbox
from tests.databases import ROOT
from tests.factories.simulator import Simulated, running

FEES = """merchant_no,product,channel,rate_percent,fixed,minimum,cap,currency,\
fee_on_refund,effective_from
*,*,*,0.60,,,,,kept,2016-01-01
"""
EXPONENT = {"BRL": 2, "JPY": 0, "KWD": 3}
MARKETPLACE = ROOT.parent / "shared"
INSTRUCTED = 100  # merchants that are paid out by standing instruction
Key = tuple[str, str]  # merchant and currency


def own_data(folder: Path) -> None:
    """Write a small marketplace: many merchants, three currencies, refunds whole and in part."""
    rng = random.Random(20170105)
    merchants = [f"S{n:03d}" for n in range(135)]  # the last five sell once and give all back
    payments, refunds = [], []
    for n in range(1_500):
        merchant = merchants[n % 130] if n < 1_495 else merchants[n - 1_365]
        currency = "BRL" if n % 11 else rng.choice(["JPY", "KWD"])
        minor = rng.randint(1, 50_000)
        day = f"2017-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}"
        text = f"{Decimal(minor).scaleb(-EXPONENT[currency]):f}"
        payments.append([f"P{n}", f"O{n}", merchant, "card", "visa", text, currency])
        payments[-1] += [f"{day}:59:59+08:00", f"payer-{n % 400:06d}", ""]
        if n % 12 == 0 or n >= 1_495:
            back = minor if n % 24 == 0 or n >= 1_495 else rng.randint(1, minor)
            text = f"{Decimal(back).scaleb(-EXPONENT[currency]):f}"
            refunds.append([f"R{n}", f"P{n}", text, currency, "2018-01-31T10:00:00+08:00"])
    head = "merchant_no,name,registration_no,city,region,country,schedule"
    rows = [[no, f"Shop {no}", "", "", "", "BR", ("T1", "D3", "T0")[i % 3]] for i, no in
            enumerate(merchants)]  # fmt: skip
    _write(folder / "merchants.csv", head, rows)
    head = "payment_no,order_no,merchant_no,product,channel,amount,currency,captured_at"
    _write(folder / "payments.csv", f"{head},payer_ref,code_kind", payments)
    _write(folder / "refunds.csv", "refund_no,payment_no,amount,currency,refunded_at", refunds)


def _write(path: Path, head: str, rows: list[list[str]]) -> None:
    lines = [head, *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def marketplace_data(folder: Path) -> None:
    """Write the real marketplace's files, where they are."""
    tool = MARKETPLACE / "tools/olist_to_csv.py"
    if not tool.exists():
        pytest.skip("The marketplace data is not beside this checkout; our own data runs instead.")
    command = [sys.executable, str(tool), str(MARKETPLACE / "data/olist"), str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "payments 18674 sum 2788427.41 BRL" in told
    assert "refunds 221 sum 52135.20 BRL" in told


@pytest.fixture(params=["ours", pytest.param("marketplace", marks=pytest.mark.slow)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with the four files."""
    (own_data if request.param == "ours" else marketplace_data)(tmp_path)
    (tmp_path / "fees.csv").write_text(FEES, encoding="utf-8")
    return tmp_path


@pytest.fixture
def channel(tmp_path: Path, settings: Any) -> Iterator[Simulated]:
    """The simulated channel, as `CHANNEL_SIMULATOR_URL` leads to it."""
    with running(tmp_path / "book") as simulated:
        settings.CHANNEL_SIMULATOR = simulated.config | {"read_timeout": 10.0}
        yield simulated


def told(name: str, *options: str) -> Any:
    out = io.StringIO()
    call_command(name, *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def bring_in(folder: Path) -> list[tuple[int, int]]:
    """Import the four files; return how many rows of each were new and known."""
    answers = [
        told(f"import_{kind}", str(folder / f"{kind}.csv"))
        for kind in ("merchants", "fees", "payments", "refunds")
    ]
    return [(answer["new"], answer["known"]) for answer in answers]


def owed(folder: Path) -> dict[Key, int]:
    """What each merchant is owed, from the files alone, fees rounded half up for each payment."""
    found: dict[Key, int] = defaultdict(int)
    merchant_of: dict[str, str] = {}
    for row in _rows(folder / "payments.csv"):
        minor = Decimal(row["amount"]).scaleb(EXPONENT[row["currency"]])
        fee = (minor * Decimal("0.60") / 100).quantize(Decimal(1), ROUND_HALF_UP)
        found[row["merchant_no"], row["currency"]] += int(minor) - int(fee)
        merchant_of[row["payment_no"]] = row["merchant_no"]
    for row in _rows(folder / "refunds.csv"):
        minor = Decimal(row["amount"]).scaleb(EXPONENT[row["currency"]])
        found[merchant_of[row["payment_no"]], row["currency"]] -= int(minor)
    return dict(found)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def had() -> dict[Key, int]:
    """What each merchant has or had of it, as `balances` tells."""
    return {
        (row["merchant_no"], row["currency"]): row["pending"] + row["available"] + row["held"]
        + row["reserve"] + row["paid_out"] + row["payout_fees"] - row["debt"]
        for row in told("balances")
    }  # fmt: skip


def instruct(folder: Path) -> None:
    """Give the first merchants of the file a bank account and a standing instruction."""
    for row in _rows(folder / "merchants.csv")[:INSTRUCTED]:
        no = row["merchant_no"]
        account = ("--number", "6228480402564890018", "--holder", row["name"], "--bank", "Bank")
        options = ("--currency", "BRL", "--verified", "--approved-payee")
        told("create_bank_account", "--merchant", no, *account, *options)
        told("create_standing_instruction", "--merchant", no, "--currency", "BRL")


class TestOwnFiles:
    def test_settle_to_the_cent_and_again_change_nothing(
        self, cloned_db: str, folder: Path
    ) -> None:
        before = bring_in(folder)
        told("settle", "--date", "2018-02-13", "--inline")

        settled = told("balances")
        assert had() == owed(folder)
        assert {row["pending"] for row in settled} == {0}
        assert [row["debt"] for row in settled if row["debt"]]  # refunds of whole payments
        assert told("verify")["ok"]

        again = bring_in(folder)
        assert again == [(0, new) for new, _known in before]
        assert told("settle", "--date", "2018-02-13", "--inline")["items"] == 0
        assert told("balances") == settled

    def test_are_paid_out_by_standing_instruction_to_the_cent(
        self, cloned_db: str, folder: Path, channel: Simulated
    ) -> None:
        bring_in(folder)
        instruct(folder)
        told("payouts", "fee", "1.00", "--currency", "BRL", "--from", "2016-01-01")
        told("settle", "--date", "2018-02-13", "--inline")
        outbox.drain(inline=True)

        settled = told("balances")
        orders = channel.book()["orders"]
        assert had() == owed(folder)
        assert sum(row["paid_out"] for row in settled) == sum(o["amount_minor"] for o in orders)
        assert sum(row["payout_fees"] for row in settled) == 100 * len(orders)
        assert len(set(channel.paid())) == len(channel.paid()) == len(orders) >= 90
        assert told("verify")["ok"]

        bring_in(folder)
        told("settle", "--date", "2018-02-13", "--inline")
        outbox.drain(inline=True)
        assert told("balances") == settled
        assert len(channel.paid()) == len(orders)

"""The demo's data set: the same on every machine, and fit to be imported."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from stdnum.cn import uscc

from channels.services import clearing, fee_import, payment_import, refund_import
from foundation import clock
from foundation.csv_intake import Source
from merchants.services import merchant_import
from settlement.demo import data, day

AT = datetime.fromisoformat("2026-02-14T09:00:00+08:00")
DAYS = [date(2026, 1, 5) + timedelta(days=n) for n in range(40)]
WORKED = [each for each in DAYS if each.weekday() < 5][:30]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestTheDataSet:
    def test_is_the_same_to_the_byte_each_time(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            data.write(tmp_path / name, WORKED)

        for path in sorted((tmp_path / "one").iterdir()):
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()

    def test_has_sixty_chinese_merchants_whose_codes_check(self) -> None:
        shops = data.shops()

        assert len({shop.merchant_no for shop in shops}) == 60
        assert len({shop.name for shop in shops}) == 60
        assert all(uscc.is_valid(shop.registration_no) for shop in shops)
        assert {shop.schedule for shop in shops} == {"T0", "T1", "D1"}

    def test_has_about_thirty_thousand_payments_and_refunds_that_fit(self, tmp_path: Path) -> None:
        data.write(tmp_path, WORKED)

        payments = rows(tmp_path / "payments_before.csv") + rows(tmp_path / "payments_last_day.csv")
        refunds = rows(tmp_path / "refunds_before.csv") + rows(tmp_path / "refunds_last_day.csv")
        paid = {row["payment_no"]: Decimal(row["amount"]) for row in payments}
        assert 28_000 < len(paid) == len(payments) < 31_000
        assert 500 < len({row["refund_no"] for row in refunds}) == len(refunds)
        assert all(Decimal(row["amount"]) <= paid[row["payment_no"]] for row in refunds)
        last = {row["captured_at"][:10] for row in rows(tmp_path / "payments_last_day.csv")}
        assert last == {WORKED[-1].isoformat()}

    @pytest.mark.slow
    def test_is_imported_and_cleared_whole(self, cloned_db: str, tmp_path: Path) -> None:
        days = day.days()
        data.write(tmp_path, days)
        merchant_import.run(source=Source.from_path(tmp_path / "merchants.csv"), at=AT)
        fee_import.run(source=Source.from_path(tmp_path / "fees.csv"), at=AT)

        for part in ("before", "last_day"):
            payment_import.run(source=Source.from_path(tmp_path / f"payments_{part}.csv"), at=AT)
            refund_import.run(source=Source.from_path(tmp_path / f"refunds_{part}.csv"), at=AT)
        cleared = clearing.clear_all(at=clock.now())

        assert len(days) == 30
        assert date(2026, 1, 4) not in days  # a worked Sunday before the first day
        assert cleared.waiting == 0
        assert cleared.payments > 28_000
        assert cleared.refunds > 500

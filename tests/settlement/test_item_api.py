"""Settlements as programs read them: what is inside sums to what came out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.caller import Caller
from tests.api.world import World
from tests.factories.merchants import MerchantFactory


@pytest.mark.django_db
class TestSettlementBatches:
    def test_are_the_sum_of_their_lines_and_of_their_parts(self, tmp_path: Path) -> None:
        world = World(tmp_path)

        items = world.owner.get("settlement-batches").json()["items"]

        assert len(items) >= 3
        kinds = set()
        for item in items:
            one = world.owner.get(f"settlement-batches/{item['number']}")
            assert one.json() == item
            lines = world.owner.get(f"settlement-batches/{item['number']}/lines", limit=200)
            inside = lines.json()["items"]
            kinds |= {line["kind"] for line in inside}
            assert sum(line["amount_minor"] for line in inside) == item["net_minor"]
            assert len(inside) == item["line_count"]
            parts = ("to_debt_minor", "surcharge_minor", "to_available_minor")
            assert sum(item[part] for part in parts) == item["net_minor"]
            for line in inside:
                if line["kind"] == "payment":
                    payment = world.owner.get(f"payments/{line['number']}").json()
                    assert line["gross_minor"] == payment["amount_minor"]
                    assert line["fee_minor"] == payment["fee_minor"]
                    assert line["amount_minor"] == payment["net_minor"]
        assert "refund" in kinds

    def test_can_be_of_some_days_and_of_one_currency(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        items = world.owner.get("settlement-batches").json()["items"]
        middle = items[1]["run_date"]

        one = world.owner.get("settlement-batches", since=middle, until=middle).json()["items"]
        since = world.owner.get("settlement-batches", since=middle).json()["items"]
        other = world.owner.get("settlement-batches", currency="JPY").json()["items"]

        assert one == [items[1]]
        assert since == items[:2]
        assert other == []

    @pytest.mark.parametrize(
        "number",
        ["x", "S0000001-20260201-1-CNY", "S0000001-20261301-1-CNY", "S" + "9" * 18 + "-1", "S\0"],
    )
    def test_that_do_not_exist_are_404(self, number: str) -> None:
        caller = Caller(MerchantFactory())

        assert caller.get(f"settlement-batches/{number}").status_code == 404
        assert caller.get(f"settlement-batches/{number}/lines").status_code == 404

    def test_have_one_number_only(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        number = world.numbers["settlement"]

        for other in (number.replace("S", "S0"), number.replace("-1-", "-01-"), number.lower()):
            assert world.owner.get(f"settlement-batches/{other}").status_code == 404, other

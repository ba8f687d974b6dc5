"""What a payment costs: the worked table, the order of versions, and rounding."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.models import FeeRule
from foundation.csv_intake import FileRefused
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db

TABLE = [
    ("0.01", "0.6", "", 0),
    ("0.83", "0.6", "", 0),
    ("0.84", "0.6", "", 1),
    ("1.00", "0.38", "", 0),
    ("1.32", "0.38", "", 1),
    ("125.00", "0.38", "", 48),
    ("1299.02", "0.6", "", 779),
    ("3714.28", "0.35", "13", 1300),
    ("3714.29", "0.35", "13", 1300),
    ("10000.00", "0.0325", "3.25", 325),
    ("10001.00", "0.0325", "3.25", 325),
    ("50000.00", "0.45", "", 22500),
    ("2.50", "0.2", "", 1),
]


def twin(amount: int, rate: Fraction, fixed: int, minimum: int, cap: int | None) -> int:
    """Say the same in whole numbers and fractions (FEE-3)."""
    exact = amount * rate / 100
    fee = int(exact + Fraction(1, 2)) + fixed
    fee = fee if cap is None else min(fee, cap)
    return min(amount, max(minimum, fee))


class TestTheWorkedTable:
    def test_each_row_costs_what_it_says(self) -> None:
        rows, fees = [], []
        for number, (amount, rate, cap, _) in enumerate(TABLE):
            merchant = MerchantFactory.create()
            fees.append(f"{merchant.merchant_no},*,*,{rate},,,{cap},,kept,2016-01-01")
            rows.append(make.payment_row(f"W{number}", merchant.merchant_no, amount))
        make.fees(*fees)
        make.payments(*rows)

        make.clear()

        got = [make.fee_of(f"W{number}") for number in range(len(TABLE))]
        assert got == [fee for *_, fee in TABLE]
        make.assert_proved()

    @pytest.mark.parametrize(
        ("currency", "amount", "fixed", "minimum", "cap", "fee"),
        [
            ("JPY", "1050", "", "", "", 11),  # 10.5 yen
            ("JPY", "100", "5", "", "", 6),
            ("JPY", "3", "5", "", "", 3),  # never above the amount
            ("KWD", "10.050", "", "", "", 101),  # 100.5 fils
            ("KWD", "1.000", "", "0.025", "", 25),
            ("KWD", "1000.000", "", "", "1.125", 1125),
        ],
    )
    def test_parts_are_counted_in_the_minor_unit_of_the_currency(
        self, currency: str, amount: str, fixed: str, minimum: str, cap: str, fee: int
    ) -> None:
        no = MerchantFactory.create().merchant_no
        make.fees(f"{no},*,*,1,{fixed},{minimum},{cap},{currency},kept,2016-01-01")
        make.payments(make.payment_row("C", no, amount, currency=currency))

        make.clear()

        assert make.fee_of("C") == fee


class TestRounding:
    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @example(amounts=[250, 12_500, 84, 83, 1], rate=200_000, fixed=0, minimum=0, cap=None)
    @example(amounts=[999_999_999_999], rate=99_999_999, fixed=1, minimum=1, cap=None)
    @given(
        amounts=st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
        rate=st.integers(0, 100_000_000),
        fixed=st.integers(0, 500),
        minimum=st.integers(0, 100),
        cap=st.none() | st.integers(100, 10**6),
    )
    @make.undone()
    def test_agrees_with_exact_fractions_half_up(
        self, amounts: list[int], rate: int, fixed: int, minimum: int, cap: int | None
    ) -> None:
        merchant = MerchantFactory.create()
        no = merchant.merchant_no
        parts = [f"{each // 100}.{each % 100:02}" for each in (fixed, minimum)]
        top = "" if cap is None else f"{cap // 100}.{cap % 100:02}"
        percent = f"{rate // 10**6}.{rate % 10**6:06}"
        make.fees(f"{no},*,*,{percent},{parts[0]},{parts[1]},{top},CNY,kept,2016-01-01")
        majors = [f"{amount // 100}.{amount % 100:02}" for amount in amounts]
        make.payments(*[make.payment_row(f"{no}-{n}", no, a) for n, a in enumerate(majors)])

        make.clear()

        got = [make.fee_of(f"{no}-{n}") for n in range(len(amounts))]
        exact = Fraction(rate, 10**6)
        assert got == [twin(amount, exact, fixed, minimum, cap) for amount in amounts]


class TestTheVersionInForce:
    def test_goes_by_merchant_then_channel_product_currency_and_date(self) -> None:
        no = MerchantFactory.create().merchant_no
        steps = [
            "*,*,*,1,,,,,kept,2016-01-01",
            "*,*,*,2,,,,,kept,2017-01-01",
            "*,*,*,3,,,,CNY,kept,2016-01-01",
            "*,card,*,4,,,,,kept,2016-01-01",
            "*,*,unionpay,5,,,,,kept,2016-01-01",
            f"{no},*,*,6,,,,,kept,2016-01-01",
        ]
        for number, step in enumerate(steps):  # each is stronger than all before
            make.fees(step)
            make.payments(make.payment_row(f"V{number}", no, "100.00"))
            make.clear()

        assert [make.fee_of(f"V{n}") for n in range(6)] == [100, 200, 300, 400, 500, 600]

    def test_begins_at_midnight_of_the_business_zone(self) -> None:
        no = MerchantFactory.create().merchant_no
        make.fees(f"{no},*,*,1,,,,,kept,2016-01-01", f"{no},*,*,2,,,,,kept,2026-03-02")
        last, first = "2026-03-01T15:59:59.999999Z", "2026-03-01T16:00:00Z"
        make.payments(
            make.payment_row("Z1", no, "100.00", captured_at=last),
            make.payment_row("Z2", no, "100.00", captured_at=first),
        )

        make.clear()

        assert (make.fee_of("Z1"), make.fee_of("Z2")) == (100, 200)

    def test_is_only_one_of_a_rank(self) -> None:
        no = MerchantFactory.create().merchant_no
        line = f"{no},*,*,1,,,,,kept,2016-01-01"

        assert make.fees(line).new == 1
        assert make.fees(line).new == 0
        with pytest.raises(FileRefused) as refusal:
            make.fees(f"{no},*,*,2,,,,,kept,2016-01-01")
        assert [row.reason for row in refusal.value.bad] == ["conflict"]
        with pytest.raises(FileRefused) as refusal:
            make.fees(*[f"{no},*,*,{n},,,,,kept,2020-01-01" for n in (1, 2)])
        assert {row.column for row in refusal.value.bad} == {"effective_from"}
        assert FeeRule.objects.filter(merchant__merchant_no=no).count() == 1

"""How a fee is explained: the same as the SQL that charged it, in both languages."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.models import Pricing
from channels.selectors import pricing
from foundation.money import CURRENCIES, Money
from tests.factories import channels as make
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db

EXPONENTS = {"JPY": 0, "KRW": 0, "CNY": 2, "USD": 2, "KWD": 3, "BHD": 3, "CLF": 4}


def oracle(
    minor: int, exponent: int, rate: Decimal, fixed: Decimal, minimum: Decimal, cap: Decimal | None
) -> int:
    """Say FEE-3 in decimals of major units, with no code of ours."""
    unit = Decimal(1).scaleb(-exponent)
    amount = minor * unit

    def rounded(major: Decimal) -> Decimal:
        return major.quantize(unit, ROUND_HALF_UP)

    fee = rounded(amount * rate / 100) + rounded(fixed)
    if cap is not None:
        fee = min(fee, rounded(cap))
    return int(min(amount, max(fee, rounded(minimum))) / unit)


def priced(number: str) -> Pricing:
    """Return the price of a payment by its number."""
    return Pricing.objects.select_related("payment", "fee_rule").get(payment__payment_no=number)


parts = st.decimals(0, 500, places=4)


class TestTheOracle:
    def test_knows_the_same_decimals(self) -> None:
        assert {code: CURRENCIES[code] for code in EXPONENTS} == EXPONENTS

    @settings(
        max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @example(
        minors=[10**15, 10**15 - 1, 1, 2, 3],
        rate=Decimal("99.999999"),
        fixed=Decimal("0.5"),
        minimum=Decimal("0.0005"),
        more=None,
    )
    @example(
        minors=[10**15, 50, 150],
        rate=Decimal("100"),
        fixed=Decimal(0),
        minimum=Decimal(0),
        more=Decimal(0),
    )
    @given(
        minors=st.lists(st.integers(1, 10**15) | st.integers(1, 500), min_size=1, max_size=8),
        rate=st.decimals(0, 100, places=6) | st.sampled_from([Decimal("0.2"), Decimal("0.38")]),
        fixed=parts | st.just(Decimal(0)),
        minimum=parts | st.just(Decimal(0)),
        more=st.none() | parts,
    )
    @make.undone()
    def test_agrees_with_the_sql_and_with_the_explanation_in_every_currency(
        self,
        minors: list[int],
        rate: Decimal,
        fixed: Decimal,
        minimum: Decimal,
        more: Decimal | None,
    ) -> None:
        no = MerchantFactory.create().merchant_no
        cap = None if more is None else minimum + more
        make.fees(f"{no},*,*,{rate:f},{fixed:f},{minimum:f},{'' if cap is None else f'{cap:f}'},"
                  ",kept,2016-01-01")  # fmt: skip
        rows = [  # a file takes 14 digits before the point
            (f"{no}-{code}-{n}", Money(min(minor, 10 ** (14 + exponent) - 1), code), exponent)
            for code, exponent in EXPONENTS.items()
            for n, minor in enumerate(minors)
        ]
        make.payments(
            *[
                make.payment_row(key, no, paid.major, currency=paid.currency)
                for key, paid, _ in rows
            ]
        )

        make.clear()

        for key, paid, exponent in rows:
            stored = priced(key)
            expected = oracle(paid.minor, exponent, rate, fixed, minimum, cap)
            assert (stored.fee_minor, key) == (expected, key)
            assert pricing.explain(stored).fee == Money(expected, paid.currency)


class TestTheWords:
    def explained(self, amount: str, rule: str, currency: str = "CNY") -> list[str]:
        no = MerchantFactory.create(merchant_no="SHOP").merchant_no
        make.fees(f"{no},{rule}")
        make.payments(make.payment_row("P1", no, amount, currency=currency))
        make.clear()
        return pricing.explain(priced("P1")).lines

    def test_name_the_version_and_every_step_that_there_is(self) -> None:
        with translation.override("en"):
            version, *steps = self.explained("1299.02", "*,*,0.6,0.10,0.50,5,CNY,kept,2016-01-01")

        assert version.endswith(
            "(merchant SHOP, channel any, product any, currency CNY), in force from 2016-01-01;"
            " the payment is of 2026-03-02; fee on refund: kept"
        )
        assert steps == [
            "1299.02 CNY x 0.6 % = 7.79412, rounded half up: 7.79 CNY",
            "plus the fixed part 0.10 CNY: 7.89 CNY",
            "at most 5.00 CNY: 5.00 CNY",
            "at least 0.50 CNY: 5.00 CNY",
        ]

    def test_leave_out_what_the_version_does_not_have(self) -> None:
        with translation.override("en"):
            _, *steps = self.explained("2.50", "card,unionpay,0.2,,,,,returned,2016-01-01")

        assert steps == ["2.50 CNY x 0.2 % = 0.005, rounded half up: 0.01 CNY"]

    def test_say_that_a_fee_ends_at_the_amount(self) -> None:
        with translation.override("en"):
            *_, last = self.explained("3", "*,*,1,5,,,JPY,kept,2016-01-01", "JPY")

        assert last == "never above the amount: 3 JPY"

    def test_are_chinese_for_those_who_read_it(self) -> None:
        with translation.override("zh-hans"):
            version, first, *_ = self.explained("125.00", "*,*,0.38,,,,,kept,2016-01-01")

        assert version.startswith("版本 ")
        assert "自 2016-01-01 起生效" in version
        assert first == "125.00 CNY × 0.38% = 0.475，四舍五入: 0.48 CNY"


class TestThePageOfAPayment:
    @pytest.mark.parametrize(
        ("language", "words"),
        [("en", "rounded half up: 0.60 CNY"), ("zh-hans", "四舍五入: 0.60 CNY")],
    )
    def test_tells_how_the_fee_came_about(self, language: str, words: str) -> None:
        no = MerchantFactory.create().merchant_no
        make.fees(f"{no},*,*,0.6,,,,,kept,2016-01-01")
        make.payments(make.payment_row("P1", no, "100.00"), make.payment_row("P2", no, "1.00"))
        make.clear()
        client = Client()
        client.force_login(UserFactory(is_staff=True, is_superuser=True, language=language))
        key = priced("P1").payment_id

        for address in ("admin:channels_payment_change", "admin:settlement_payment_trail"):
            assert words in client.get(reverse(address, args=[key])).content.decode()

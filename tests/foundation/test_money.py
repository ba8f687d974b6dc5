from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foundation import money
from foundation.money import CURRENCIES, MAX_MINOR, Money

amounts = st.integers(0, MAX_MINOR)
currencies = st.sampled_from(sorted(CURRENCIES))
rates = st.decimals(0, 100, places=6)


class TestParse:
    @given(minor=amounts, currency=currencies)
    def test_reads_what_major_writes(self, minor, currency):
        assume(minor < 10 ** (14 + CURRENCIES[currency]))  # files carry 14 digits before the point

        assert Money.parse(Money(minor, currency).major, currency) == Money(minor, currency)

    @pytest.mark.parametrize(
        ("text", "currency", "minor"),
        [("12.5", "CNY", 12_50), ("0.01", "CNY", 1), ("7", "JPY", 7), ("1.234", "KWD", 1_234)],
    )
    def test_follows_the_exponent_of_the_currency(self, text, currency, minor):
        assert Money.parse(text, currency) == Money(minor, currency)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " 1",
            "1 ",
            "+1",
            "-1",
            "1e3",
            "NaN",
            "1.",
            ".5",
            "1,000",
            "１２",
            "1.234",
            "0x1",
            "1\n",
        ],
    )
    def test_refuses_what_is_no_plain_amount(self, text):
        with pytest.raises(money.AmountMalformed):
            Money.parse(text, "CNY")

    def test_refuses_decimals_of_a_currency_that_has_none(self):
        with pytest.raises(money.AmountMalformed):
            Money.parse("1.0", "JPY")

    def test_refuses_more_than_we_keep_and_takes_the_limit(self):
        assert Money.parse("10000000000000.00", "CNY").minor == MAX_MINOR
        with pytest.raises(money.AmountMalformed):
            Money.parse("10000000000000.01", "CNY")

    def test_refuses_an_unknown_currency(self):
        with pytest.raises(money.CurrencyUnknown):
            Money.parse("1.00", "XXX")


class TestShare:
    @given(minor=st.integers(0, 10**12), rate=rates)
    def test_is_symmetric_so_that_giving_a_fee_back_mirrors_charging_it(self, minor, rate):
        assert Money(-minor, "EUR").share(rate).minor == -Money(minor, "EUR").share(rate).minor

    @given(minor=amounts, rate=rates)
    def test_is_never_more_than_the_whole_nor_off_by_more_than_half_a_unit(self, minor, rate):
        part = Money(minor, "CNY").share(rate).minor

        assert 0 <= part <= minor
        assert abs(Decimal(part) - Decimal(minor) * rate / 100) <= Decimal("0.5")

    @pytest.mark.parametrize(
        ("minor", "rate", "part"),
        [
            (100_00, "0.60", 60),
            (8_33, "0.60", 5),
            (83, "0.60", 0),
            (84, "0.60", 1),
            (50, "1", 1),
            (2_50, "1", 3),
            (-2_50, "1", -3),
            (-84, "0.60", -1),
        ],
    )
    def test_rounds_half_a_unit_away_from_zero(self, minor, rate, part):
        assert Money(minor, "CNY").share(Decimal(rate)).minor == part


class TestAllocate:
    @given(
        total=amounts, weights=st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any)
    )
    def test_splits_so_that_the_parts_sum_to_the_whole(self, total, weights):
        parts = money.allocate(total, weights)

        assert sum(parts) == total
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part * sum(weights) - total * weight) < sum(weights)

    def test_gives_the_largest_remainder_the_unit_that_is_left(self):
        assert money.allocate(100, [1, 1, 1]) == [34, 33, 33]
        assert money.allocate(10, [1, 2, 4]) == [1, 3, 6]

    @pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
    def test_refuses_weights_that_say_nothing(self, weights):
        with pytest.raises(ValueError, match="weights"):
            money.allocate(1, weights)


class TestSums:
    def test_two_currencies_never_meet(self):
        with pytest.raises(money.CurrencyMismatch):
            Money(1, "CNY") + Money(1, "USD")
        with pytest.raises(money.CurrencyMismatch):
            assert Money(1, "CNY") < Money(1, "USD")

    def test_shows_cents_below_zero(self):
        assert str(Money(-25, "CNY")) == "-0.25 CNY"
        assert str(Money(-25, "JPY")) == "-25 JPY"

    @pytest.mark.parametrize(
        ("minor", "currency", "text"),
        [
            (71238_23, "CNY", "71,238.23 CNY"), (-1234567_00, "CNY", "-1,234,567.00 CNY"),
            (-25, "CNY", "-0.25 CNY"), (1000, "JPY", "1,000 JPY"), (99, "CNY", "0.99 CNY"),
        ],
    )  # fmt: skip
    def test_is_read_in_groups_of_three(self, minor, currency, text):
        assert Money(minor, currency).grouped == text

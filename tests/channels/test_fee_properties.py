"""Fees over any history: the version by the payment's own day, and fees that go back to the fen."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.models import Pricing, RefundBooking
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
ANY_DATABASE_STATE = [HealthCheck.function_scoped_fixture]
SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST = datetime(2026, 2, 28, 16, tzinfo=UTC)  # 1 March in Shanghai


class TestTheVersionInForce:
    @settings(max_examples=15, deadline=None, suppress_health_check=ANY_DATABASE_STATE)
    @example(moments=[0, -1, 1, 86_400_000_000, 86_399_999_999], offset=840)
    @given(
        moments=st.lists(st.integers(-2 * 86_400_000_000, 6 * 86_400_000_000), min_size=1),
        offset=st.integers(-14 * 60, 14 * 60),
    )
    @make.undone()
    def test_goes_by_the_day_in_the_business_zone_whatever_zone_the_file_writes(
        self, moments: list[int], offset: int
    ) -> None:
        no = MerchantFactory.create().merchant_no
        days = [date(2026, 2, 27) + timedelta(days=n) for n in range(9)]
        make.fees(*[f"{no},*,*,{n},,,,,kept,{day}" for n, day in enumerate(days)])
        zone = timezone(timedelta(minutes=offset))
        instants = [FIRST + timedelta(microseconds=moment) for moment in moments]
        make.payments(
            *[
                make.payment_row(
                    f"{no}-{n}", no, "1.00", captured_at=at.astimezone(zone).isoformat()
                )
                for n, at in enumerate(instants)
            ]
        )

        make.clear()

        paid = Pricing.objects.filter(payment__merchant__merchant_no=no).order_by("payment_id")
        got = {each.payment.captured_at: each.fee_minor for each in paid.select_related("payment")}
        assert got == {at: days.index(at.astimezone(SHANGHAI).date()) for at in instants}


class TestAFeeThatGoesBack:
    @settings(max_examples=25, deadline=None, suppress_health_check=ANY_DATABASE_STATE)
    @example(rate=6_000, parts=[333, 333, 335], together=False)
    @example(rate=1_000_000, parts=[1, 1, 1], together=True)
    @example(rate=500_000, parts=[1, 1], together=True)
    @given(
        rate=st.integers(0, 1_000_000),
        parts=st.lists(st.integers(1, 50_000), min_size=1, max_size=8),
        together=st.booleans(),
    )
    @make.undone()
    def test_adds_up_to_the_whole_fee_and_is_half_up_at_every_step(
        self, rate: int, parts: list[int], together: bool
    ) -> None:
        """`rate` in millionths of the amount; refunds in one file, or each in its own."""
        no = MerchantFactory.create().merchant_no
        make.fees(f"{no},*,*,{rate // 10_000}.{rate % 10_000:04},,,,CNY,returned,2016-01-01")
        total = sum(parts)
        make.payments(make.payment_row(f"P-{no}", no, f"{total // 100}.{total % 100:02}"))
        make.clear()
        rows = [
            (f"R-{no}-{n}", f"P-{no}", f"{part // 100}.{part % 100:02}")
            for n, part in enumerate(parts)
        ]

        for file in [rows] if together else [[row] for row in rows]:
            make.refunds(*file)
            make.clear()

        fee = Pricing.objects.get(payment__payment_no=f"P-{no}").fee_minor
        back = list(
            RefundBooking.objects.filter(payment__payment_no=f"P-{no}")
            .order_by("refund__refunded_before_minor")
            .values_list("fee_returned_minor", "amount_minor")
        )
        assert sum(minor for minor, _ in back) == fee
        given_back = refunded = 0
        for minor, part in back:
            given_back, refunded = given_back + minor, refunded + part
            share = Fraction(fee * refunded, total)
            assert given_back == int(share + Fraction(1, 2))
            assert 0 <= minor <= part
        assert make.balances(merchant_id(no)) == {}
        make.assert_proved()


def merchant_id(merchant_no: str) -> int:
    """Return the id of a merchant with a priced payment."""
    return Pricing.objects.filter(merchant__merchant_no=merchant_no)[0].merchant_id

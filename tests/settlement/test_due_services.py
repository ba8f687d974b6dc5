"""What cleared payments and booked refunds bring to the settlement."""

from __future__ import annotations

from datetime import date
from itertools import count

import pytest
from django.db import connection

from foundation import registries, sql
from foundation.services import calendar
from settlement.models import Due, Position
from settlement.services import due as dues
from settlement.services import run as runs
from settlement.services import schedule
from tests.factories import settlement as make
from tests.settlement.runs import assert_proved

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)

# What clearing writes, as far as dues and checks read it; a temporary table hides the real one.
TABLES = """
CREATE TEMP TABLE channels_payment (id bigint, merchant_id bigint, currency text,
  amount_minor bigint, business_date date, payment_no text);
CREATE TEMP TABLE channels_pricing (merchant_id bigint, payment_id bigint, fee_minor bigint,
  chunk_id bigint);
CREATE TEMP TABLE channels_refund (id bigint, merchant_id bigint, currency text,
  business_date date, payment_id bigint, amount_minor bigint, refund_no text DEFAULT '');
CREATE TEMP TABLE channels_refund_booking (merchant_id bigint, refund_id bigint, payment_id bigint,
  from_pending_minor bigint, chunk_id bigint)
"""

OF_CLEARING = ("I10", "C1", "C2", "C3", "C4")  # they ask for more than those tables have


class Clearing:
    """Clears payments and books refunds in chunks, as the channels do."""

    def __init__(self) -> None:
        self.numbers, self.chunks = count(1), count(1)

    def payments(self, *rows: tuple[int, int, int, date]) -> list[int]:
        """Clear (merchant, amount, fee, business date) in one chunk; return the payments."""
        chunk, made = next(self.chunks), []
        for merchant, amount, fee, day in rows:
            number = next(self.numbers)
            made.append(number)
            sql.execute(
                "INSERT INTO channels_payment VALUES (%s, %s, 'CNY', %s, %s, %s)",
                [number, merchant, amount, day, f"P{number}"],
            )
            sql.execute(
                "INSERT INTO channels_pricing VALUES (%s, %s, %s, %s)",
                [merchant, number, fee, chunk],
            )
            make.account(merchant, "merchant_pending")
            if amount > fee:
                make.book(merchant, "CNY", f"payment:{number}", clear=amount - fee)
        registries.announce_facts("payments_cleared", chunk_id=chunk)
        return made

    def refunds(self, *rows: tuple[int, int, int, date]) -> list[int]:
        """Book (merchant, payment, part from pending, business date) in one chunk."""
        chunk, made = next(self.chunks), []
        for merchant, payment, taken, day in rows:
            number = next(self.numbers)
            made.append(number)
            sql.execute(
                "INSERT INTO channels_refund VALUES (%s, %s, 'CNY', %s, %s, %s)",
                [number, merchant, day, payment, taken],
            )
            sql.execute(
                "INSERT INTO channels_refund_booking VALUES (%s, %s, %s, %s, %s)",
                [merchant, number, payment, taken, chunk],
            )
            if taken:
                make.book(merchant, "CNY", f"refund:{number}", clear=-taken)
        registries.announce_facts("refunds_booked", chunk_id=chunk)
        return made


@pytest.fixture
def clearing(db: None) -> Clearing:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
    return Clearing()


def settle(run_date: date) -> None:
    started = runs.start(run_date=run_date)
    assert started is not None
    runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)


def of(kind: str, source_id: int) -> tuple[int, date | None, bool, str]:
    due = Due.objects.get(source_kind=kind, source_id=source_id)
    return due.amount_minor, due.due_date, due.at_once, due.explanation


class TestPaymentsCleared:
    def test_are_due_net_of_the_fee_by_the_schedule_in_force_that_day(self, clearing):
        merchant = make.merchant()
        schedule.change(merchant_id=merchant, code="D3", effective_from=TUESDAY)

        first, second = clearing.payments(
            (merchant, 100_00, 60, MONDAY), (merchant, 50_00, 30, TUESDAY)
        )

        assert of("payment", first) == (99_40, TUESDAY, False, "schedule")
        assert of("payment", second) == (49_70, date(2026, 3, 6), False, "schedule")
        assert Position.objects.get(merchant_id=merchant).open_from == TUESDAY
        assert_proved(but=OF_CLEARING)

    def test_that_come_late_lower_the_bound(self, clearing):
        merchant = make.merchant()
        clearing.payments((merchant, 100_00, 0, TUESDAY))

        clearing.payments((merchant, 100_00, 0, date(2026, 2, 2)))

        assert Position.objects.get(merchant_id=merchant).open_from == date(2026, 2, 3)


class TestRefundsBooked:
    def test_out_of_their_own_payment_take_its_date(self, clearing):
        merchant = make.merchant()
        payment, _ = clearing.payments(
            (merchant, 100_00, 60, MONDAY), (merchant, 10_00, 0, WEDNESDAY)
        )

        (refund,) = clearing.refunds((merchant, payment, 30_00, MONDAY))
        settle(TUESDAY)

        assert of("refund", refund) == (-30_00, TUESDAY, False, "own_payment")
        assert make.balance(merchant, "merchant_available") == 69_40
        assert make.balance(merchant, "merchant_pending") == 10_00
        assert_proved(but=OF_CLEARING)

    def test_above_what_is_left_of_their_payment_are_due_at_once(self, clearing):
        merchant = make.merchant()
        payment, _ = clearing.payments(
            (merchant, 100_00, 60, MONDAY), (merchant, 50_00, 0, WEDNESDAY)
        )

        (refund,) = clearing.refunds((merchant, payment, 100_00, WEDNESDAY))

        assert of("refund", refund) == (-99_40, TUESDAY, False, "own_payment")
        assert of("refund_rest", refund) == (-60, WEDNESDAY, True, "at_once")
        settle(TUESDAY)
        assert make.balance(merchant, "merchant_debt") == 60  # at once: before Wednesday's is due
        assert_proved(but=OF_CLEARING)

    def test_of_one_payment_share_what_is_left_of_it_in_order(self, clearing):
        merchant = make.merchant()
        payment, _ = clearing.payments(
            (merchant, 100_00, 60, MONDAY), (merchant, 50_00, 0, WEDNESDAY)
        )
        (early,) = clearing.refunds((merchant, payment, 40_00, MONDAY))

        one, two = clearing.refunds(
            (merchant, payment, 50_00, TUESDAY), (merchant, payment, 10_00, TUESDAY)
        )

        assert of("refund", early)[0] == -40_00
        assert of("refund", one)[0] == -50_00
        assert of("refund", two)[0] == -9_40
        assert of("refund_rest", two)[0] == -60
        assert_proved(but=OF_CLEARING)

    def test_of_a_payment_on_a_line_are_due_at_once(self, clearing):
        merchant = make.merchant()
        payment, _ = clearing.payments(
            (merchant, 100_00, 0, MONDAY), (merchant, 50_00, 0, WEDNESDAY)
        )
        settle(TUESDAY)

        (refund,) = clearing.refunds((merchant, payment, 20_00, WEDNESDAY))

        assert of("refund_rest", refund) == (-20_00, WEDNESDAY, True, "at_once")
        assert not Due.objects.filter(source_kind="refund").exists()
        assert_proved(but=OF_CLEARING)

    def test_that_pending_did_not_pay_bring_nothing(self, clearing):
        merchant = make.merchant()
        (payment,) = clearing.payments((merchant, 100_00, 0, MONDAY))
        settle(TUESDAY)

        clearing.refunds((merchant, payment, 0, TUESDAY))

        assert Due.objects.filter(merchant_id=merchant).count() == 1


class TestMissingCalendar:
    def test_leaves_the_date_empty_until_the_year_is_loaded(self, clearing):
        merchant, last = make.merchant(), date(2026, 12, 31)
        (payment,) = clearing.payments((merchant, 100_00, 0, last))
        (refund,) = clearing.refunds((merchant, payment, 30_00, last))
        assert of("payment", payment) == (100_00, None, False, "calendar_year_not_loaded")
        assert of("refund", refund) == (-30_00, None, False, "own_payment")
        assert runs.start(run_date=date(2027, 6, 1)) is None
        assert dues.fill_dates() == 0

        calendar.load_year(_year_2027(), source="a test")

        assert of("payment", payment) == (
            100_00,
            date(2027, 1, 1),
            False,
            "calendar_year_not_loaded",
        )
        assert of("refund", refund)[1] == date(2027, 1, 1)
        assert dues.fill_dates() == 0
        settle(date(2027, 1, 1))
        assert make.balance(merchant, "merchant_available") == 70_00
        assert_proved(but=OF_CLEARING)


def _year_2027() -> list[str]:
    """The plain year without holidays, as a file."""
    days = (date.fromordinal(date(2027, 1, 1).toordinal() + n) for n in range(365))
    rows = [f"{day},{'yes' if day.weekday() < 5 else 'no'},\n" for day in days]
    return ["date,is_business_day,name\n", *rows]

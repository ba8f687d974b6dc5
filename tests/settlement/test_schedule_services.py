"""Due dates by every schedule, over the holidays too, in Python and in SQL."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from foundation import registries, sql
from foundation.services import calendar
from settlement.models import Schedule
from settlement.selectors import schedule as schedules
from settlement.services import schedule
from tests.factories import settlement as make


def in_sql(code: str, day: date) -> date | None:
    found: date | None = sql.rows("SELECT settlement_due_date(%s, %s) AS day", [code, day])[0][
        "day"
    ]
    return found


TABLE = [
    # Spring Festival 2026: 14 February works, 15 to 23 are off, 28 works
    ("T1", "2026-02-13", "2026-02-14"),
    ("T1", "2026-02-14", "2026-02-24"),
    ("T1", "2026-02-18", "2026-02-24"),
    ("T1", "2026-02-23", "2026-02-24"),
    ("T2", "2026-02-13", "2026-02-24"),
    ("T1", "2026-02-27", "2026-02-28"),
    # October week: 1 to 7 are off, Saturday the 10th works
    ("T1", "2026-09-30", "2026-10-08"),
    ("T1", "2026-10-08", "2026-10-09"),
    ("T1", "2026-10-09", "2026-10-10"),
    ("T1", "2026-10-10", "2026-10-12"),
    ("T1", "2026-10-11", "2026-10-12"),
    ("T3", "2026-09-30", "2026-10-10"),
    # the same day: T0 on a working day, D0 on any
    ("T0", "2026-03-02", "2026-03-02"),
    ("T0", "2026-03-07", "2026-03-09"),
    ("T0", "2026-02-14", "2026-02-14"),
    ("D0", "2026-03-07", "2026-03-07"),
    # calendar days, across a month and a leap day
    ("D1", "2026-02-28", "2026-03-01"),
    ("D3", "2024-02-27", "2024-03-01"),
    # the next such weekday, never the same day
    ("WEEKLY:1", "2026-03-02", "2026-03-09"),
    ("WEEKLY:1", "2026-03-08", "2026-03-09"),
    ("WEEKLY:7", "2026-03-02", "2026-03-08"),
    # the next such day of a month, never the same day
    ("MONTHLY:15", "2026-03-14", "2026-03-15"),
    ("MONTHLY:15", "2026-03-15", "2026-04-15"),
    ("MONTHLY:1", "2026-12-31", "2027-01-01"),
    ("MONTHLY:28", "2026-01-31", "2026-02-28"),
]


@pytest.mark.django_db
class TestDueDate:
    @pytest.mark.parametrize(("code", "day", "due"), TABLE)
    def test_follows_the_table(self, code, day, due):
        start, expected = date.fromisoformat(day), date.fromisoformat(due)

        assert schedules.due_date(code, start) == expected
        assert in_sql(code, start) == expected

    def test_is_none_where_a_person_settles(self):
        assert schedules.due_date("MANUAL", date(2026, 3, 2)) is None
        assert in_sql("MANUAL", date(2026, 3, 2)) is None

    def test_is_not_guessed_beyond_the_calendar(self):
        with pytest.raises(calendar.CalendarYearNotLoaded):
            schedules.due_date("T1", date(2026, 12, 31))

        assert in_sql("T1", date(2026, 12, 31)) is None


codes = st.one_of(
    st.integers(0, 30).map(lambda n: f"T{n}"),
    st.integers(0, 30).map(lambda n: f"D{n}"),
    st.integers(1, 7).map(lambda n: f"WEEKLY:{n}"),
    st.integers(1, 28).map(lambda n: f"MONTHLY:{n}"),
)


class TestTwins(TestCase):
    @given(code=codes, day=st.dates(date(2016, 1, 1), date(2026, 11, 1)))
    def test_python_and_sql_give_the_same_date(self, code: str, day: date) -> None:
        due = schedules.due_date(code, day)

        assert due == in_sql(code, day)
        assert due is not None
        assert due >= day


@pytest.mark.django_db
class TestInForce:
    def test_is_t1_where_nothing_was_set(self):
        assert schedules.in_force(merchant_id=make.merchant(), day=date(2026, 3, 2)) == "T1"

    def test_is_the_latest_that_has_begun_and_the_last_version_of_its_date(self):
        merchant = make.merchant()
        for code, day in (("T2", 1), ("D7", 10), ("T3", 10)):
            schedule.change(merchant_id=merchant, code=code, effective_from=date(2026, 3, day))

        assert schedules.in_force(merchant_id=merchant, day=date(2026, 2, 28)) == "T1"
        assert schedules.in_force(merchant_id=merchant, day=date(2026, 3, 9)) == "T2"
        assert schedules.in_force(merchant_id=merchant, day=date(2026, 3, 10)) == "T3"


@pytest.mark.django_db
class TestChange:
    @pytest.mark.parametrize("code", ["T31", "T01", "WEEKLY:0", "MONTHLY:29", "t1", "", "T1\n"])
    def test_refuses_what_is_no_schedule(self, code):
        with pytest.raises(schedule.ScheduleRefused):
            schedule.change(merchant_id=make.merchant(), code=code, effective_from=date(2026, 3, 2))

    def test_refuses_a_surcharge_on_what_is_not_advanced(self):
        with pytest.raises(schedule.ScheduleRefused):
            schedule.change(
                merchant_id=make.merchant(), code="T1", effective_from=date(2026, 3, 2),
                surcharge_percent=Decimal("0.1"),
            )  # fmt: skip

    def test_never_changes_what_was_set(self):
        schedule.change(merchant_id=make.merchant(), code="T2", effective_from=date(2026, 3, 2))

        with pytest.raises(DatabaseError), transaction.atomic():
            Schedule.objects.update(code="T3")


@pytest.mark.django_db
class TestMerchantsImported:
    def test_gives_each_new_merchant_the_schedule_of_its_row(self):
        call, merchants = uuid.uuid4(), [make.merchant() for _ in range(3)]
        for row, (merchant, code) in enumerate(zip(merchants, ["T0", "", "WEEKLY:5"], strict=True)):
            sql.execute(
                "INSERT INTO merchants_intake_merchant VALUES"
                " (%s, %s, %s, %s, 'n', '', '', '', 'CN', %s)",
                [call, row, merchant, f"I{row}", code],
            )

        registries.announce("merchants_imported", merchant_ids=merchants, payload={"call_id": call})

        day = date(2018, 5, 1)
        assert [schedules.in_force(merchant_id=m, day=day) for m in merchants] == [
            "T0", "T1", "WEEKLY:5",
        ]  # fmt: skip

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import chinese_calendar
import holidays
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import override_settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from foundation import clock, registries, sql
from foundation.models import BusinessDay
from foundation.services import calendar

pytestmark = pytest.mark.django_db

# By hand, from the State Council's notices: (payment's business date, the business day after it).
SPRING_AND_OCTOBER = [
    ("2016-02-06", "2016-02-14"),  # Saturday and Sunday worked; 7 to 13 February off
    ("2016-09-30", "2016-10-08"),
    ("2016-10-08", "2016-10-09"),  # made up on Saturday and Sunday
    ("2017-01-26", "2017-02-03"),  # 27 January to 2 February off
    ("2017-09-30", "2017-10-09"),  # with Mid-autumn: 1 to 8 October
    ("2018-02-14", "2018-02-22"),
    ("2018-02-10", "2018-02-11"),
    ("2018-02-24", "2018-02-26"),
    ("2019-02-03", "2019-02-11"),
    ("2019-09-30", "2019-10-08"),
    ("2020-01-23", "2020-02-03"),  # prolonged to 2 February
    ("2020-09-30", "2020-10-09"),
    ("2021-02-10", "2021-02-18"),
    ("2022-01-30", "2022-02-07"),
    ("2023-01-20", "2023-01-28"),
    ("2023-09-28", "2023-10-07"),
    ("2024-02-09", "2024-02-18"),  # New Year's Eve itself was a working day
    ("2024-09-30", "2024-10-08"),
    ("2025-01-27", "2025-02-05"),
    ("2025-09-30", "2025-10-09"),
    ("2026-02-13", "2026-02-14"),
    ("2026-02-14", "2026-02-24"),
    ("2026-02-19", "2026-02-24"),
    ("2026-09-30", "2026-10-08"),
    ("2026-10-09", "2026-10-10"),
    ("2026-10-10", "2026-10-12"),
    ("2026-10-11", "2026-10-12"),
]
WORKING_DAYS = {
    2016: 250, 2017: 249, 2018: 250, 2019: 250, 2020: 249, 2021: 250,
    2022: 249, 2023: 249, 2024: 251, 2025: 248, 2026: 248,
}  # fmt: skip


def days_of(year: int) -> list[date]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def notice(year: int, **changes: str) -> list[str]:
    """The lines of a year that has no holidays, with some days' lines replaced."""
    lines = ["date,is_business_day,name"]
    for day in days_of(year):
        line = f"{day},{'yes' if day.weekday() < 5 else 'no'},"
        lines.append(changes.get(f"d{day:%m%d}", line))
    return lines


class TestTable:
    @pytest.mark.parametrize("year", range(2016, 2027))
    def test_agrees_with_the_libraries_on_every_day(self, year):
        ours = dict(
            BusinessDay.objects.filter(date__year=year).values_list("date", "is_business_day")
        )
        china = holidays.country_holidays("CN", years=year)

        assert ours == {day: chinese_calendar.is_workday(day) for day in days_of(year)}
        assert [day for day in days_of(year) if ours[day] != china.is_working_day(day)] == []

    def test_counts_the_working_days_of_each_year(self):
        counted = {
            year: BusinessDay.objects.filter(date__year=year, is_business_day=True).count()
            for year in WORKING_DAYS
        }

        assert counted == WORKING_DAYS

    def test_names_a_reason_for_every_exception_to_the_week(self):
        unnamed = [
            day.date
            for day in BusinessDay.objects.filter(name="")
            if day.is_business_day != (day.date.weekday() < 5)
        ]

        assert unnamed == []

    def test_has_no_gap_by_the_database(self):
        with pytest.raises(DatabaseError, match="calendar_not_whole"), transaction.atomic():
            BusinessDay.objects.filter(date=date(2020, 5, 5)).delete()
        with pytest.raises(DatabaseError, match="calendar_not_whole"), transaction.atomic():
            BusinessDay.objects.create(date=date(2027, 1, 1), is_business_day=False, source="x")


class TestAddBusinessDays:
    @pytest.mark.parametrize(("start", "following"), SPRING_AND_OCTOBER)
    def test_follows_spring_festival_and_october_weeks(self, start, following):
        found = calendar.next_business_day(date.fromisoformat(start))

        assert found == date.fromisoformat(following)

    @given(day=st.dates(date(2016, 1, 1), date(2026, 11, 1)), number=st.integers(-30, 30))
    def test_counts_like_a_person_with_a_calendar(self, day, number):
        def walk() -> date:
            here, left = day, abs(number)
            while left:
                here += timedelta(days=1 if number > 0 else -1)
                left -= chinese_calendar.is_workday(here)
            while number == 0 and not chinese_calendar.is_workday(here):
                here += timedelta(days=1)
            return here

        try:
            expected = walk()
        except NotImplementedError:
            expected = None
        if expected is None or expected.year < 2016:
            with pytest.raises(calendar.CalendarYearNotLoaded):
                calendar.add_business_days(day, number)
        else:
            assert calendar.add_business_days(day, number) == expected

    def test_is_the_same_by_joining_ordinals(self):
        differing = sql.rows(
            "SELECT start.date FROM foundation_business_day_number AS start"
            " CROSS JOIN generate_series(1, 5) AS n"
            " LEFT JOIN foundation_business_day_number AS due"
            "   ON due.is_business_day AND due.ordinal = start.ordinal + n"
            " WHERE due.date IS DISTINCT FROM foundation_add_business_days(start.date, n)"
        )

        assert differing == []

    def test_refuses_to_guess_a_year_that_is_not_loaded(self):
        with pytest.raises(calendar.CalendarYearNotLoaded) as refusal:
            calendar.add_business_days(date(2026, 12, 31), 1)
        assert refusal.value.year == 2027

        with pytest.raises(calendar.CalendarYearNotLoaded) as refusal:
            calendar.add_business_days(date(2031, 1, 4), 1)
        assert refusal.value.year == 2031

        with pytest.raises(calendar.CalendarYearNotLoaded) as refusal:
            calendar.add_business_days(date(2016, 1, 2), -1)
        assert refusal.value.year == 2015


class TestExplain:
    def test_tells_every_step_in_english(self):
        with translation.override("en"):
            told = calendar.explain(date(2026, 2, 13), 2)

            assert told.result == date(2026, 2, 24)
            assert [str(step) for step in told.steps] == [
                "2026-02-13 (Friday): counting starts here.",
                "2026-02-14 (Saturday): working day made up for Spring Festival, number 1 of 2.",
                "2026-02-15 – 2026-02-23: Spring Festival, not counted.",
                "2026-02-24 (Tuesday): working day number 2 of 2.",
            ]

    def test_tells_an_ordinary_weekend_and_a_start_on_a_day_off(self):
        with translation.override("en"):
            told = [str(step) for step in calendar.explain(date(2026, 3, 7), 0).steps]

        assert told == [
            "2026-03-07 (Saturday): counting starts here.",
            "2026-03-07 – 2026-03-08: weekend, not counted.",
            "2026-03-09 (Monday): the first working day.",
        ]

    @given(day=st.dates(date(2016, 1, 1), date(2026, 11, 1)), number=st.integers(0, 10))
    def test_ends_where_the_count_ends(self, day, number):
        told = calendar.explain(day, number)

        assert told.result == calendar.add_business_days(day, number) == told.steps[-1].last
        assert sum(step.kind == "COUNTED" for step in told.steps) == max(number, 1)


class TestLoadYear:
    def test_takes_a_whole_year_once_and_tells_the_listeners(self, monkeypatch):
        heard = []
        registry = registries.Registry("lifecycle_listeners")
        registry.register("test", lambda *, event, **details: heard.append((event, details)))
        monkeypatch.setattr(registries, "lifecycle_listeners", registry)
        lines = notice(2027, d0101="2027-01-01,no,New Year's Day")

        first = calendar.load_year(lines, source="notice 2026-11")
        second = calendar.load_year(lines, source="notice 2026-11")

        assert (first.new, first.changed, first.known) == (365, 0, 0)
        assert (second.new, second.changed, second.known) == (0, 0, 365)
        assert heard[0] == (
            "calendar_year_loaded",
            {"merchant_ids": [], "payload": {"year": 2027}},
        )
        assert calendar.add_business_days(date(2026, 12, 31), 1) == date(2027, 1, 4)

    def test_changes_a_loaded_year_only_on_demand(self):
        lines = notice(2027)
        calendar.load_year(lines, source="draft")
        lines[1] = "2027-01-01,no,New Year's Day"

        with pytest.raises(calendar.CalendarYearRefused, match="2027-01-01"):
            calendar.load_year(lines, source="notice")
        changed = calendar.load_year(lines, source="notice", replace=True)

        assert (changed.new, changed.changed, changed.known) == (0, 1, 364)
        day = BusinessDay.objects.get(date=date(2027, 1, 1))
        assert (day.is_business_day, day.source) == (False, "notice")

    def test_names_every_bad_row_and_stores_nothing(self):
        lines = notice(
            2027,
            d0105="2027-01-05,maybe,",
            d0106="2027-01-06,no,",
            d0109="2027-01-09,yes,",
            d0201="1 Feb,yes,",
            d0301="2027-03-01,yes",
        )

        with pytest.raises(calendar.CalendarYearRefused) as refusal:
            calendar.load_year(lines, source="x")

        assert {(bad.row, bad.column) for bad in refusal.value.rows} >= {
            (6, "is_business_day"),
            (7, "name"),
            (10, "name"),
            (33, "date"),
            (61, "row"),
        }
        assert not BusinessDay.objects.filter(date__year=2027).exists()

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda lines: lines[:-1],  # cut off
            lambda lines: [*lines[:50], *lines[51:]],  # a day missing
            lambda lines: [*lines[:50], lines[50], *lines[50:]],  # a day twice
            lambda lines: lines[1:],  # no header
            lambda lines: lines[:1],  # no day
            lambda lines: [],
        ],
    )
    def test_refuses_anything_but_a_whole_year(self, spoil):
        with pytest.raises(calendar.CalendarYearRefused):
            calendar.load_year(spoil(notice(2027)), source="x")

        assert BusinessDay.objects.latest("date").date == date(2026, 12, 31)

    def test_refuses_a_year_beyond_a_gap(self):
        with pytest.raises(calendar.CalendarYearNotLoaded) as refusal:
            calendar.load_year(notice(2028), source="x")

        assert refusal.value.year == 2027


class TestCommands:
    def test_the_files_in_the_repository_are_what_the_library_says(self, tmp_path):
        for year in range(2016, 2027):
            call_command("write_calendar_year", year, tmp_path / "year.csv")
            stored = Path(settings.BASE_DIR, "foundation/data", f"business_days_{year}.csv")
            assert stored.read_text() == (tmp_path / "year.csv").read_text()

    def test_loads_a_file_and_exits_with_1_when_it_is_refused(self, tmp_path, capsys):
        good, bad = tmp_path / "2027.csv", tmp_path / "bad.csv"
        good.write_text("\ufeff" + "\n".join(notice(2027)), encoding="utf-8")
        bad.write_text("\n".join(notice(2028)[:-3]), encoding="utf-8")

        call_command("load_calendar_year", good, "--json")
        with pytest.raises(CommandError) as refusal, translation.override("en"):
            call_command("load_calendar_year", bad)

        assert '"new": 365' in capsys.readouterr().out
        assert refusal.value.returncode == 1
        assert "the year does not end here" in str(refusal.value)

    def test_the_library_knows_no_year_to_come(self, tmp_path):
        with pytest.raises(CommandError, match="2027"):
            call_command("write_calendar_year", 2027, tmp_path / "year.csv")
        assert not (tmp_path / "year.csv").exists()


class TestSetDay:
    def test_changes_one_day_with_a_reason(self):
        source = "typhoon notice"
        calendar.set_day(date(2026, 7, 6), is_business_day=False, name="Typhoon", source=source)

        assert calendar.next_business_day(date(2026, 7, 3)) == date(2026, 7, 7)
        with pytest.raises(calendar.CalendarYearRefused):
            calendar.set_day(date(2026, 7, 7), is_business_day=False, name="", source="x")


class TestBusinessDate:
    INSTANTS = st.datetimes(
        datetime(2016, 1, 1),  # noqa: DTZ001
        datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    )
    ZONES = st.sampled_from(
        ["Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]
    )
    CUT_OFFS = st.sampled_from([time(0), time(0, 0, 1), time(2, 30), time(16), time(23, 59, 59)])

    @given(instant=INSTANTS, zone=ZONES, cut_off=CUT_OFFS)
    def test_is_the_same_in_sql_and_in_python(self, instant, zone, cut_off):
        self.assert_same(instant, zone, cut_off)

    @pytest.mark.parametrize(
        ("zone", "change"),
        [
            ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
            ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
            ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
            ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
            ("Asia/Shanghai", datetime(2026, 2, 13, 16, tzinfo=UTC)),
        ],
    )
    def test_agrees_around_the_change_of_clocks(self, zone, change):
        for cut_off in (time(0), time(1), time(2, 30), time(3)):
            for minutes in (-121, -61, -1, 0, 1, 59, 60, 61, 121):
                self.assert_same(change + timedelta(minutes=minutes), zone, cut_off)

    def test_is_half_open_at_the_cut_off(self, settings):
        settings.TIME_ZONE, settings.CUT_OFF = "Asia/Shanghai", "00:00"
        midnight = datetime(2026, 2, 13, 16, tzinfo=UTC)

        assert clock.business_date(midnight) == date(2026, 2, 14)
        assert clock.business_date(midnight - timedelta(microseconds=1)) == date(2026, 2, 13)

    def assert_same(self, instant, zone, cut_off):
        (row,) = sql.rows(
            "SELECT foundation_business_date(%s, %s, %s) AS day", [instant, zone, cut_off]
        )
        with override_settings(TIME_ZONE=zone, CUT_OFF=cut_off.isoformat()):
            assert clock.business_date(instant) == row["day"]

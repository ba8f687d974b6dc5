"""Checks of staged values: SQL says what Python says, and a bad value aborts nothing."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from foundation import csv_intake, sql
from foundation.csv_intake import FileRefused, Rule, Source, Staged
from foundation.money import AmountMalformed, CurrencyUnknown, Money

CURRENCY_JOIN = f"LEFT JOIN {csv_intake.CURRENCIES} ON currency.code = s.currency"
RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def staged(columns: list[str], rows: list[list[str]]) -> Staged:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([columns, *rows])
    content = out.getvalue().encode()
    source = Source.from_upload("file.csv", len(content), io.BytesIO(content))
    return csv_intake.stage(source, table="intake_test", columns=columns)


def reasons(rule: Rule, values: list[str]) -> list[str]:
    """Check values of one column; return the reason for each, empty for a good one."""
    table = staged([rule.column, "other"], [[value, "x"] for value in values])
    csv_intake.find_bad(table, [rule])
    found = {
        row["row_no"]: row["reason"]
        for row in sql.rows("SELECT row_no, reason FROM pg_temp.intake_test_bad")
    }
    return [found.get(row_no, "") for row_no in range(2, len(values) + 2)]


def amounts(pairs: list[tuple[str, str]]) -> list[str | int]:
    """Return for each (amount, currency) what SQL makes of it: minor units or the reason."""
    table = staged(["amount", "currency"], [list(pair) for pair in pairs])
    csv_intake.find_bad(table, [csv_intake.amount("amount", zero=True)], joins=CURRENCY_JOIN)
    minor = csv_intake.amount_minor("amount")
    rows = sql.rows(
        f"SELECT b.reason, CASE WHEN b.reason IS NULL THEN {minor} END AS minor"
        f" FROM {table.table} s {CURRENCY_JOIN} LEFT JOIN {table.table}_bad b USING (row_no)"
        " ORDER BY row_no"
    )
    return [row["minor"] if row["reason"] is None else row["reason"] for row in rows]


@pytest.mark.django_db
class TestAmount:
    def test_the_worked_table(self) -> None:
        worked: list[tuple[str, str, str | int]] = [
            ("12.50", "CNY", 12_50),
            ("12.5", "CNY", 12_50),
            ("0012.50", "CNY", 12_50),
            ("0", "CNY", 0),
            ("100", "JPY", 100),
            ("1.234", "KWD", 1_234),
            ("1.2345", "CLF", 12_345),
            ("10000000000000", "CNY", 10**15),
            ("10000000000000.01", "CNY", "amount_too_large"),
            ("99999999999999", "CLF", "amount_too_large"),
            ("123456789012345", "JPY", "amount_too_large"),
            ("99999999999999", "JPY", 99_999_999_999_999),
            ("12.505", "CNY", "too_many_decimals"),
            ("100.0", "JPY", "too_many_decimals"),
            ("", "CNY", "empty"),
            *((text, "CNY", "amount_malformed") for text in ("-1", "+1", "1.", ".5", "1e3", "NaN")),
            *((text, "CNY", "amount_malformed") for text in ("１２", "1,000", " 1", "1\n", "٣")),
        ]

        assert amounts([(text, code) for text, code, _ in worked]) == [last for *_, last in worked]

    @RELAXED
    @given(
        st.lists(
            st.tuples(
                st.text(alphabet="0123456789.-eＸ ", max_size=18)
                | st.decimals(0, 10**15, places=2).map(str),
                st.sampled_from(["CNY", "JPY", "KWD", "CLF", "XXX"]),
            ),
            min_size=1,
            max_size=20,
        )
    )
    @example([("00000000000000.1", "CNY")])
    def test_sql_and_money_agree_on_every_text(self, pairs: list[tuple[str, str]]) -> None:
        for (text, code), found in zip(pairs, amounts(pairs), strict=True):
            try:
                expected: int | None = Money.parse(text, code).minor
            except AmountMalformed:
                expected = None
            except CurrencyUnknown:
                continue
            assert (found if isinstance(found, int) else None) == expected, (text, code, found)

    def test_zero_is_refused_unless_allowed(self) -> None:
        rule = csv_intake.amount("amount", exponent="2")

        assert reasons(rule, ["0", "0.00", "0.01"]) == ["amount_zero", "amount_zero", ""]

    def test_an_unknown_currency_is_said_once_in_its_own_column(self) -> None:
        table = staged(["amount", "currency"], [["1.00", "cny"], ["1.00", ""], ["1.00", "CNY"]])
        csv_intake.find_bad(
            table, [csv_intake.amount("amount"), csv_intake.currency()], joins=CURRENCY_JOIN
        )

        with pytest.raises(FileRefused) as refusal:
            csv_intake.raise_if_bad(table)

        assert [(row.row, row.column, row.reason) for row in refusal.value.bad] == [
            (2, "currency", "currency_unknown"),
            (3, "currency", "empty"),
        ]


GOOD_INSTANTS = [
    "2026-01-31T23:59:59+08:00",
    "2026-01-31T23:59:59Z",
    "2026-01-31T23:59:59.123456-05:30",
    "2024-02-29T00:00:00+00:00",
    "2000-02-29T00:00+0800",
    "1970-01-01T00:00:00+14:00",
]
BAD_INSTANTS = [
    "2026-01-31T23:59:59",
    "2026-01-31 23:59:59+08:00",
    "2026-02-29T00:00:00+08:00",
    "2026-04-31T00:00:00+08:00",
    "2026-13-01T00:00:00+08:00",
    "2026-00-10T00:00:00+08:00",
    "2026-01-00T00:00:00+08:00",
    "2026-01-31T24:00:00+08:00",
    "2026-01-31T23:60:00+08:00",
    "2026-01-31T23:59:60+08:00",
    "2026-01-31T23:59:59+15:00",
    "2026-01-31T23:59:59+08:60",
    "2026-01-31T23:59:59+08",
    "1969-12-31T23:59:59+08:00",
    "2100-01-01T00:00:00+08:00",
    "2026-1-31T23:59:59+08:00",
    "20２6-01-31T23:59:59+08:00",
    "2026-01-31T23:59:59.1234567Z",
    "26-01-31T23:59:59+08:00",
    "today",
    "infinity",
    "now",
]


@pytest.mark.django_db
class TestInstant:
    @pytest.mark.parametrize("value", GOOD_INSTANTS)
    def test_accepts(self, value: str) -> None:
        assert reasons(csv_intake.instant("at"), [value]) == [""]
        stored = sql.rows("SELECT at::timestamptz AS at FROM pg_temp.intake_test")[0]["at"]
        assert stored == datetime.fromisoformat(value.replace("+0800", "+08:00"))

    @pytest.mark.parametrize("value", BAD_INSTANTS)
    def test_refuses_alone(self, value: str) -> None:
        assert reasons(csv_intake.instant("at"), [value]) == ["instant_malformed"]

    def test_finds_each_bad_one_among_good_ones(self) -> None:
        found = reasons(csv_intake.instant("at"), [*GOOD_INSTANTS, *BAD_INSTANTS, ""])

        assert found == [
            *[""] * len(GOOD_INSTANTS),
            *["instant_malformed"] * len(BAD_INSTANTS),
            "empty",
        ]

    @RELAXED
    @given(
        st.lists(
            st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
                          r"[+-][01][0-9]:[0-6][0-9]", fullmatch=True),
            min_size=1, max_size=30,
        )
    )  # fmt: skip
    def test_agrees_with_python_on_what_exists(self, values: list[str]) -> None:
        for value, reason in zip(values, reasons(csv_intake.instant("at"), values), strict=True):
            try:
                datetime.fromisoformat(value)
                exists = int(value[20:22]) <= 14 and int(value[23:25]) <= 59
            except ValueError:
                exists = False
            assert (reason == "") == exists, value


# Joiners, soft hyphen, fillers, variation selectors, tags, no characters at all.
UNSEEN_IN_NUMBERS = "\u200c\u200d\u00ad\u034f\u1680\u180e\u3164\ufe0f\uffa0\ufffe\U000e0041"


@pytest.mark.django_db
class TestText:
    def test_names_may_join_letters(self) -> None:
        assert reasons(csv_intake.text("name", 64), ["می\u200cخواهم"]) == [""]

    def test_names_may_be_written_in_full_width(self) -> None:
        assert reasons(csv_intake.text("name", 64), ["ＡＢ１２店"]) == [""]

    def test_the_worked_table(self) -> None:
        worked = [
            ("P-1", ""),
            ("账房", ""),
            ("a b", ""),
            ("", "empty"),
            (" a", "surrounding_space"),
            ("a\u3000", "surrounding_space"),
            ("a\u00a0", "surrounding_space"),
            ("a\tb", "control_character"),
            ("a\nb", "control_character"),
            ("a\u202eb", "control_character"),
            ("a\u200bb", "control_character"),
            ("\ufeffa", "control_character"),
            *((f"P1{unseen}", "control_character") for unseen in UNSEEN_IN_NUMBERS),
            ("订单（1）", ""),
            ("P１", "other_form"),
            ("ｐ1", "other_form"),
            ("P\u00a01", "other_form"),
            ("P  1", "other_form"),
            ("caf\u00e9", ""),
            ("cafe\u0301", "other_form"),
            ("x" * 64, ""),
            ("账" * 64, ""),
            ("x" * 65, "too_long"),
        ]

        found = reasons(csv_intake.code("number"), [value for value, _ in worked])

        assert found == [reason for _, reason in worked]

    @pytest.mark.parametrize("value", ["a\tb", " a", "x" * 65, ""])
    def test_one_bad_value_is_found_alone(self, value: str) -> None:
        assert reasons(csv_intake.code("number"), [value]) != [""]

    def test_dates_have_to_exist(self) -> None:
        values = ["2026-01-31", "2024-02-29", "2026-02-29", "2026-04-31", "31.01.2026", ""]

        assert reasons(csv_intake.date("day"), values) == [
            "",
            "",
            *["date_malformed"] * 3,
            "empty",
        ]

    def test_a_choice_is_one_of_its_values(self) -> None:
        rule = csv_intake.choice("kept", ["kept", "returned"])

        assert reasons(rule, ["kept", "Kept", ""]) == ["", "not_allowed", "empty"]


@pytest.mark.django_db
class TestAgainstOtherRows:
    def test_every_repetition_of_a_number_names_the_first_row(self) -> None:
        table = staged(["number", "name"], [["1", "a"], ["2", "b"], ["1", "c"], ["1", "a"]])
        csv_intake.duplicates(table, ["number"], "number")

        with pytest.raises(FileRefused) as refusal:
            csv_intake.raise_if_bad(table)

        assert [(row.row, row.value, row.detail) for row in refusal.value.bad] == [
            (4, "1", "2"),
            (5, "1", "2"),
        ]

    def test_a_conflict_names_both_values_of_each_differing_column(self) -> None:
        table = staged(["number", "name"], [["1", "a"], ["2", "b"]])
        stored = "JOIN (VALUES ('1', 'x'), ('2', 'b')) AS m (number, name) USING (number)"
        csv_intake.conflicts(table, stored, {"name": ("s.name", "m.name")})

        with pytest.raises(FileRefused) as refusal:
            csv_intake.raise_if_bad(table)

        (bad,) = refusal.value.bad
        assert (bad.row, bad.column, bad.value, bad.detail) == (2, "name", "a", "x")
        assert "x" in bad.message

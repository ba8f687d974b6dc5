"""Importing merchants: all or nothing, every bad row named, safe to run again and at once."""

from __future__ import annotations

import csv
import gzip
import io
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum.cn import uscc

from foundation import actor, registries, sql
from foundation.csv_intake import BadRow, FileRefused, Source
from foundation.models import AuditEvent, History
from merchants.models import Merchant
from merchants.services import merchant_import

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
GOOD_CODE = "91110000600037341L"


def file_of(*rows: Mapping[str, str], header: Sequence[str] = merchant_import.COLUMNS) -> Source:
    out = io.StringIO()
    writer = csv.DictWriter(out, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = out.getvalue().encode()
    return Source.from_upload("merchants.csv", len(content), io.BytesIO(content))


def row(merchant_no: str, **values: str) -> dict[str, str]:
    plain = {
        "name": f"Shop {merchant_no}",
        "registration_no": "",
        "city": "上海",
        "region": "SH",
        "country": "CN",
        "schedule": "T1",
    }
    return {"merchant_no": merchant_no, **plain, **values}


def run(source: Source) -> merchant_import.Imported:
    return merchant_import.run(source=source, at=NOON)


def refused(source: Source) -> tuple[BadRow, ...]:
    with pytest.raises(FileRefused) as refusal:
        run(source)
    return refusal.value.bad


def bad_of(**values: str) -> list[tuple[str, str]]:
    """Return (column, reason) of what is wrong with one row that differs from a good one."""
    return [(bad.column, bad.reason) for bad in refused(file_of({**row("A1"), **values}))]


def shops() -> list[str]:
    kind = Merchant.Kind.MERCHANT
    return list(
        Merchant.objects.filter(kind=kind).order_by("id").values_list("merchant_no", flat=True)
    )


@pytest.mark.django_db
class TestStoring:
    def test_stores_every_row_in_the_order_of_the_file(self) -> None:
        imported = run(file_of(row("B2"), row("A1", schedule="", registration_no=GOOD_CODE)))

        assert (imported.new, imported.known) == (2, 0)
        assert shops() == ["B2", "A1"]
        stored = Merchant.objects.get(merchant_no="A1")
        assert (stored.name, stored.city, stored.region, stored.country) == (
            "Shop A1",
            "上海",
            "SH",
            "CN",
        )
        assert (stored.declared_schedule, stored.status) == ("T1", "ACTIVE")
        assert (stored.registration_no, stored.created_at) == (GOOD_CODE, NOON)

    def test_the_same_content_again_stores_nothing(self) -> None:
        run(file_of(row("A1"), row("B2", schedule="")))

        again = run(file_of(row("A1"), row("B2", schedule="T1")))

        assert (again.new, again.known) == (0, 2)
        assert len(shops()) == 2

    def test_new_rows_beside_known_ones_are_stored(self) -> None:
        run(file_of(row("A1")))

        again = run(file_of(row("A1"), row("C3")))

        assert (again.new, again.known) == (1, 1)
        assert shops() == ["A1", "C3"]

    def test_is_audited_once_with_the_actor_and_kept_in_the_history(self) -> None:
        with actor.acting("system:import_merchants"):
            first = run(file_of(row("A1")))
            run(file_of(row("A1")))

        (event,) = AuditEvent.objects.filter(action="merchants.import")
        assert (event.object_id, event.actor) == (first.sha256, "system:import_merchants")
        assert event.after == {"name": "merchants.csv", "rows": 1, "new": 1}
        change = History.objects.get(table="merchants_merchant", after__merchant_no="A1")
        assert change.actor == "system:import_merchants"

    def test_tells_listeners_the_new_ones_only_and_leaves_no_staging_behind(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard: list[tuple[str, list[int], list[tuple[Any, ...]]]] = []

        def listen(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
            rows = sql.rows(
                "SELECT merchant_id, row_no, merchant_no, schedule FROM merchants_intake_merchant"
                " WHERE call_id = %s ORDER BY row_no",
                [payload["call_id"]],
            )
            heard.append((event, list(merchant_ids), [tuple(each.values()) for each in rows]))

        run(file_of(row("A1")))
        monkeypatch.setattr(registries.lifecycle_listeners, "_items", {"test": listen})
        run(file_of(row("A1"), row("B2", schedule=""), row("C3", schedule="D7")))
        run(file_of(row("A1")))

        ids = {each.merchant_no: each.id for each in Merchant.objects.all()}
        assert heard == [
            (
                "merchants_imported",
                [ids["B2"], ids["C3"]],
                [(ids["B2"], 3, "B2", "T1"), (ids["C3"], 4, "C3", "D7")],
            )
        ]
        assert sql.rows("SELECT count(*) AS n FROM merchants_intake_merchant")[0]["n"] == 0


@pytest.mark.django_db
class TestRefusing:
    @pytest.mark.parametrize(
        ("column", "value", "reason"),
        [
            ("merchant_no", "", "empty"),
            ("merchant_no", "x" * 65, "too_long"),
            ("merchant_no", "A 1 ", "surrounding_space"),
            ("merchant_no", "HOUSE", "reserved"),
            ("merchant_no", "House", "reserved"),
            ("name", "", "empty"),
            ("name", "账" * 201, "too_long"),
            ("name", "a\tb", "control_character"),
            ("city", "x" * 101, "too_long"),
            ("region", " SH", "surrounding_space"),
            ("country", "cn", "not_allowed"),
            ("country", "XX", "not_allowed"),
            ("country", "", "empty"),
            ("registration_no", "12345", "registration_shape"),
            ("registration_no", GOOD_CODE.lower(), "registration_shape"),
            ("registration_no", "911100006000373410", "registration_check_digit"),
            *(
                ("schedule", text, "schedule_unknown")
                for text in ("T31", "D31", "T-1", "t1", "WEEKLY:0", "WEEKLY:8", "MONTHLY:29", "T01")
            ),
        ],
    )
    def test_names_column_and_reason(self, column: str, value: str, reason: str) -> None:
        assert bad_of(**{column: value}) == [(column, reason)]
        assert shops() == []

    @pytest.mark.parametrize(
        "schedule", ["T0", "T1", "T30", "D0", "D30", "WEEKLY:7", "MONTHLY:28", "MANUAL", ""]
    )
    def test_accepts_every_schedule_there_is(self, schedule: str) -> None:
        assert run(file_of(row("A1", schedule=schedule))).new == 1

    def test_a_foreign_registration_number_is_not_checked_as_a_chinese_one(self) -> None:
        assert run(file_of(row("A1", country="BR", registration_no="12.345/0001"))).new == 1

    def test_one_bad_row_refuses_all_and_every_bad_value_is_listed(self) -> None:
        bad = refused(
            file_of(row("A1"), row("B2", country="xx", schedule="soon"), row("C3", name=""))
        )

        assert [(each.row, each.column, each.value) for each in bad] == [
            (3, "country", "xx"),
            (3, "schedule", "soon"),
            (4, "name", ""),
        ]
        assert shops() == []

    def test_a_number_twice_in_one_file_is_refused_even_with_the_same_values(self) -> None:
        (bad,) = refused(file_of(row("A1"), row("B2"), row("A1")))

        assert (bad.row, bad.value, bad.reason, bad.detail) == (4, "A1", "duplicate_in_file", "2")

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("name", "Other"),
            ("registration_no", GOOD_CODE),
            ("city", "Beijing"),
            ("region", "BJ"),
            ("country", "HK"),
            ("schedule", "T2"),
        ],
    )
    def test_a_known_number_with_any_other_value_is_a_conflict(
        self, column: str, value: str
    ) -> None:
        run(file_of(row("A1")))

        (bad,) = refused(file_of(row("B2"), row("A1", **{column: value})))

        assert (bad.row, bad.column, bad.value, bad.reason) == (3, column, value, "conflict")
        assert bad.detail == row("A1")[column]
        assert shops() == ["A1"]

    def test_a_listener_that_refuses_takes_everything_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(**_event: object) -> None:
            raise RuntimeError("no schedule")

        monkeypatch.setattr(registries.lifecycle_listeners, "_items", {"test": fail})

        with pytest.raises(RuntimeError, match="no schedule"):
            run(file_of(row("A1")))

        assert shops() == []

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        st.lists(
            st.from_regex(r"[0-9]{8}[0-9A-HJ-NPQRTUWXY]{10}", fullmatch=True),
            min_size=1,
            max_size=30,
            unique=True,
        )
    )
    def test_the_check_digit_is_that_of_the_standard(self, codes: list[str]) -> None:
        half = [code[:-1] + uscc.calc_check_digit(code[:-1]) for code in codes[::2]]
        tried = list(dict.fromkeys([*half, *codes[1::2]]))
        rows = [row(f"A{n}", registration_no=code, name="") for n, code in enumerate(tried)]

        wrong = {
            tried[bad.row - 2]
            for bad in refused(file_of(*rows))
            if bad.reason == "registration_check_digit"
        }

        assert wrong == {code for code in tried if not uscc.is_valid(code)}


def big_file(rows: int, bad_at: int | None = None) -> bytes:
    lines = ["merchant_no,name,registration_no,city,region,country,schedule"]
    for number in range(2, rows + 2):
        country = "xx" if number == bad_at else "CN"
        lines.append(f"M{number:07d},商户 {number},,上海,SH,{country},T1")
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.django_db
class TestLargeFiles:
    def test_one_bad_row_among_100_000_refuses_the_file_and_is_named(self) -> None:
        content = big_file(100_000, bad_at=77_777)
        source = Source.from_upload("m.csv", len(content), io.BytesIO(content))

        (bad,) = refused(source)

        assert (bad.row, bad.column, bad.value, bad.reason) == (
            77_777,
            "country",
            "xx",
            "not_allowed",
        )
        assert shops() == []

    def test_an_archive_cut_in_the_middle_stores_nothing(self) -> None:
        content = gzip.compress(big_file(20_000))
        cut = content[: len(content) // 2]

        (bad,) = refused(Source.from_upload("m.csv.gz", len(cut), io.BytesIO(cut)))

        assert (bad.row, bad.reason) == (0, "file_truncated")
        assert shops() == []


@pytest.mark.usefixtures("cloned_db")
class TestAtOnce:
    def test_of_the_same_file_imported_five_times_at_once_one_stores(self) -> None:
        content = big_file(3_000)
        results: list[tuple[int, int]] = []
        start = threading.Barrier(5)

        def work() -> None:
            source = Source.from_upload("m.csv", len(content), io.BytesIO(content))
            start.wait()
            try:
                imported = run(source)
                results.append((imported.new, imported.known))
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results) == [(0, 3_000)] * 4 + [(3_000, 0)]
        assert len(shops()) == 3_000

"""Files into the staging table: every kind of file, whole or not at all."""

from __future__ import annotations

import gzip
import io

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation import csv_intake, sql
from foundation.csv_intake import FileRefused, Source, Staged, staging
from foundation.csv_intake.structure import records

COLUMNS = ("number", "name")
HEADER = b"number,name\n"


def source(content: bytes, name: str = "file.csv") -> Source:
    return Source.from_upload(name, len(content), io.BytesIO(content))


def staged(content: bytes, name: str = "file.csv", encoding: str = "utf-8") -> Staged:
    return csv_intake.stage(
        source(content, name),
        table="intake_test",
        columns=COLUMNS,
        optional=("remark",),
        encoding=encoding,
    )


def stored() -> list[tuple[int, str, str, str]]:
    return [
        (row["row_no"], row["number"], row["name"], row["remark"])
        for row in sql.rows("SELECT * FROM pg_temp.intake_test ORDER BY row_no")
    ]


def faults(content: bytes, encoding: str = "utf-8") -> list[tuple[int, str, str]]:
    with pytest.raises(FileRefused) as refusal:
        csv_intake.raise_if_bad(staged(content, encoding=encoding))
    return [(row.row, row.column, row.reason) for row in refusal.value.bad]


@pytest.fixture
def fast_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regular file must not need the careful reader."""

    def refuse(*_args: object) -> None:
        raise AssertionError("the careful reader was called")

    monkeypatch.setattr(staging, "_stage_records", refuse)


@pytest.mark.django_db
@pytest.mark.usefixtures("fast_only")
class TestRegularFiles:
    def test_rows_are_counted_from_the_header_which_is_one(self) -> None:
        result = staged(HEADER + b"1,a\n2,b\n")

        assert stored() == [(2, "1", "a", ""), (3, "2", "b", "")]
        assert result.rows == 2

    def test_a_quoted_line_feed_does_not_count_as_a_row(self) -> None:
        staged(HEADER + b'1,"a\nb, ""c"""\n2,d\n')

        assert stored() == [(2, "1", 'a\nb, "c"', ""), (3, "2", "d", "")]

    def test_empty_quoted_and_empty_unquoted_are_both_empty_text(self) -> None:
        staged(HEADER + b'1,\n2,""\n')

        assert stored() == [(2, "1", "", ""), (3, "2", "", "")]

    def test_columns_may_stand_in_any_order_and_optional_ones_may_come(self) -> None:
        staged(b"remark,name,number\nr,a,1\n")

        assert stored() == [(2, "1", "a", "r")]

    @pytest.mark.parametrize(
        "content",
        [
            b"\xef\xbb\xbf" + HEADER + "1,账\n".encode(),
            (HEADER + "1,账\n".encode()).replace(b"\n", b"\r\n"),
            HEADER + "1,账".encode(),
            b'"number","name"\n' + '"1","账"\n'.encode(),
        ],
        ids=["byte order mark", "carriage returns", "no last line feed", "all quoted"],
    )
    def test_the_ways_to_write_utf_8_are_all_read(self, content: bytes) -> None:
        staged(content)

        assert stored() == [(2, "1", "账", "")]

    def test_gb18030_is_read_when_asked_for(self) -> None:
        staged((HEADER.decode() + "1,账房𠀀\n").encode("gb18030"), encoding="gb18030")

        assert stored() == [(2, "1", "账房𠀀", "")]

    def test_a_gzipped_file_gives_the_rows_and_the_digest_of_its_content(self) -> None:
        content = HEADER + b"1,a\n"

        zipped = staged(gzip.compress(content), "file.csv.gz")

        assert stored() == [(2, "1", "a", "")]
        assert zipped.sha256 == staged(content).sha256
        assert zipped.size == len(content)

    def test_a_header_alone_is_a_file_without_rows(self) -> None:
        assert staged(b"number,name").rows == 0

    def test_records_may_be_cut_by_blocks_anywhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("foundation.csv_intake.source.BLOCK", 3)

        staged(HEADER + '1,"账,""\n房"\n2,b\n'.encode())

        assert stored() == [(2, "1", '账,"\n房', ""), (3, "2", "b", "")]


@pytest.mark.django_db
class TestIrregularFiles:
    def test_every_misshapen_row_is_named_and_the_good_ones_are_staged(self) -> None:
        content = HEADER + b'1,a\n2\n\n3,b,c\n4,"d\ne"\nx"y"z,f\n5,\xff\n6,g\n'

        assert faults(content) == [
            (3, "name", "missing_values"),
            (4, "", "blank_row"),
            (5, "", "extra_values"),
            (7, "", "misplaced_quote"),
            (8, "", "encoding"),
        ]
        assert [row[0] for row in stored()] == [2, 6, 9]

    def test_a_file_cut_in_the_middle_of_a_row_is_refused(self) -> None:
        assert faults(HEADER + b"1,a\n2") == [(3, "name", "missing_values")]

    def test_a_file_cut_inside_a_quoted_value_is_refused(self) -> None:
        assert faults(HEADER + b'1,a\n2,"b') == [(3, "", "unclosed_quote")]

    def test_a_nul_byte_is_refused(self) -> None:
        assert faults(HEADER + b"1,a\x00\n") == [(2, "", "control_character")]

    def test_a_line_that_old_servers_take_for_the_end_hides_nothing(self) -> None:
        assert faults(HEADER + b"1,a\n\\.\n2,b\n") == [(3, "name", "missing_values")]
        assert [row[1] for row in stored()] == ["1", "2"]

    def test_a_value_that_begins_like_the_end_of_data_is_a_value(self) -> None:
        result = staged(HEADER + b"\\.x,a\n")

        assert (result.rows, stored()) == (1, [(2, "\\.x", "a", "")])

    def test_gb18030_read_as_utf_8_is_refused(self) -> None:
        assert faults(HEADER + "1,账房".encode("gb18030")) == [(2, "", "encoding")]

    def test_rows_ended_by_carriage_returns_alone_are_refused(self) -> None:
        assert faults(HEADER + b"1,a\r2,b\r") == [(2, "", "line_ending")]

    def test_mixed_line_ends_are_read(self) -> None:
        assert staged(HEADER + b"1,a\r\n2,b\n").rows == 2

    def test_the_report_is_bounded_and_counts_the_rest(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(staging, "MAX_LISTED", 3)

        with pytest.raises(FileRefused) as refusal:
            csv_intake.raise_if_bad(staged(HEADER + b"1\n" * 10))

        assert (len(refusal.value.bad), refusal.value.count) == (3, 10)
        assert refusal.value.not_listed == 7


@pytest.mark.django_db
class TestFilesNobodyCanUse:
    @pytest.mark.parametrize(
        ("header", "bad"),
        [
            (b"number\n", [("name", "", "missing_column")]),
            (b"number,name,nmae\n", [("", "nmae", "unknown_column")]),
            (b"number,name,name\n", [("name", "", "duplicate_column")]),
            (b"number, name\n", [("name", "", "missing_column"), ("", " name", "unknown_column")]),
            (b"", [("", "", "file_empty")]),
            (b'number,"name\n1,a\n', [("", "", "unclosed_quote")]),
            (b"number,name\r1,a\r", [("", "", "header_too_long")]),
            ("number,name\n".encode("utf-16"), [("", "", "encoding")]),
        ],
    )
    def test_the_header_is_checked_and_the_column_named(
        self, header: bytes, bad: list[tuple[str, str, str]]
    ) -> None:
        with pytest.raises(FileRefused) as refusal:
            staged(header)

        found = [(row.row, row.column, row.value, row.reason) for row in refusal.value.bad]
        assert found == [(1, *each) for each in bad]

    def test_an_archive_cut_in_the_middle_is_refused(self) -> None:
        content = gzip.compress(HEADER + b"1,a\n" * 1000)

        for size in (len(content) - 4, len(content) // 2):
            with pytest.raises(FileRefused) as refusal:
                staged(content[:size], "file.csv.gz")
            assert refusal.value.bad[0].reason == "file_truncated"

    def test_an_archive_with_another_checksum_is_refused(self) -> None:
        content = bytearray(gzip.compress(HEADER + b"1,a\n"))
        content[-6] ^= 1

        with pytest.raises(FileRefused) as refusal:
            staged(bytes(content), "file.csv.gz")

        assert refusal.value.bad[0].reason == "file_damaged"

    def test_a_name_that_promises_an_archive_is_held_to_it(self) -> None:
        with pytest.raises(FileRefused) as refusal:
            staged(HEADER, "file.csv.gz")

        assert refusal.value.bad[0].reason == "not_gzip"

    def test_an_archive_that_never_ends_is_stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("foundation.csv_intake.source.MAX_BYTES", 1000)

        with pytest.raises(FileRefused) as refusal:
            staged(gzip.compress(HEADER + b"1,a\n" * 1000), "file.csv.gz")

        assert refusal.value.bad[0].reason == "file_too_large"


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet='a,"\n\r\\.账', max_size=25))
def test_copy_and_the_careful_reader_read_the_same(text: str) -> None:
    result = staged(HEADER + text.encode())

    read = list(records([text.encode()], "utf-8", 2))
    good = [record for record in read if not record.fault and len(record.values) == 2]
    assert [row[:3] for row in stored()] == [(r.row_no, *r.values) for r in good]
    bad = sql.rows("SELECT row_no FROM pg_temp.intake_test_bad ORDER BY row_no")
    assert [row["row_no"] for row in bad] == [r.row_no for r in read if r not in good]
    assert result.rows == len(good)


@pytest.mark.django_db
def test_progress_ends_at_the_size_of_the_file() -> None:
    seen: list[tuple[int, int]] = []
    content = HEADER + b"1,a\n"

    csv_intake.stage(
        source(content),
        table="intake_test",
        columns=COLUMNS,
        progress=lambda done, total: seen.append((done, total)),
    )

    assert seen[-1] == (len(content), len(content))


@pytest.mark.usefixtures("cloned_db")
def test_a_staging_table_ends_with_its_transaction() -> None:
    with transaction.atomic():
        staged(HEADER + b"1,a\n")

    assert sql.rows("SELECT to_regclass('pg_temp.intake_test') AS found") == [{"found": None}]

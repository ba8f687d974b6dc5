"""The shape of CSV files: the fast scanner and the careful reader agree, and both stay small."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foundation.csv_intake.structure import MAX_RECORD, Irregular, Record, Scanner, records

VALUES = st.text(alphabet="a é账,\"\n\r'\\.", max_size=6)
TABLES = st.lists(st.lists(VALUES, min_size=2, max_size=2), min_size=1, max_size=6)
SIZES = st.integers(1, 40)


def written(table: list[list[str]], encoding: str = "utf-8", end: str = "\n") -> bytes:
    out = io.StringIO()
    bare = any("\r" in value for row in table for value in row)  # the writer would not quote it
    quoting = csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(table)
    return out.getvalue().encode(encoding)


def cut(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def scanned(content: bytes, size: int) -> int:
    scanner = Scanner()
    for block in cut(content, size):
        scanner.feed(block)
    return scanner.finish()


class TestScanner:
    @given(TABLES, SIZES)
    @example([["", "a"], ["\n\n", '"']], 1)
    def test_counts_the_records_of_a_regular_file(self, table: list[list[str]], size: int) -> None:
        if any("\\." in value for row in table for value in row):
            return  # looks like an end-of-data mark of older servers: left to the careful reader

        assert scanned(written(table), size) == len(table)

    def test_counts_a_last_line_without_line_feed(self) -> None:
        assert scanned(b"a,b\nc,d", 3) == 2

    @pytest.mark.parametrize(
        "content",
        [
            b'a"b,c\n',
            b'"a"b,c\n',
            b'a,b"\n',
            b'"a,b\n',
            b"a\0,b\n",
            b"\\.\n",
            b"a,b\n\\.\nc,d\n",
        ],
    )
    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    def test_refuses_what_copy_would_misread(self, content: bytes, size: int) -> None:
        with pytest.raises(Irregular):
            scanned(content, size)

    @pytest.mark.parametrize("start", [b'a,"', b"a,"])
    def test_stops_at_a_record_without_end(self, start: bytes) -> None:
        scanner = Scanner()
        scanner.feed(start)
        scanner.feed(b"x" * (MAX_RECORD // 2))

        with pytest.raises(Irregular):
            scanner.feed(b"x" * (MAX_RECORD // 2 + 1))


class TestCarefulReader:
    @given(TABLES, SIZES, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "gb18030"]))
    def test_reads_what_was_written(
        self, table: list[list[str]], size: int, end: str, encoding: str
    ) -> None:
        content = written(table, encoding, end)

        found = list(records(cut(content, size), encoding, 2))

        assert [record.values for record in found] == table
        assert [record.row_no for record in found] == list(range(2, 2 + len(table)))

    @given(st.text(alphabet='a,"\n', max_size=30), SIZES)
    def test_finds_no_fault_where_the_scanner_found_none(self, text: str, size: int) -> None:
        try:
            count = scanned(text.encode(), size)
        except Irregular:
            return
        found = list(records(cut(text.encode(), size), "utf-8", 2))

        assert len(found) == count
        assert {record.fault for record in found} <= {"", "blank_row"}

    def test_says_where_a_quotation_mark_was_opened_and_never_closed(self) -> None:
        content = b'a,b\nc,"d\ne,f\ng,h\n'

        assert list(records([content], "utf-8", 2)) == [
            Record(2, ["a", "b"]),
            Record(3, [], "unclosed_quote"),
        ]

    def test_goes_on_after_a_misplaced_mark_within_one_line(self) -> None:
        found = list(records([b'a"x"b,c\nd,e\n'], "utf-8", 2))

        assert [(record.row_no, record.fault) for record in found] == [
            (2, "misplaced_quote"),
            (3, ""),
        ]

    def test_stops_after_a_misplaced_mark_over_several_lines(self) -> None:
        found = list(records([b'a"b,c\nd"e,f\ng,h\n'], "utf-8", 2))

        assert [(record.row_no, record.fault) for record in found] == [(2, "misplaced_quote")]

    @pytest.mark.parametrize(
        ("start", "fault"), [(b'a,"', "unclosed_quote"), (b"a,", "row_too_long")]
    )
    def test_never_holds_more_than_one_record(self, start: bytes, fault: str) -> None:
        read = 0

        def endless() -> Iterator[bytes]:
            nonlocal read
            yield start
            while True:
                read += 1000
                yield b"x" * 1000

        assert list(records(endless(), "utf-8", 2)) == [Record(2, [], fault)]
        assert read < 2 * MAX_RECORD

    def test_reads_a_million_lines_inside_one_open_mark_in_linear_time(self) -> None:
        content = b'a,"' + b"\n" * (MAX_RECORD - 10)

        assert list(records([content], "utf-8", 2)) == [Record(2, [], "unclosed_quote")]

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            (b"", "blank_row"),
            (b"a\0,b", "control_character"),
            (b"a\xff,b", "encoding"),
            (b"a\rb,c", "line_ending"),
        ],
    )
    def test_names_what_is_wrong_with_a_line(self, line: bytes, fault: str) -> None:
        found = list(records([b"a,b\n" + line + b"\nc,d\n"], "utf-8", 2))

        assert [record.fault for record in found] == ["", fault, ""]

"""Sheets: what is read of a hostile file, and what is written."""

from __future__ import annotations

import csv
import io
import os
import resource
import tempfile
import zipfile
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from foundation import confined, sheet
from foundation.csv_intake import FileRefused

COLUMNS = ["number", "name"]


def read(content: bytes, *, encoding: str = "utf-8", most: int = 10) -> sheet.Table:
    return sheet.read(content, columns=COLUMNS, encoding=encoding, most_rows=most)


def refusal(content: bytes, **more: object) -> list[tuple[int, str, str]]:
    with pytest.raises(FileRefused) as refused:
        read(content, **more)  # type: ignore[arg-type]
    return [(bad.row, bad.column, bad.reason) for bad in refused.value.bad]


def workbook(rows: list[list[object]]) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    page = book.add_worksheet()
    for row_no, row in enumerate(rows):
        for column, value in enumerate(row):
            page.write(row_no, column, value)
    book.close()
    return file.getvalue()


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """Return an archive with one part in place of another."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info, old.read(info))
        new.writestr(name, part)
    return file.getvalue()


class TestReading:
    @pytest.mark.parametrize(
        ("content", "encoding"),
        [
            ("number,name\n01,店\n".encode(), "utf-8"),
            ("\ufeffname,number\r\n店,01\r\n".encode(), "utf-8"),
            ("number,name\n01,店\n".encode("gb18030"), "gb18030"),
            ('number,name\n01,"店"'.encode(), "utf-8"),
            (workbook([["number", "name"], ["01", "店"]]), "utf-8"),
            (workbook([["name", "number"], ["店", "01"], ["", ""]]), "gb18030"),
        ],
    )
    def test_keeps_text_as_it_stands(self, content: bytes, encoding: str) -> None:
        assert read(content, encoding=encoding).rows == ((2, ("01", "店")),)

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"", [(1, "", "file_empty")]),
            (b"\n\n", [(1, "", "file_empty")]),
            (b"number,name\n", [(0, "", "no_rows")]),
            (b"number\n1\n", [(1, "name", "missing_column")]),
            (b"number,name,name\n1,2,3\n", [(1, "name", "duplicate_column")]),
            (b"number,name,=cmd\n1,2,3\n", [(1, "", "unknown_column")]),
            (b"number,name\n1\n1,2,3\n", [(2, "name", "missing_values"), (3, "", "extra_values")]),
            (b"number,name\n\n1,2\n", [(2, "", "blank_row")]),
            (b"number,name\n1,\x00\n", [(2, "", "control_character")]),
            (b'number,name\n1,"a\n', [(2, "", "unclosed_quote")]),
            ("number,name\n1,店\n".encode("gb18030"), [(0, "", "other_encoding")]),
            ("number,name\n1,店\n2,".encode() + b"\xff\n", [(3, "", "encoding")]),
            ("number,name\n1,2\n".encode("utf-16"), [(0, "", "utf_16")]),
            (b"number;name\n1;2\n", [(0, "", "other_separator")]),
            (b"number\tname\n1\t2\n", [(0, "", "other_separator")]),
            (b"c," * 1_000_000, [(1, "", "header_too_long")]),
            (b"number,name\n" + b"," * 1_000_000, [(2, "", "extra_values")]),
            (b"number,name\n" + b"1,2\n" * 11, [(0, "", "too_many_rows")]),
            (b"\xd0\xcf\x11\xe0old", [(0, "", "old_excel")]),
            (b"PK\x03\x04cut", [(0, "", "sheet_broken")]),
        ],
    )
    def test_says_what_is_wrong_where(self, content: bytes, found: list[object]) -> None:
        assert refusal(content) == found

    def test_takes_no_chinese_in_utf_8_for_gb18030(self) -> None:
        """It would read as other Chinese, and the names would be wrong for good."""
        assert refusal("number,name\n1,测试商户\n".encode(), encoding="gb18030") == [
            (0, "", "other_encoding")
        ]

    def test_gives_the_rows_whose_shape_is_right_to_be_judged_too(self) -> None:
        with pytest.raises(sheet.RowsRefused) as refused:
            read(b"number,name\n1\n2,b\n")

        assert refused.value.rest.rows == ((3, ("2", "b")),)

    def test_says_what_stands_in_a_cell_that_is_no_text(self) -> None:
        content = workbook([["number", "name"], [1001, "店"], [True, date(2026, 1, 2)]])

        with pytest.raises(FileRefused) as refused:
            read(content)

        assert [bad.value for bad in refused.value.bad] == ["1001", "TRUE", "46024"]

    def test_takes_no_result_of_a_formula(self) -> None:
        """It is what some program left there, perhaps long ago."""
        content = workbook([["number", "name"], ["1", '="a"&"b"'], ["2", "b"]])
        page = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml")
        stale = page.replace(b'<c r="B2"><f>', b'<c r="B2" t="str"><f>').replace(
            b"<v>0</v>", b"<v>ab</v>"
        )
        assert b't="str"' in stale

        assert refusal(with_part(content, "xl/worksheets/sheet1.xml", stale)) == [
            (2, "name", "cell_is_formula")
        ]

    def test_refuses_a_cell_that_lost_its_digits(self) -> None:
        content = workbook([["number", "name"], [6222021234567890123, "店"], ["1", True]])

        assert refusal(content) == [(2, "number", "cell_not_text"), (3, "name", "cell_not_text")]

    def test_names_rows_of_a_sheet_as_people_count(self) -> None:
        content = workbook([["number", "name"], ["1", "a"], ["", ""], ["2", "b"]])

        assert refusal(content) == [(3, "", "blank_row")]

    def test_refuses_more_rows_of_a_sheet(self) -> None:
        assert refusal(workbook([["number", "name"]] + [["1", "a"]] * 11)) == [
            (0, "", "too_many_rows")
        ]

    def test_refuses_an_archive_that_is_no_sheet(self) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.txt", "a")

        assert refusal(file.getvalue()) == [(0, "", "not_a_sheet")]

    def test_refuses_a_bomb_before_it_goes_off(self) -> None:
        bomb = with_part(workbook([["number", "name"]]), "xl/media/a.png", b"\0" * 60_000_000)
        assert len(bomb) < 200_000

        assert refusal(bomb) == [(0, "", "sheet_too_large")]

    def test_refuses_an_archive_that_lies_about_its_sizes(self) -> None:
        honest = with_part(workbook([["number", "name"]]), "xl/media/a.png", b"\0" * 60_000_000)
        size = (60_000_000).to_bytes(4, "little")
        assert honest.count(size) >= 1

        assert refusal(honest.replace(size, (10).to_bytes(4, "little"))) == [
            (0, "", "sheet_broken")
        ]

    def test_lets_a_last_cell_cost_no_memory_of_ours(self) -> None:
        page = (
            '<?xml version="1.0"?><worksheet'
            ' xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            '<dimension ref="A1:XFD1048576"/><sheetData>'
            '<row r="1"><c r="A1" t="inlineStr"><is><t>number</t></is></c></row>'
            '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'
            "</sheetData></worksheet>"
        )
        bomb = with_part(workbook([["a"]]), "xl/worksheets/sheet1.xml", page.encode())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        assert refusal(bomb) == [(0, "", "sheet_too_large")]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024

    def test_is_not_done_while_other_files_hold_every_place(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(confined, "PATIENCE_SECONDS", 0.01)
        content = workbook([["number", "name"], ["1", "a"]])
        with confined.place(), confined.place(), pytest.raises(confined.Busy):
            read(content)

        assert len(read(content).rows) == 1

    def test_expands_no_entity(self) -> None:
        page = (
            '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
            '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row>'
            "</sheetData></worksheet>"
        )
        content = with_part(workbook([["a"]]), "xl/worksheets/sheet1.xml", page.encode())

        with pytest.raises(FileRefused) as refused:
            read(content)
        assert "root:" not in str(refused.value)


class TestWriting:
    def test_leaves_nothing_and_sweeps_what_killed_processes_left(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        folder = tmp_path / f"countinghouse-sheets-{os.getuid()}"
        for name in ("old", "new"):
            (folder / name).mkdir(parents=True)
            (folder / name / "part").write_text("in clear")
        os.utime(folder / "old", (0, 0))

        with sheet.written("xlsx", COLUMNS, [["1", "店"]]) as file:
            assert file.read(2) == b"PK"

        assert [one.name for one in folder.iterdir()] == ["new"]

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            ("x;=cmd", "x;'=cmd"),
            ("x;=1;-1;ok", "x;'=1;'-1;ok"),
            ("x\t+1", "x\t'+1"),
            ("x\n=1", "x\n'=1"),
            ('x;"=1', "x;'\"=1"),
            (" =1", "' =1"),
            ("a=b; c-d", "a=b; c-d"),
        ],
    )
    def test_guards_what_begins_a_cell_where_other_marks_separate(
        self, value: str, kept: str
    ) -> None:
        assert sheet.safe(value) == kept

    @pytest.mark.parametrize("value", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "\rx", "＝1"])
    def test_lets_no_spreadsheet_run_a_value(self, value: str) -> None:
        for name in sheet.FORMATS:
            with sheet.written(name, COLUMNS, [[value, "店"]]) as file:
                content = file.read()
            if name == "xlsx":
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
            else:
                cells = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
                assert cells[1][0] == f"'{value}"

    @given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=5))
    def test_writes_what_is_read_again(self, rows: list[tuple[str, str]]) -> None:
        wanted = [[sheet.safe(cell) for cell in row] for row in rows]

        with sheet.written("csv", COLUMNS, rows) as file:
            text = file.read().decode("utf-8-sig", "surrogatepass")

        assert list(csv.reader(io.StringIO(text, newline="")))[1:] == wanted


class TestWords:
    @pytest.mark.parametrize("other", ["P１", "P\u00a01", "P  1", "cafe\u0301", "P\u200d1"])
    def test_a_number_has_one_form_and_a_name_may_have_any(self, other: str) -> None:
        with pytest.raises(ValueError, match=r"\S"):
            sheet.words(64, code=True).clean(other)

        assert sheet.words(64).clean(other) == other

"""Rows of text into a CSV or XLSX file, in constant memory, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

import xlsxwriter

# Rule EXC-7 (docs/rules/exchange.md); the full-width ones become formulas in some spreadsheets too.
# Behind a semicolon or a tab a cell begins where those separate the columns of a CSV.
_FORMULA: Final = re.compile(r"(?:^|[;\t\r\n])(?=[\s\"]*[=+\-@＝＋－＠])|^(?=[\t\r\n])")
_IN_MEMORY: Final = 1 << 20  # a small file never touches the disk


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that is written."""

    name: str
    media_type: str


FORMATS: Final = {
    "csv": Format("csv", "text/csv; charset=utf-8"),
    "xlsx": Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


def safe(value: object) -> str:
    """Return a value as text that no spreadsheet runs as a formula. Rule: EXC-7."""
    text = "" if value is None else str(value)
    return _FORMULA.sub(r"\g<0>'", text.replace("\0", ""))


@contextmanager
def written(
    name: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> Iterator[IO[bytes]]:
    """
    Write all rows into a temporary file and give it, from its beginning; it is gone afterwards.

    Every cell is text. CSV is UTF-8 with a byte order mark, so that Excel reads Chinese.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        lines = ([safe(value) for value in row] for row in _all(header, rows))
        if name == "xlsx":
            _write_xlsx(file, lines)
        else:
            _write_csv(file, lines)
        file.seek(0)
        yield file


def _all(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    yield header
    yield from rows


def _write_csv(file: IO[bytes], lines: Iterable[Sequence[str]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    csv.writer(text).writerows(lines)
    text.detach()


def _write_xlsx(file: IO[bytes], lines: Iterable[Sequence[str]]) -> None:
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    sheet = book.add_worksheet()
    as_text = book.add_format({"num_format": "@"})
    sheet.set_column(0, 59, 18, as_text)
    sheet.freeze_panes(1, 0)
    for row_no, line in enumerate(lines):
        for column, value in enumerate(line):
            sheet.write_string(row_no, column, value[:32_767], as_text)
    book.close()

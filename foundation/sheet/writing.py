"""Rows of text into a CSV or XLSX file, in constant memory, safe to open in a spreadsheet."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import xlsxwriter

# Rule EXC-7 (docs/rules/exchange.md); the full-width ones become formulas in some spreadsheets too.
# Behind a semicolon or a tab a cell begins where those separate the columns of a CSV.
_FORMULA: Final = re.compile(r"(?:^|[;\t\r\n])(?=[\s\"]*[=+\-@＝＋－＠])|^(?=[\t\r\n])")
_IN_MEMORY: Final = 1 << 20  # a small file never touches the disk
_ABANDONED_SECONDS: Final = 2 * 3600  # parts this old belong to nobody: no task runs so long


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
    """Write rows as they come; the parts of the file have names on the disk meanwhile."""
    with tempfile.TemporaryDirectory(dir=_swept()) as parts:
        _write_book(file, lines, parts)


def _swept() -> Path:
    """
    Return the folder for parts, without those of processes that were killed: they would lie there
    in clear, and nobody would look for them.
    """
    folder = Path(tempfile.gettempdir()) / f"countinghouse-sheets-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's.")
    for left in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another one sweeps too
            if left.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(left)
    return folder


def _write_book(file: IO[bytes], lines: Iterable[Sequence[str]], parts: str) -> None:
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": parts})
    sheet = book.add_worksheet()
    as_text = book.add_format({"num_format": "@"})
    sheet.set_column(0, 59, 18, as_text)
    sheet.freeze_panes(1, 0)
    for row_no, line in enumerate(lines):
        for column, value in enumerate(line):
            sheet.write_string(row_no, column, value[:32_767], as_text)
    book.close()

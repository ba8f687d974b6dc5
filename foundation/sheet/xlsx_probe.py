"""
The first sheet of an XLSX file, read in a process of its own with little memory and time.

A hostile file may name a last cell that makes the sheet as large as all memory; what it costs ends
with this process. Runs as a script by itself: it knows nothing of Django or of the product.
"""

from __future__ import annotations

import io
import json
import posixpath
import re
import resource
import sys
import zipfile
from typing import Any, Final

from python_calamine import CalamineWorkbook

MEMORY_BYTES: Final = 512 * 1024 * 1024
CPU_SECONDS: Final = 3
OUTPUT_BYTES: Final = 64 * 1024 * 1024  # what MAX_TEXT can become, every letter escaped
MAX_TEXT: Final = 8 * 1024 * 1024  # characters of all cells
_FIRST: Final = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?:id=[\"']([^\"']*)")
_LINK: Final = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_FORMULA: Final = re.compile(
    rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^>]*>\s*<(?:\w+:)?f[\s/>]"
)


def probe(content: bytes, most_rows: int, most_columns: int) -> dict[str, Any]:
    """
    Return the rows: texts as they are, empty cells as "", of others in a list how a person would
    write them and the reason why they are not taken. Rows that are empty at the end are left out.
    """
    formulas = _formulas(content)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    if sheet.end is None:
        return {"rows": []}
    if sheet.end[1] >= most_columns:
        return {"refused": "sheet_too_large"}
    rows: list[list[Any]] = []
    size = 0
    blank = 0
    for row_no, row in enumerate(sheet.to_python(skip_empty_area=False), 1):
        cells = [_cell(value) for value in row]
        for at in formulas.get(row_no, ()):
            cells[at:] = cells[at:] or [""] * (at + 1 - len(cells))
            cells[at] = ["=", "cell_is_formula"]
        size += sum(len(cell) for cell in cells if isinstance(cell, str))
        if size > MAX_TEXT:
            return {"refused": "sheet_too_large"}
        if not any(cells):
            blank += 1
            continue
        rows += [[] for _ in range(blank)]
        blank = 0
        rows.append(cells)
        if len(rows) > most_rows:
            return {"refused": "too_many_rows"}
    return {"rows": rows}


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return [str(value).upper(), "cell_not_text"]
    said = f"{value:.15g}" if isinstance(value, int | float) else str(value)
    return [said, "cell_not_text"]


def _formulas(content: bytes) -> dict[int, list[int]]:
    """
    Return in which columns (from 0) of which rows (from 1) of the first sheet formulas stand: what
    else is read of them is the result that some program left there, perhaps long ago.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        try:
            first = _FIRST.search(archive.read("xl/workbook.xml"))
            links = _LINK.findall(archive.read("xl/_rels/workbook.xml.rels"))
        except KeyError:
            return {}
        targets = {_attribute(link, b"Id"): _attribute(link, b"Target") for link in links}
        target = targets.get(first[1], b"").decode() if first else ""
        name = target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")
        if name not in archive.namelist():
            return {}
        page = archive.read(name)
    found: dict[int, list[int]] = {}
    for cell in _FORMULA.finditer(page):
        found.setdefault(int(cell[2]), []).append(_column(cell[1].decode()))
    return found


def _attribute(tag: bytes, name: bytes) -> bytes:
    found = re.search(rb"\b" + name + rb"=[\"']([^\"']*)", tag)
    return found[1] if found else b""


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def main() -> None:
    """Read the file from standard input; answer one line of JSON."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    most_rows, most_columns = int(sys.argv[1]), int(sys.argv[2])
    try:
        answer = probe(sys.stdin.buffer.read(), most_rows, most_columns)
    except MemoryError:
        answer = {"refused": "sheet_too_large"}
    except Exception:  # whatever it is, the file did it: it is not taken
        answer = {"refused": "sheet_broken"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()

"""
The first sheet of an XLSX file, read in a process of its own with little memory and time.

A hostile file may name a last cell that makes the sheet as large as all memory; what it costs ends
with this process. Runs as a script by itself: it knows nothing of Django or of the product.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any, Final

from python_calamine import CalamineWorkbook

MEMORY_BYTES: Final = 768 * 1024 * 1024
CPU_SECONDS: Final = 10
MAX_TEXT: Final = 8 * 1024 * 1024  # characters of all cells


def probe(content: bytes, most_rows: int, most_columns: int) -> dict[str, Any]:
    """
    Return the rows: texts as they are, empty cells as "", of others the name of their type in a
    list. Rows that are empty at the end are left out.
    """
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    if sheet.end is None:
        return {"rows": []}
    if sheet.end[1] >= most_columns:
        return {"refused": "sheet_too_large"}
    rows: list[list[Any]] = []
    size = 0
    blank = 0
    for row in sheet.to_python(skip_empty_area=False):
        cells = [_cell(value) for value in row]
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
    if value is None:
        return ""
    return value if isinstance(value, str) else [type(value).__name__]


def main() -> None:
    """Read the file from standard input; answer one line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
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

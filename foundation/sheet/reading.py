"""From the bytes of an upload to rows of text: what it is, its bytes decide, never its name."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from foundation import confined
from foundation.csv_intake.report import BadRow, FileRefused
from foundation.csv_intake.staging import ENCODINGS, check_names, fault_of
from foundation.csv_intake.structure import MAX_HEADER, Record, records
from foundation.sheet import xlsx_probe

XLSX_SECONDS: Final = 5  # with the start of a process on a busy machine
MAX_UNPACKED: Final = 48 * 1024 * 1024  # all parts of an XLSX together
MAX_PARTS: Final = 500
MAX_COLUMNS: Final = 60
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

# Beside the reasons of csv_intake; registered in `apps.ready()`.
REASONS: Final[dict[str, str | Promise]] = {
    "old_excel": _("An old (.xls) or locked Excel file: save it as .xlsx without a password."),
    "not_a_sheet": _("The file is neither CSV nor XLSX."),
    "sheet_broken": _("The XLSX file is broken."),
    "sheet_too_large": _("The XLSX file unpacks to more than a sheet of this size can hold."),
    "too_many_rows": _("The file has more than %(detail)s rows: take it apart."),
    "no_rows": _("The file has a header and no rows."),
    "cell_not_text": _(
        "The cell is a number, date or truth value: format the column as text, or digits get lost."
    ),
    "cell_is_formula": _("The cell is a formula: put its result there, as text."),
    "other_encoding": _(
        "The file is not %(detail)s text: choose the other encoding. Excel in Chinese saves CSV as"
        " GB18030."
    ),
    "utf_16": _('The file is "Unicode text" (UTF-16): save it as CSV UTF-8, or as XLSX.'),
    "other_separator": _(
        "The columns are separated by %(detail)s and not by commas: save it with commas, or as"
        " XLSX."
    ),
}
_SEPARATORS: Final = {";": ";", "\t": "Tab", "|": "|", "；": "；", "，": "，"}


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a sheet by column, each with its number as people count (the header is 1)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def as_text(self) -> str:
        """Return it as text, to be kept."""
        return json.dumps({"columns": self.columns, "rows": self.rows}, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Table:
        """Return what `as_text` kept."""
        kept = json.loads(text)
        rows = tuple((int(no), tuple(values)) for no, values in kept["rows"])
        return cls(tuple(kept["columns"]), rows)


class RowsRefused(FileRefused):
    """Some rows have the wrong shape; `rest` are the others, so that they can be judged too."""

    def __init__(self, bad: Sequence[BadRow], rest: Table) -> None:
        super().__init__(bad)
        self.rest = rest


def read(
    content: bytes,
    *,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    encoding: str = "utf-8",
    most_rows: int,
) -> Table:
    """
    Return the rows of a CSV or of the first sheet of an XLSX file, text as it stands there.

    The columns come in the order of `columns`; of those `optional` may be left out, and are empty
    then. Memory and time are bounded: an
    XLSX is unpacked under count and read by a process of its own.

    Raises FileRefused, naming every bad row; RowsRefused when some rows have the right shape; Busy.
    Rule:   EXC-1 to EXC-4, DOC-10 (docs/rules/exchange.md, documents.md).
    """
    if content.startswith(_OLD_EXCEL):
        raise FileRefused.whole("old_excel")
    if content.startswith(_ZIP):
        found, encoding = _xlsx(content, most_rows), "utf-8"
    else:
        found = _csv(content, encoding)
    return _table(found, columns, optional, encoding, most_rows)


def _table(
    found: Iterator[Record],
    columns: Sequence[str],
    optional: Sequence[str],
    encoding: str,
    most_rows: int,
) -> Table:
    header = next(found, None)
    if header is None or header.fault == "blank_row":
        raise FileRefused([BadRow(1, "", "", "file_empty")])
    if header.fault:
        raise FileRefused([BadRow(1, "", "", header.fault, encoding)])
    _require_commas(header.values, columns)
    check_names(header.values, [name for name in columns if name not in optional], optional)
    bad: list[BadRow] = []
    rows: list[tuple[int, tuple[str, ...]]] = []
    for record in found:
        if len(rows) + len(bad) >= most_rows:
            raise FileRefused.whole("too_many_rows", detail=str(most_rows))
        fault = fault_of(record, header.values, encoding)
        if fault is not None:
            bad.append(fault)
            continue
        values = dict(zip(header.values, record.values, strict=True))
        rows.append((record.row_no, tuple(values.get(name, "") for name in columns)))
    if any(one.reason == "encoding" for one in bad) and not any(map(_foreign, rows)):
        raise FileRefused.whole("other_encoding", detail=encoding.upper())
    table = Table(tuple(columns), tuple(rows))
    if bad:
        raise RowsRefused(bad, table)
    if not rows:
        raise FileRefused.whole("no_rows")
    return table


def _foreign(row: tuple[int, tuple[str, ...]]) -> bool:
    """Return whether a row has more than ASCII in it: then the encoding was right."""
    return not all(value.isascii() for value in row[1])


def _require_commas(header: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse in one sentence a file whose header is one value that holds all our columns."""
    if len(header) > 1:
        return
    for mark, called in _SEPARATORS.items():
        if len({name.strip().strip('"') for name in header[0].split(mark)} & set(columns)) > 1:
            raise FileRefused.whole("other_separator", detail=called)


def _csv(content: bytes, encoding: str) -> Iterator[Record]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused.whole("utf_16")
    if encoding != "utf-8" and _chinese_utf_8(content):
        raise FileRefused.whole("other_encoding", detail=encoding.upper())
    content = content.removeprefix(ENCODINGS[encoding][1])
    head = content[: MAX_HEADER + 1].partition(b"\n")[0].removesuffix(b"\r")
    if len(head) > MAX_HEADER or b"\r" in head:
        raise FileRefused([BadRow(1, "", "", "header_too_long")])
    if not content.strip():
        raise FileRefused([BadRow(1, "", "", "file_empty")])
    return records([content], encoding, 1)


def _chinese_utf_8(content: bytes) -> bool:
    """Return whether bytes are Chinese in UTF-8: by chance no other text of some length is."""
    try:
        return any("\u4e00" <= letter <= "\u9fff" for letter in content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _xlsx(content: bytes, most_rows: int) -> Iterator[Record]:
    """Yield the rows of the first sheet; blank ones at its end are left out."""
    with confined.place():
        _require_honest_archive(content)
        told = _probed(content, most_rows)
    if "refused" in told:
        raise FileRefused.whole(told["refused"], detail=str(most_rows))
    rows: list[list[Any]] = told["rows"]
    names = [name if isinstance(name, str) else "" for name in rows[0]] if rows else []
    while names and not names[-1]:  # columns that only look used
        names.pop()
    bad = [
        BadRow(row_no, (names + [""] * MAX_COLUMNS)[at], value[0], value[1])
        for row_no, row in enumerate(rows, 1)
        for at, value in enumerate(row)
        if not isinstance(value, str)
    ]
    if bad:
        raise FileRefused(bad)
    return (_record(row_no, row, len(names)) for row_no, row in enumerate(rows, 1))


def _record(row_no: int, row: list[str], width: int) -> Record:
    values = row[:width] + [""] * (width - len(row)) + [text for text in row[width:] if text]
    if not any(values):
        return Record(row_no, [], "blank_row")
    return Record(row_no, values, "control_character" if "\0" in "".join(values) else "")


def _require_honest_archive(content: bytes) -> None:
    """
    Unpack every part under count before another program does: sizes in an archive may lie.

    Python stops at the size that is written there and compares the checksum, so what passes is as
    large as it says.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            if "[Content_Types].xml" not in names or not any(n.startswith("xl/") for n in names):
                raise FileRefused.whole("not_a_sheet")
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
                raise FileRefused.whole("sheet_too_large")
            for part in parts:
                with archive.open(part) as stream:
                    while stream.read(1 << 20):
                        pass
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError):
        raise FileRefused.whole("sheet_broken") from None
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma"):  # their errors have no common base
            raise FileRefused.whole("sheet_broken") from None
        raise


def _probed(content: bytes, most_rows: int) -> dict[str, Any]:
    """Ask a process of its own, which may use little memory and time, and knows no key."""
    told = confined.run(
        xlsx_probe.__file__,
        content,
        seconds=XLSX_SECONDS,
        most_output=xlsx_probe.OUTPUT_BYTES,
        words=(str(most_rows + 1), str(MAX_COLUMNS)),
    )
    if not told.ended:  # it ran out of memory or of time
        return {"refused": "sheet_too_large"}
    found = json.loads(told.output)
    return found if isinstance(found, dict) else {"refused": "sheet_broken"}

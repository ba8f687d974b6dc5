"""
The shape of a CSV file (RFC 4180), looked at twice in two tempers.

`Scanner` looks at whole blocks, at the speed of the disk, and only says "all is regular" or not.
`records` reads a file that is not, record by record, and says exactly what is wrong where. Both
work on bytes: in UTF-8 and in GB18030 the bytes of comma, quotation mark and line feed never
occur inside another character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

MAX_RECORD: Final = 1 << 20  # bytes; what an unclosed quotation mark can swallow
MAX_HEADER: Final = 1 << 16

_MISPLACED = re.compile(rb'"[^",\r\n]|[^",\r\n]"')
_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|$)')


class Irregular(Exception):
    """
    The file is not what COPY reads the way RFC 4180 means it; the careful reader will say why.
    """


class Scanner:
    """Watches blocks on their way to COPY. Counts records, refuses what COPY would misread."""

    def __init__(self) -> None:
        self.records = 0
        self._open = False  # inside quotation marks
        self._tail = b"\n"  # the last unquoted bytes, so that neighbours across blocks are seen
        self._pending = 0  # bytes since the last end of a record

    def feed(self, block: bytes) -> None:
        """
        Look at the next block.

        Cutting at every quotation mark leaves the unquoted text in every other piece; joined by
        one mark each, a mark that does not touch a comma, a line end or another mark is
        misplaced. Raises Irregular.
        """
        pieces = block.split(b'"')
        outside = b'"'.join(pieces[1 if self._open else 0 :: 2])
        if self._open and len(pieces) > 1:
            outside = b'"' + outside
        self._open ^= len(pieces) % 2 == 0
        seen = self._tail + outside
        if b'"' in seen and _MISPLACED.search(seen):
            raise Irregular("quotation mark")
        if b"\0" in block or b"\n\\." in seen:  # older servers end the data at a line `\.`
            raise Irregular("NUL or end-of-data mark")
        ends = outside.count(b"\n")
        self.records += ends
        after = len(outside) - outside.rfind(b"\n") - 1
        self._pending = after if ends else self._pending + len(block)
        if self._pending > MAX_RECORD:
            raise Irregular("record too long")
        self._tail = seen[-3:]

    def finish(self) -> int:
        """Return the number of records. Raises Irregular when a quotation mark stands open."""
        if self._open:
            raise Irregular("unclosed quotation mark")
        return self.records + (self._pending > 0)


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its values, or the reason why it has none."""

    row_no: int
    values: list[str]
    fault: str = ""


def records(blocks: Iterable[bytes], encoding: str, first_row: int) -> Iterator[Record]:
    """
    Yield every record, good or not; stop after one that makes the rest unreadable.

    After an unclosed or misplaced quotation mark over several lines nobody can say where records
    begin.
    """
    row_no, held, size, unclosed = first_row, list[bytes](), 0, False
    for line in _lines(blocks):
        held.append(line)
        size += len(line) + 1
        unclosed ^= line.count(b'"') % 2 == 1
        if size > MAX_RECORD:
            yield Record(row_no, [], "unclosed_quote" if unclosed else "row_too_long")
            return
        if unclosed:
            continue
        record = _record(row_no, b"\n".join(held), encoding)
        yield record
        if record.fault == "misplaced_quote" and len(held) > 1:
            return
        row_no, held, size = row_no + 1, [], 0
    if held:
        yield Record(row_no, [], "unclosed_quote")


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their line feed; a line longer than MAX_RECORD comes in pieces."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > MAX_RECORD:
            yield rest
            rest = b""
    if rest:
        yield rest


def _record(row_no: int, raw: bytes, encoding: str) -> Record:
    try:
        text = raw.removesuffix(b"\r").decode(encoding)
    except UnicodeDecodeError:
        return Record(row_no, [], "encoding")
    if not text:
        return Record(row_no, [], "blank_row")
    if "\0" in text:
        return Record(row_no, [], "control_character")
    if '"' not in text:
        return Record(row_no, text.split(","), "line_ending" if "\r" in text else "")
    return _quoted(row_no, text)


def _quoted(row_no: int, text: str) -> Record:
    values, at, ending = [], 0, ","
    while ending == ",":
        match = _FIELD.match(text, at)
        if match is None:
            return Record(row_no, [], "misplaced_quote")
        quoted, plain, ending = match.groups()
        values.append(plain if quoted is None else quoted.replace('""', '"'))
        at = match.end()
    return Record(row_no, values)

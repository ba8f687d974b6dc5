"""
What a PDF holds, found out in a process of its own with little memory and time.

A hostile file may inflate without end or keep a parser busy; what it costs ends with this process.
Runs as a script by itself: it knows nothing of Django or of the product.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
from collections.abc import Iterator
from typing import Any, Final

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

MEMORY_BYTES: Final = 512 * 1024 * 1024
CPU_SECONDS: Final = 2
OUTPUT_BYTES: Final = 4096
MAX_OBJECTS: Final = 20_000
MAX_DEPTH: Final = 50
# A page may have these; none of them may act, carry files, or reach outside.
ACTING: Final = frozenset(
    {"/JS", "/JavaScript", "/AA", "/Launch", "/EmbeddedFile", "/EmbeddedFiles", "/EF", "/RichMedia",
     "/XFA", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Movie", "/Sound", "/Rendition"}
)  # fmt: skip


# What is written between the beginning of an object and its end, or the bytes of its stream.
_OBJECT: Final = re.compile(rb"\d\s+\d+\s+obj(.*?)(?:>>\s*stream\r?\n|endobj|\Z)", re.DOTALL)
_BY_CHANCE: Final = 6  # bytes of a name; ten megabytes hold no longer one by chance
_NAME: Final = re.compile(rb"/[^\x00\t\n\f\r ()<>\[\]{}/%]+")
_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")


class Refused(Exception):
    """Why a PDF is not taken, as a code, with a detail."""


def probe(content: bytes) -> int:
    """Return how many pages it has. Raises Refused, and whatever a broken file makes pypdf say."""
    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise Refused("locked", "")
    pages = len(reader.pages)
    for name in (*_written(content), *_names(reader)):
        if name in ACTING:
            raise Refused("acting", name)
    if "/OpenAction" in reader.root_object:
        opening = reader.root_object["/OpenAction"]
        if isinstance(opening, DictionaryObject) and opening.get("/S") != "/GoTo":  # no place in it
            raise Refused("acting", "/OpenAction")
    return pages


def _written(content: bytes) -> Iterator[str]:
    """
    Yield every name that is written in the file, whether its table of contents leads there or not:
    of a broken table each reader makes another one, and finds other objects. Of the shortest, which
    compressed bytes hold by chance, only those outside of streams.
    """
    for name in _NAME.findall(content):
        if len(name) >= _BY_CHANCE:
            yield _plain(name)
    for part in _OBJECT.finditer(content):
        yield from map(_plain, _NAME.findall(part[1]))


def _plain(name: bytes) -> str:
    return _ESCAPED.sub(lambda code: bytes([int(code[1], 16)]), name).decode("latin-1")


def _names(reader: PdfReader) -> Iterator[str]:
    """Yield every key of every dictionary, and every kind of action, of all objects."""
    numbers = {(number, generation) for generation, of in reader.xref.items() for number in of}
    numbers |= {(number, 0) for number in reader.xref_objStm}
    if len(numbers) > MAX_OBJECTS:
        raise Refused("parts", "")
    for number, generation in sorted(numbers):
        yield from _keys(reader.get_object(IndirectObject(number, generation, reader)), 0)
    yield from _keys(reader.trailer, 0)


def _keys(value: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Refused("broken", "")
    if isinstance(value, DictionaryObject):
        for key in value:
            yield str(key)
            inner = value.raw_get(key)
            if key in ("/S", "/Type", "/Subtype"):
                yield str(inner)
            yield from _keys(inner, depth + 1)
    elif isinstance(value, ArrayObject):
        for index in range(len(value)):
            yield from _keys(list.__getitem__(value, index), depth + 1)


def main() -> None:
    """Read the file from standard input; answer one line of JSON."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    try:
        answer: dict[str, Any] = {"pages": probe(sys.stdin.buffer.read())}
    except Refused as refusal:
        answer = {"refused": refusal.args[0], "what": refusal.args[1]}
    except MemoryError:
        sys.exit(1)
    except Exception as error:  # whatever it is, the file did it: it is not taken
        answer = {"refused": "broken", "what": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()

"""What an uploaded file really is: its bytes decide, never its name or what a browser calls it."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from config.errors import Malformed

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000  # a good telephone's camera; 120 MB while it is decoded
MAX_SIDE: Final = 12_000
MAX_PAGES: Final = 50
MAX_PDF_OBJECTS: Final = 20_000
PREVIEW_SIDE: Final = 1600
JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"
SUFFIX: Final = {JPEG: "jpg", PNG: "png", PDF: "pdf"}

_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n"
# What makes a browser or a shell read a file as something else.
_FOREIGN: Final = re.compile(
    rb"<(!doctype\s+html|html|head|body|script|svg|iframe|object|embed|\?php)[\s>/]", re.IGNORECASE
)
# A page may have these; none of them may act, carry files, or reach outside.
_ACTING: Final = frozenset(
    {"/JS", "/JavaScript", "/AA", "/Launch", "/EmbeddedFile", "/EmbeddedFiles", "/EF", "/RichMedia",
     "/XFA", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR", "/Movie", "/Sound", "/Rendition"}
)  # fmt: skip


class DocumentRefused(Malformed):
    """A file is not a picture or PDF that we take; the message says why."""

    code = "document_refused"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the bytes are: type, pages, and for a picture its preview, drawn anew (JPEG)."""

    content_type: str
    pages: int
    preview: bytes | None


def inspect(content: bytes) -> Inspected:
    """
    Return what a file is, after looking through all of it.

    Raises: DocumentRefused.
    Rule:   DOC-1 to DOC-5 (docs/rules/documents.md).
    """
    if not content:
        raise DocumentRefused(_("The file is empty."))
    if len(content) > MAX_BYTES:
        raise too_large()
    if content.startswith(b"\xff\xd8\xff"):
        found = _picture(content, JPEG)
    elif content.startswith(_PNG_HEAD):
        found = _picture(content, PNG)
    elif content.startswith(b"%PDF-"):
        found = _pdf(content)
    else:
        raise DocumentRefused(_("Only JPEG, PNG and PDF files are taken."))
    _refuse_second_nature(content)
    return found


def too_large() -> DocumentRefused:
    """Return the refusal of a file beyond the limit."""
    return DocumentRefused(_("A file has at most %(most)s MB.") % {"most": MAX_BYTES // 1024**2})


def _refuse_second_nature(content: bytes) -> None:
    """Refuse a file that is something else as well: an archive, a page, a program."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        raise DocumentRefused(_("The file is an archive as well; save it again as a picture."))
    if _FOREIGN.search(content):
        raise DocumentRefused(_("The file holds the code of a web page; save it again."))


def _picture(content: bytes, kind: str) -> Inspected:
    end = _jpeg_end(content) if kind == JPEG else _png_end(content)
    if content[end:].strip(b"\x00"):
        raise DocumentRefused(
            _("Something stands behind the end of the picture; save it again as a picture.")
        )
    try:
        with Image.open(io.BytesIO(content), formats=[kind.split("/")[1].upper()]) as picture:
            if getattr(picture, "n_frames", 1) != 1:
                raise DocumentRefused(_("Moving pictures are not taken."))
            width, height = picture.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise DocumentRefused(
                    _("The picture has %(width)s x %(height)s pixels; at most %(most)s million.")
                    % {"width": width, "height": height, "most": MAX_PIXELS // 10**6}
                )
            if kind == JPEG:  # decoded small, yet to its end
                picture.draft("RGB", (2 * PREVIEW_SIDE, 2 * PREVIEW_SIDE))
            picture.load()  # a cut or broken file fails here
            return Inspected(kind, 1, _drawn_anew(picture))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error) as error:
        raise DocumentRefused(_("The picture is cut off or broken.")) from error
    except Image.DecompressionBombError as error:
        raise DocumentRefused(_("The picture has too many pixels.")) from error


def _drawn_anew(picture: Image.Image) -> bytes:
    """Return a JPEG of what is seen, without anything else the file held."""
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    upright = ImageOps.exif_transpose(picture)
    seen = Image.new("RGB", upright.size, "white")
    whole = upright.convert("RGBA")
    seen.paste(whole, mask=whole.getchannel("A"))
    held = io.BytesIO()
    seen.save(held, "JPEG", quality=85)
    return held.getvalue()


def _jpeg_end(content: bytes) -> int:
    """Return where the picture ends: walk the segments to the end-of-image mark."""
    at, scanning = 2, False
    while True:
        if scanning:  # a mark within a scan is FF with neither 00 nor a restart behind it
            at = content.find(b"\xff", at)
            while 0 <= at < len(content) - 1 and (
                content[at + 1] in (0x00, 0xFF) or 0xD0 <= content[at + 1] <= 0xD7
            ):
                at = content.find(b"\xff", at + (1 if content[at + 1] == 0xFF else 2))
        if at < 0 or at + 2 > len(content) or content[at] != 0xFF:
            raise DocumentRefused(_("The picture is cut off or broken."))
        mark = content[at + 1]
        if mark == 0xD9:
            return at + 2
        if mark == 0xFF:  # filling
            at += 1
            continue
        if at + 4 > len(content):
            raise DocumentRefused(_("The picture is cut off or broken."))
        scanning = mark == 0xDA
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def _png_end(content: bytes) -> int:
    """Return where the picture ends: walk the chunks to the last one."""
    at = len(_PNG_HEAD)
    while at + 12 <= len(content):
        size, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        at += 12 + size
        if name == b"IEND":
            return at
    raise DocumentRefused(_("The picture is cut off or broken."))


def _pdf(content: bytes) -> Inspected:
    _before, mark, after = content.rpartition(b"%%EOF")
    if not mark or after.strip(b"\r\n\t \x00"):
        raise DocumentRefused(_("The PDF is cut off, or something stands behind its end."))
    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted:
            raise DocumentRefused(_("The PDF is locked by a password."))
        pages = len(reader.pages)
        if not 1 <= pages <= MAX_PAGES:
            raise DocumentRefused(_("A PDF has 1 to %(most)s pages.") % {"most": MAX_PAGES})
        for name in _names(reader):
            if name in _ACTING:
                raise DocumentRefused(
                    _("The PDF holds scripts, actions or other files (%(what)s); print it anew.")
                    % {"what": name}
                )
    except DocumentRefused:
        raise
    except (PyPdfError, RecursionError, ValueError, KeyError, TypeError, AttributeError,
            IndexError, AssertionError, OSError, struct.error) as error:  # fmt: skip
        raise DocumentRefused(_("The PDF is broken.")) from error
    return Inspected(PDF, pages, None)


def _names(reader: PdfReader) -> Iterator[str]:
    """Yield every key of every dictionary, and every kind of action, of all objects."""
    numbers = {(number, generation) for generation, of in reader.xref.items() for number in of}
    numbers |= {(number, 0) for number in reader.xref_objStm}
    if len(numbers) > MAX_PDF_OBJECTS:
        raise DocumentRefused(_("The PDF has too many parts."))
    for number, generation in sorted(numbers):
        yield from _keys(reader.get_object(IndirectObject(number, generation, reader)), 0)
    yield from _keys(reader.trailer, 0)


def _keys(value: Any, depth: int) -> Iterator[str]:
    if depth > 50:
        raise DocumentRefused(_("The PDF is broken."))
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

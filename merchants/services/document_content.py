"""What an uploaded file really is: its bytes decide, never its name or what a browser calls it."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from config.errors import Malformed
from foundation import confined
from merchants.services import pdf_drawing, pdf_probe

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000  # a good telephone's camera; 160 MB while a PNG is decoded
MAX_SIDE: Final = 12_000
MAX_SCANS: Final = 40  # passes of a progressive JPEG; cameras and programs make ten
MAX_HELD: Final = 128 * 1024 * 1024  # what a JPEG in passes keeps of itself while it is decoded
MAX_PAGES: Final = 50
PDF_SECONDS: Final = 4  # with the start of a process on a busy machine; of the processor it has 2
DRAW_SECONDS: Final = 5
PREVIEW_SIDE: Final = 1600
JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"
SUFFIX: Final = {JPEG: "jpg", PNG: "png", PDF: "pdf"}

_RESIZED_BY_COPY: Final = frozenset({"RGB", "RGBA", "LA"})

_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n"
# A mark within a scan of a JPEG is FF with neither 00 nor a restart behind it.
_MARK: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# Heads of a frame: how large the picture is, and whether it comes in passes.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
# What makes a browser or a shell read a file as something else.
_FOREIGN: Final = re.compile(
    rb"<(!doctype\s+html|html|head|body|script|svg|iframe|object|embed|\?php)[\s>/]", re.IGNORECASE
)


class DocumentRefused(Malformed):
    """A file is not a picture or PDF that we take; the message says why."""

    code = "document_refused"


class TooSlow(DocumentRefused):
    """A file took more time or memory than one may take."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the bytes are: type, pages, and what is seen of them, drawn anew (JPEG)."""

    content_type: str
    pages: int
    previews: tuple[bytes, ...] = ()


def inspect(content: bytes, *, draw: bool = False) -> Inspected:
    """
    Return what a file is, after looking through all of it; `draw` adds pictures of a PDF's pages.

    Raises: DocumentRefused; TooSlow; Busy when others' files are being looked through.
    Rule:   DOC-1 to DOC-5, DOC-9, DOC-10 (docs/rules/documents.md).
    """
    if not content:
        raise DocumentRefused(_("The file is empty."))
    if len(content) > MAX_BYTES:
        raise too_large()
    with confined.place():
        found = _seen(content)
        _refuse_second_nature(content)
        if draw and found.content_type == PDF:
            found = replace(found, previews=_pages(content))
    return found


def _seen(content: bytes) -> Inspected:
    if content.startswith(b"\xff\xd8\xff"):
        return _picture(content, JPEG)
    if content.startswith(_PNG_HEAD):
        return _picture(content, PNG)
    if content.startswith(b"%PDF-"):
        return _pdf(content)
    raise DocumentRefused(_("Only JPEG, PNG and PDF files are taken."))


def pages_of(content: bytes, content_type: str) -> tuple[bytes, ...]:
    """Return pictures of the pages of an inspected PDF; nothing of anything else. Raises Busy."""
    if content_type != PDF:
        return ()
    with confined.place():
        return _pages(content)


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
                picture.draft("RGB", _fitting(width, height))
            picture.load()  # a cut or broken file fails here
            return Inspected(kind, 1, (_drawn_anew(picture),))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error) as error:
        raise DocumentRefused(_("The picture is cut off or broken.")) from error
    except Image.DecompressionBombError as error:
        raise DocumentRefused(_("The picture has too many pixels.")) from error


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Return the size of the preview, in the picture's own shape."""
    least = min(1.0, PREVIEW_SIDE / max(width, height))
    return max(1, int(width * least)), max(1, int(height * least))


def _drawn_anew(picture: Image.Image) -> bytes:
    """Return a JPEG of what is seen, without anything else the file held."""
    if picture.mode.startswith("I"):  # 16 bits of grey, as scanners make them
        picture = picture.point(lambda grey: grey / 256).convert("L")
    picture = _smaller(picture)
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    upright = ImageOps.exif_transpose(picture)
    seen = Image.new("RGB", upright.size, "white")
    whole = upright.convert("RGBA")
    seen.paste(whole, mask=whole.getchannel("A"))
    held = io.BytesIO()
    seen.save(held, "JPEG", quality=85)
    return held.getvalue()


def _smaller(picture: Image.Image) -> Image.Image:
    """
    Return a large picture a whole number of times smaller, made band by band: Pillow copies what
    has transparency whole before it resizes, and the largest one would cost twice its memory.
    """
    times = max(picture.size) // PREVIEW_SIDE
    if times < 2 or picture.mode not in _RESIZED_BY_COPY:
        return picture
    (width, height), rows = picture.size, times * 64
    found = Image.new(picture.mode, (-(-width // times), -(-height // times)))
    found.info = picture.info  # which way up it is, and which colour is none
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        found.paste(band.reduce(times), (0, top // times))
    return found


def _jpeg_end(content: bytes) -> int:
    """
    Return where the picture ends: walk the segments to the end-of-image mark.

    Every scan is a pass over the whole picture: a few bytes, repeated, would keep us busy long. Of
    one with several scans the decoder keeps all that it has read, however small it is to be drawn.
    """
    at, scans, held = 2, 0, 0
    while True:
        if scans:
            found = _MARK.search(content, at)
            at = -1 if found is None else found.end() - 2
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
        if mark in _FRAMES:
            held = _held(content[at + 4 : at + 64])
        scans += mark == 0xDA
        if held > MAX_HELD and (scans > 1 or mark in _PROGRESSIVE):
            raise DocumentRefused(
                _("The picture is too large for one drawn in passes; save it as an ordinary JPEG.")
            )
        if scans > MAX_SCANS:
            raise DocumentRefused(_("The picture is drawn too often; save it again as a picture."))
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def _held(frame: bytes) -> int:
    """Return how many bytes the coefficients take of the picture that a frame's head describes."""
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return 0  # cut off: it fails later
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    shares = [divmod(frame[7 + 3 * one], 16) for one in range(frame[5])]
    across, down = (max((share[axis] for share in shares), default=0) or 1 for axis in (0, 1))
    return sum(
        2 * 64 * -(-width * h // (8 * across)) * -(-height * v // (8 * down)) for h, v in shares
    )


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
    found = _probed(content)
    if "refused" in found:
        raise DocumentRefused(_why(str(found["refused"]), str(found["what"])))
    if not 1 <= found["pages"] <= MAX_PAGES:
        raise DocumentRefused(_("A PDF has 1 to %(most)s pages.") % {"most": MAX_PAGES})
    return Inspected(PDF, found["pages"])


def _probed(content: bytes) -> dict[str, Any]:
    """Ask a process of its own, which may use little memory and time (DOC-4). Raises TooSlow."""
    told = confined.run(
        pdf_probe.__file__, content, seconds=PDF_SECONDS, most_output=pdf_probe.OUTPUT_BYTES
    )
    if not told.ended:
        raise TooSlow(_("The PDF takes too much time or memory to read; print it anew."))
    try:
        found = json.loads(told.output)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"refused": "broken", "what": ""}


def _pages(content: bytes) -> tuple[bytes, ...]:
    """Have the pages drawn by a process of its own; as many as it could (DOC-9)."""
    told = confined.run(
        pdf_drawing.__file__, content, seconds=DRAW_SECONDS, most_output=pdf_drawing.OUTPUT_BYTES
    )
    return tuple(_pictures(told.output))


def _pictures(drawn: bytes) -> Iterator[bytes]:
    """Yield the whole pictures among what the process wrote; nothing else of it is believed."""
    at, many = 0, 0
    while at + 4 <= len(drawn) and many < pdf_drawing.MAX_PAGES:
        end = at + 4 + int.from_bytes(drawn[at : at + 4], "big")
        picture = drawn[at + 4 : end]
        if end > len(drawn) or not _is_page(picture):
            return
        yield picture
        at, many = end, many + 1


def _is_page(picture: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(picture), formats=["JPEG"]) as page:
            return max(page.size) <= pdf_drawing.SIDE + 1
    except (UnidentifiedImageError, OSError, ValueError):
        return False


def _why(code: str, what: str) -> str:
    if code == "locked":
        return _("The PDF is locked by a password.")
    if code == "acting":
        return _("The PDF holds scripts, actions or other files (%(what)s); print it anew.") % {
            "what": what
        }
    if code == "parts":
        return _("The PDF has too many parts.")
    return _("The PDF is broken.")

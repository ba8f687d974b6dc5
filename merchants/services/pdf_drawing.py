"""
Draws the pages of a PDF, in a process of its own with little memory and time and no way out.

Only files that `pdf_probe` let pass come here, and still the one who draws is a large library in
another language: before it sees a byte, this process can open no file and no connection any more,
and nothing of the product is in it (docs/decisions/0018-pdf-previews.md). Runs as a script by
itself: standard input is the file, standard output the pictures, each behind its length.
"""

from __future__ import annotations

import ctypes
import io
import resource
import sys
from typing import Final

import pypdfium2
from PIL import Image

MEMORY_BYTES: Final = 512 * 1024 * 1024
CPU_SECONDS: Final = 3
OUTPUT_BYTES: Final = 40 * 1024 * 1024
MAX_PAGES: Final = 20
SIDE: Final = 1600  # pixels of the longer side
_MOST_SCALE: Final = 4.0  # of small pages; a point is a pixel at 1
_NO_NEW_PRIVILEGES: Final = 38


def shut() -> None:
    """Give up everything that drawing does not need."""
    Image.preinit()  # loads its codecs while files can be opened
    _wake()
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),  # what is open stays open; nothing is opened any more
    ):
        resource.setrlimit(what, (most, most))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _wake() -> None:
    """Draw an empty page, so that nothing is loaded later."""
    empty = pypdfium2.PdfDocument.new()
    _drawn(empty.new_page(10, 10))


def draw(content: bytes) -> None:
    """Write the pictures of the first pages; what fails ends here, those before it count."""
    document = pypdfium2.PdfDocument(content)
    for number in range(min(len(document), MAX_PAGES)):
        picture = _drawn(document[number])
        sys.stdout.buffer.write(len(picture).to_bytes(4, "big") + picture)
        sys.stdout.buffer.flush()


def _drawn(page: pypdfium2.PdfPage) -> bytes:
    scale = min(_MOST_SCALE, SIDE / max(page.get_size()))
    bitmap = page.render(scale=scale, may_draw_forms=False)  # stamps and signatures are drawn
    held = io.BytesIO()
    bitmap.to_pil().convert("RGB").save(held, "JPEG", quality=80)
    return held.getvalue()


def main() -> None:
    """Read the file whole, shut the doors, draw."""
    content = sys.stdin.buffer.read()
    shut()
    draw(content)


if __name__ == "__main__":
    main()

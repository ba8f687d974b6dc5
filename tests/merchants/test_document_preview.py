"""What reviewers see beside the form: pages drawn by a process that can do nothing else."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from django.conf import settings
from django.utils import translation
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, RectangleObject

from merchants.services import document_content
from merchants.services.document_content import PDF, DocumentRefused, inspect, pages_of

RED = b"1 0 0 rg 0 0 10000000 10000000 re f"
_MEASURE = """
import resource, sys
sys.path.insert(0, ".")
import django
django.setup()
from merchants.services.document_content import DocumentRefused, inspect
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    inspect(content)
    said = "taken"
except DocumentRefused:
    said = "refused"
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(said, (after - before) // 1024)
"""


def pdf(*pages: bytes, size: tuple[float, float] = (200, 100), **forms: bytes) -> bytes:
    """A PDF with these drawings; `forms` are drawings that they may call by name."""
    writer = PdfWriter()
    named = DictionaryObject()
    for name, drawing in forms.items():
        form = DecodedStreamObject()
        form.set_data(drawing)
        form.update(
            {
                NameObject("/Type"): NameObject("/XObject"),
                NameObject("/Subtype"): NameObject("/Form"),
                NameObject("/BBox"): RectangleObject((0, 0, 200, 100)),
                NameObject("/Resources"): DictionaryObject({NameObject("/XObject"): named}),
            }
        )
        named[NameObject(f"/{name}")] = writer._add_object(form)
    for drawing in pages:
        page = writer.add_blank_page(*size)
        stream = DecodedStreamObject()
        stream.set_data(drawing)
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): named})
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture), formats=["JPEG"])


def photo(format: str, side: tuple[int, int], mode: str = "RGB", **how: object) -> bytes:
    held = io.BytesIO()
    colour = {"RGB": "teal", "RGBA": (0, 128, 128, 255), "I;16": 40_000}[mode]
    Image.new(mode, side, colour).save(held, format, **how)
    return held.getvalue()


class TestPages:
    def test_are_drawn_in_order_and_no_larger_than_they_are_shown(self):
        seen = [opened(page).convert("RGB") for page in pages_of(pdf(RED, b""), PDF)]

        assert [page.size for page in seen] == [(800, 400), (800, 400)]
        red, white = (page.getpixel((400, 200)) for page in seen)
        assert red[0] > 240 > 20 > red[1]
        assert min(white) > 240

    @pytest.mark.parametrize("size", [(1_000_000, 1_000_000), (20_000, 1), (3, 3)])
    def test_of_odd_sizes_stay_small(self, size):
        for page in pages_of(pdf(RED, size=size), PDF):
            assert max(opened(page).size) <= 1601

    def test_are_the_first_twenty(self):
        assert len(pages_of(pdf(*[b""] * 30), PDF)) == 20

    def test_before_one_that_never_ends_are_kept(self, monkeypatch):
        monkeypatch.setattr(document_content, "DRAW_SECONDS", 4)
        forms = {f"F{n}": b" ".join([b"/F%d Do" % (n + 1)] * 20) for n in range(12)}
        hostile = pdf(RED, RED, b"/F0 Do", RED, **forms, F12=RED)

        seen = pages_of(hostile, PDF)

        assert len(seen) == 2

    @pytest.mark.parametrize(
        "content", [b"", b"%PDF-1.7\nnothing\n%%EOF", b"%PDF-" + b"\xff" * 10_000]
    )
    def test_of_what_is_none_are_none(self, content):
        assert pages_of(content, PDF) == ()

    @pytest.mark.parametrize(
        "written",
        [b"<html>", b"\0\0\0\x06<html>", b"\xff\xff\xff\xff" + b"x" * 100,
         (9).to_bytes(4, "big") + b"\xff\xd8\xff<html>"],
    )  # fmt: skip
    def test_are_pictures_or_nothing(self, written):
        """Whatever became of the process that draws: what it says is not believed."""
        assert list(document_content._pictures(written)) == []

    def test_are_drawn_where_nothing_can_be_opened(self):
        tried = (
            "import os, socket, sys; sys.path.insert(0, '.')\n"
            "from merchants.services import pdf_drawing as d\n"
            "d.shut()\n"
            "for way in (lambda: open('/etc/passwd'), lambda: os.open('/tmp/x', os.O_CREAT),\n"
            "            socket.socket, os.pipe, lambda: os.dup(1)):\n"
            "    try: way(); sys.stdout.write('open ')\n"
            "    except OSError: sys.stdout.write('shut ')\n"
        )
        told = subprocess.run(
            [sys.executable, "-c", tried], cwd=settings.BASE_DIR, capture_output=True, check=True
        )

        assert told.stdout == b"shut " * 5


class TestPictures:
    @pytest.mark.parametrize(("mode", "seen"), [("RGBA", (0, 128, 128)), ("I;16", (156, 156, 156))])
    @pytest.mark.parametrize("side", [(3300, 200), (30, 20)], ids=["reduced", "small"])
    def test_of_every_kind_are_shown_as_they_are(self, mode, seen, side):
        (preview,) = inspect(photo("PNG", side, mode)).previews

        shown = opened(preview)
        assert shown.size == ((1600, 97) if side[0] > 1600 else side)
        for place in ((1, 1), (shown.width - 2, shown.height - 2)):
            assert all(abs(a - b) < 4 for a, b in zip(shown.getpixel(place), seen, strict=True))


class TestMemory:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (lambda: photo("JPEG", (7300, 5470), progressive=True, subsampling=2), "taken"),
            (lambda: photo("JPEG", (7300, 5470), progressive=True, subsampling=0), "refused"),
            (lambda: photo("JPEG", (7300, 5470), subsampling=0), "taken"),
            (lambda: photo("PNG", (7300, 5470), compress_level=1), "taken"),
            (lambda: photo("PNG", (7300, 5470), "RGBA", compress_level=1), "taken"),
            (lambda: photo("PNG", (7300, 5470), "I;16", compress_level=1), "taken"),
        ],
        ids=["progressive", "progressive in full colour", "ordinary", "png", "with transparency",
             "16 bits of grey"],
    )  # fmt: skip
    def test_of_the_largest_pictures_is_bounded(self, content, said):
        told = subprocess.run(
            [sys.executable, "-c", _MEASURE], input=content(), cwd=settings.BASE_DIR,
            capture_output=True, check=True,
        ).stdout.split()  # fmt: skip

        assert told[0].decode() == said
        assert int(told[1]) < 200, told  # MB

    def test_of_a_picture_in_passes_is_said_in_words(self):
        with (
            translation.override("en"),
            pytest.raises(DocumentRefused, match="drawn in passes"),
        ):
            inspect(photo("JPEG", (7300, 5470), progressive=True, subsampling=0))

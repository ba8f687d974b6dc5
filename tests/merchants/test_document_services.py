"""What is taken in as a paper, and everything that only looks like one."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import pytest
from django.utils import translation
from PIL import Image
from pypdf import PdfWriter
from pypdf.annotations import Link
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from foundation.models import AuditEvent, User
from merchants.models import Document
from merchants.services import application as applications
from merchants.services import document as documents
from merchants.services.document_content import DocumentRefused, inspect
from tests.factories import application as factory
from tests.factories.application import AT, picture
from tests.factories.foundation import UserFactory

HTML = b"<html><script>alert(1)</script></html>"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def pdf(pages: int = 1, writer: PdfWriter | None = None) -> bytes:
    writer = writer or PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


def archive() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.txt", b"\0" * 1000)
    return held.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def vast_png(side: int) -> bytes:
    """A PNG that says it is side x side, in a few kilobytes."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * (3 * side + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_script() -> bytes:
    writer = PdfWriter()
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject("app.alert('x')"),
        }
    )
    return pdf(1, writer)


def with_attachment() -> bytes:
    writer = PdfWriter()
    writer.add_attachment("x.exe", b"MZ")
    return pdf(1, writer)


def with_opening(kind: str, what: str = "/F") -> bytes:
    """A PDF that does this when it is opened."""
    writer = PdfWriter()
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(
        {NameObject("/S"): NameObject(kind), NameObject(what): TextStringObject("cmd.exe")}
    )
    return pdf(1, writer)


def with_two_of_a_number(wrong: bytes, *, table: bytes = b"") -> bytes:
    """
    A PDF with two objects of one number, of which its table names the harmless one, or (`table`)
    neither: then some readers take the first, others the last.
    """
    harmless = b"9 0 obj\n<</S /GoTo /D [0 /Fit]>>\nendobj\n"
    body = b"%PDF-1.4\n1 0 obj\n<</Type /Catalog /Pages 2 0 R /OpenAction 9 0 R>>\nendobj\n"
    places = {1: 9, 2: len(body)}
    body += b"2 0 obj\n<</Type /Pages /Kids [3 0 R] /Count 1>>\nendobj\n"
    places[3] = len(body)
    body += b"3 0 obj\n<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>\nendobj\n"
    places[9] = len(body)
    body += harmless + b"9 0 obj\n" + wrong + b"\nendobj\n"
    lines = [
        (table or b"%010d" % places[n]) + b" 00000 n \n"
        if n in places
        else b"0000000000 00000 f \n"
        for n in range(10)
    ]
    head = b"xref\n0 10\n" + b"".join(lines)
    end = b"trailer\n<</Size 10 /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + head + end


SCRIPT = b"<</S /J#61vaScript /JS (x)>>"


def with_password() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret", algorithm="RC4-128")
    return pdf(1, writer)


def bomb() -> bytes:
    """A PDF whose list of objects says that it inflates to a gigabyte."""
    data = zlib.compress(b"\0" * 200_000_000, 9)
    return (
        b"%PDF-1.5\n1 0 obj<</Type/XRef/Size 9/W[1 2 1]/Root 1 0 R/Filter/FlateDecode/Length "
        + str(len(data)).encode() + b">>stream\n" + data
        + b"\nendstream endobj\nstartxref\n9\n%%EOF"
    )  # fmt: skip


def nested_bomb() -> bytes:
    """A PDF of ten kilobytes with a list of objects in streams that inflate to gigabytes."""
    packed = zlib.compress(b"1 0 " + b" " * 70_000_000, 9)
    body, places = b"%PDF-1.5\n", []
    for number in range(2, 42):
        places.append(len(body))
        body += b"%d 0 obj<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n" % (
            number, len(packed),
        ) + packed + b"\nendstream endobj\n"  # fmt: skip
    start = len(body)
    rows = b"".join(b"\x02" + (n % 40 + 2).to_bytes(4) + b"\0" for n in range(100))
    rows += b"".join(b"\x01" + place.to_bytes(4) + b"\0" for place in places)
    listed = b"/Index[100 100 2 40]/Size 300/W[1 4 1]/Root 100 0 R/Length %d" % len(rows)
    body += b"1 0 obj<</Type/XRef" + listed + b">>stream\n" + rows + b"\nendstream endobj\n"
    return body + b"startxref\n%d\n%%%%EOF" % start


def moving() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (9, 9)).save(
        held, "PNG", save_all=True, append_images=[Image.new("RGB", (9, 9), "red")]
    )
    return held.getvalue()


def scanned(again: int) -> bytes:
    """A progressive JPEG whose last pass over the picture is repeated."""
    held = io.BytesIO()
    Image.new("L", (2000, 2000), 128).save(held, "JPEG", progressive=True)
    made = held.getvalue()
    return made[:-2] + made[made.rindex(b"\xff\xda") : -2] * again + b"\xff\xd9"


def commented_jpeg() -> bytes:
    body = picture("JPEG")
    return body[:2] + b"\xff\xfe" + struct.pack(">H", len(HTML) + 2) + HTML + body[2:]


class TestInspect:
    @pytest.mark.parametrize(
        ("content", "kind", "pages"),
        [
            (picture("PNG"), "image/png", 1),
            (picture("JPEG", (3000, 2000)), "image/jpeg", 1),
            (picture("PNG") + b"\0\0", "image/png", 1),
            (pdf(3), "application/pdf", 3),
            (scanned(5), "image/jpeg", 1),
            (with_two_of_a_number(b"<</S /GoTo /D [3 0 R /Fit]>>"), "application/pdf", 1),
        ],
        ids=["png", "jpeg", "padded", "pdf", "progressive", "two of a number"],
    )
    def test_takes(self, content, kind, pages):
        seen = inspect(content)

        assert (seen.content_type, seen.pages) == (kind, pages)
        assert (seen.previews == ()) == (kind == "application/pdf")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "empty"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "Only JPEG"),
            (HTML, "Only JPEG"),
            (b"GIF89a/*" + b"\0" * 50 + b"*/=1;alert(1)", "Only JPEG"),
            (archive(), "Only JPEG"),
            (b"\xff\xd8\xff" + HTML, "broken"),
            (picture("JPEG") + HTML, "behind the end"),
            (picture("JPEG") + archive(), "behind the end"),
            (picture("PNG") + HTML, "behind the end"),
            (commented_jpeg(), "web page"),
            (picture("JPEG", (500, 500))[:-400], "broken"),
            (picture("PNG", (500, 500))[:-30], "broken"),
            (picture("PNG")[:50] + b"x" + picture("PNG")[51:], "broken"),
            (vast_png(10_000), "10000 x 10000"),
            (vast_png(60_000), "pixels"),
            (moving(), "Moving"),
            (scanned(100_000), "too often"),
            (b"%PDF-1.7\nnothing\n%%EOF", "broken"),
            (pdf()[:-30], "cut off"),
            (pdf() + HTML, "cut off, or something"),
            (pdf().replace(b"\n", b"\n% <html><script>x</script>\n", 1), "web page|broken"),
            (pdf() + archive() + b"%%EOF", "archive|broken"),
            (picture()[:-12] + chunk(b"teXt", archive()) + picture()[-12:], "archive"),
            (pdf(51), "1 to 50 pages"),
            (with_script(), "scripts"),
            (with_attachment(), "scripts, actions or other files"),
            (with_opening("/Launch"), "Launch"),
            (with_opening("/URI", "/URI"), "OpenAction"),
            (with_two_of_a_number(SCRIPT), "scripts"),
            (with_two_of_a_number(SCRIPT, table=b"0000000007"), "scripts"),
            (with_two_of_a_number(b"<</T (>>stream\n) /S /Launch>>"), "Launch"),
            (with_password(), "password"),
            (bomb(), "too much time or memory|broken"),
            (nested_bomb(), "too much time or memory|parts"),
            (b"%PDF-" + b"0" * (10 * 1024 * 1024), "10 MB"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refuses(self, content, said):
        with pytest.raises(DocumentRefused, match=said):
            inspect(content)

    def test_shows_what_was_seen_and_nothing_else(self):
        secret = Image.Exif()
        secret[0x010E] = "where I live"
        held = io.BytesIO()
        Image.new("RGB", (4000, 3000), "teal").save(held, "JPEG", exif=secret)
        assert b"where I live" in held.getvalue()

        (preview,) = inspect(held.getvalue()).previews

        assert b"where I live" not in preview
        assert Image.open(io.BytesIO(preview)).size == (1600, 1200)

    def test_takes_a_pdf_that_opens_at_a_place(self):
        assert inspect(with_opening("/GoTo", "/D")).pages == 1

    def test_takes_a_pdf_with_an_ordinary_link(self):
        writer = PdfWriter()
        writer.add_blank_page(200, 200)
        writer.add_annotation(0, Link(rect=(0, 0, 9, 9), url="https://example.com"))

        assert inspect(pdf(1, writer)).pages == 2


@pytest.mark.django_db
class TestDocuments:
    @pytest.fixture
    def maker(self) -> User:
        user: User = UserFactory(is_staff=True)
        return user

    def add(self, application, maker, content=b"", name="a.png", kind="LICENCE") -> Document:
        return documents.add(
            application_id=application.id, kind=kind, file=io.BytesIO(content or picture()),
            file_name=name, maker=maker, at=AT,
        )  # fmt: skip

    def test_are_taken_in_once(self, maker):
        application = applications.begin(maker=maker, at=AT)

        first, second = (self.add(application, maker) for _ in range(2))

        assert first == second
        assert (first.size_bytes, len(first.sha256)) == (len(picture()), 64)
        assert AuditEvent.objects.filter(action="document.add").count() == 1

    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("../../etc/passwd", "passwd.png"),
            ("C:\\a\\营业执照.pdf", "营业执照.png"),
            ('x"\r\nSet-Cookie: a.jpg', "xSet-Cookie a.png"),
            ("", "document.png"),
            (".htaccess", "htaccess.png"),
            ("a" * 300 + ".png", "a" * 80 + ".png"),
            ("evil\u202egnp.exe", "evilgnp.png"),
        ],
    )
    def test_have_safe_names(self, name, safe):
        assert documents.safe_name(name, "image/png") == safe

    def test_make_a_maker_of_who_uploads(self, maker):
        application, other = applications.begin(maker=maker, at=AT), UserFactory()

        self.add(application, other)

        application.refresh_from_db()
        assert other.person_id in application.makers

    def test_stay_when_they_are_taken_off(self, maker):
        application = applications.begin(maker=maker, at=AT)
        document = self.add(application, maker)

        documents.remove(application_id=application.id, document_id=document.id, maker=maker, at=AT)

        document.refresh_from_db()
        assert document.removed_at == AT
        assert self.add(application, maker) != document

    def test_are_not_changed_after_submitting(self, maker):
        application = factory.submitted(maker)

        with pytest.raises(applications.NotOpen):
            self.add(application, maker)

    def test_are_recorded_when_they_are_looked_at(self, maker):
        document = self.add(applications.begin(maker=maker, at=AT), maker)

        documents.look(uuid=document.uuid, page=1, at=AT)
        documents.read(uuid=document.uuid, at=AT)

        seen = AuditEvent.objects.filter(action__in=["document.look", "document.download"])
        assert [event.action for event in seen.order_by("id")] == [
            "document.look", "document.download",
        ]  # fmt: skip

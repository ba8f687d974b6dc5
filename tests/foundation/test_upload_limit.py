"""A file that is too large is not read to its end, and its field is named."""

from __future__ import annotations

import io
import tracemalloc

from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from foundation.upload_limit import refused_field

HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nhere\r\n'
    b'--x\r\nContent-Disposition: form-data; name="licence"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n"
)
GIGABYTE = 1024**3


class Endless(io.RawIOBase):
    """A body of one gigabyte that counts what is read of it."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        size = min(size if size > 0 else 65536, GIGABYTE - self.given)
        part = HEAD[self.given : self.given + size]
        part += b"\0" * (size - len(part))
        self.given += size
        return part


def request(body: io.RawIOBase, length: int) -> WSGIRequest:
    environ = RequestFactory()._base_environ(
        REQUEST_METHOD="POST",
        CONTENT_TYPE="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(length),
    )
    environ["wsgi.input"] = body
    return WSGIRequest(environ)


class TestUploadLimit:
    def test_reads_no_gigabyte_and_keeps_what_came_before(self):
        body = Endless()
        asked = request(body, GIGABYTE)
        tracemalloc.start()

        assert refused_field(asked) == "licence"

        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert body.given < 12 * 1024**2
        assert peak < 16 * 1024**2
        assert asked.POST["note"] == "here"
        assert "licence" not in asked.FILES

    def test_counts_all_files_together(self, settings):
        settings.UPLOAD_MAX_REQUEST_BYTES = 150
        part = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a"\r\n\r\n%s\r\n'
        body = part % (b"one", b"1" * 100) + part % (b"two", b"2" * 100) + b"--x--\r\n"

        asked = request(io.BytesIO(body), len(body))

        assert refused_field(asked) == "two"
        assert asked.FILES["one"].size == 100

    def test_lets_ordinary_files_pass(self):
        part = b'--x\r\nContent-Disposition: form-data; name="one"; filename="a"\r\n\r\nabc\r\n'
        body = part + b"--x--\r\n"

        asked = request(io.BytesIO(body), len(body))

        assert refused_field(asked) == ""
        assert asked.FILES["one"].read() == b"abc"

    def test_leaves_no_name_on_the_disk(self, tmp_path, settings):
        settings.FILE_UPLOAD_TEMP_DIR = tmp_path
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
        body = HEAD + b"x" * 300_000 + b"\r\n--x--\r\n"

        asked = request(io.BytesIO(body), len(body))

        file = asked.FILES["licence"]
        assert list(tmp_path.iterdir()) == []
        assert (file.name, file.size, file.content_type) == ("a.png", 300_000, "image/png")
        assert file.read() == b"x" * 300_000
        assert b"".join(file.chunks()) == b"x" * 300_000  # from its beginning again
        asked.close()
        assert file.closed

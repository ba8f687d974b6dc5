"""Where the bytes come from: a file or an upload, plain or gzipped, read in blocks."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from foundation.csv_intake.report import FileRefused, Progress

BLOCK = 1 << 18
MAX_BYTES = 16 << 30  # uncompressed; a small archive must not fill the disk
_GZIP = b"\x1f\x8b"

Opener = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read from its beginning more than once; `size` is in bytes as stored."""

    name: str
    size: int
    open: Opener

    @classmethod
    def from_path(cls, path: Path) -> Source:
        """Return the file at `path`. Raises OSError where it cannot be looked at."""
        return cls(path.name, path.stat().st_size, lambda: path.open("rb"))

    @classmethod
    def from_upload(cls, name: str, size: int, file: BinaryIO) -> Source:
        """Return an open, seekable upload; it stays open, its owner closes it."""

        @contextmanager
        def rewound() -> Iterator[BinaryIO]:
            file.seek(0)
            yield file

        return cls(name, size, rewound)


@dataclass(slots=True)
class Reading:
    """One pass over a source: the digest and the length of the content (after unpacking)."""

    source: Source
    progress: Progress | None = None
    size: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """The hexadecimal SHA-256 of what was read so far."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks. Raises FileRefused where an archive is damaged or cut."""
        with self.source.open() as raw:
            zipped = raw.read(2) == _GZIP
            raw.seek(0)
            if self.source.name.endswith(".gz") and not zipped:
                raise FileRefused.whole("not_gzip")
            stream = gzip.GzipFile(fileobj=raw) if zipped else raw
            while block := _next(stream):
                self.size += len(block)
                if self.size > MAX_BYTES:
                    raise FileRefused.whole("file_too_large", detail=str(MAX_BYTES))
                self._digest.update(block)
                yield block
                if self.progress:
                    self.progress(raw.tell(), self.source.size)


def _next(stream: BinaryIO | gzip.GzipFile) -> bytes:
    try:
        return stream.read(BLOCK)
    except EOFError:
        raise FileRefused.whole("file_truncated") from None
    except (gzip.BadGzipFile, zlib.error):
        raise FileRefused.whole("file_damaged") from None

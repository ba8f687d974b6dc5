"""
Files that the database holds in encrypted pieces, so that memory does not grow with them.

Each piece is a row of its own with an `EncryptedBinaryField`. The row's UUID is made of the file it
belongs to, its place and whether it is the last: a piece that was moved, left out, cut off or put
in from elsewhere does not decrypt (docs/decisions/0014-files-at-rest.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final, Protocol
from uuid import UUID, uuid5

from foundation.crypto import Tampered

SIZE: Final = 512 * 1024  # bytes of the file in one piece


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a file on its way into the database."""

    position: int
    uuid: UUID
    content: bytes


class Kept(Protocol):
    """A row that holds a piece."""

    uuid: UUID

    @property
    def content(self) -> bytes: ...


def cut(file: IO[bytes], *, of: UUID, name: str = "", size: int = 0) -> Iterator[Piece]:
    """
    Yield the pieces of a file; an empty one has one piece. `of` is the UUID of its row.

    `size`: bytes of a piece, where it is not SIZE.
    """
    size = size or SIZE
    position, content = 0, file.read(size)
    while True:
        following = file.read(size)
        made_of = name_of(of, name, position, last=not following)
        yield Piece(position, made_of, content)
        if not following:
            return
        position, content = position + 1, following


def joined(read: Callable[[int], Kept | None], *, of: UUID, name: str = "") -> Iterator[bytes]:
    """
    Yield the content of a file, piece by piece; `read` returns the row of a position.

    Raises: Tampered where a piece is missing, foreign or changed; KeyUnknown.
    """
    position, last = 0, False
    while not last:
        kept = read(position)
        last = kept is not None and kept.uuid == name_of(of, name, position, last=True)
        if kept is None or not (last or kept.uuid == name_of(of, name, position, last=False)):
            raise Tampered("A piece of the file is not there.")
        yield kept.content
        position += 1


def prove(content: Iterator[bytes], sha256: str) -> None:
    """Read a file to its end. Raises Tampered when it is not the one with that SHA-256."""
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    if digest.hexdigest() != sha256:
        raise Tampered("The file is another one.")


def name_of(of: UUID, name: str, position: int, *, last: bool) -> UUID:
    """Return the UUID of one piece: what it belongs to, where it stands, whether it is the last."""
    return uuid5(of, f"{name}/{position}/{'last' if last else 'more'}")

"""
Programs of ours that read hostile files: each in a process of its own, few at a time, not for long.

Whoever sends files can keep a few threads of a web process for some seconds and no more, however
many he sends and whatever they hold: the other threads answer everybody else (DOC-10).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from config.errors import DomainError

AT_A_TIME: Final = 2  # files that one process looks through
WAITING: Final = 2  # files that may wait for that
PATIENCE_SECONDS: Final = 3.0
REQUEST_SECONDS: Final = 15.0  # a request with many files begins no other one later than this

_doors = threading.BoundedSemaphore(AT_A_TIME + WAITING)
_places = threading.BoundedSemaphore(AT_A_TIME)


class Busy(DomainError):
    """Others' files are being looked through; this one was not, and can be sent again."""

    code = "files_busy"
    http_status = 503

    def __init__(self) -> None:
        super().__init__(
            _("Other files are still being looked through. Send this one again in a moment.")
        )


class Patience:
    """How much longer the files of one request are looked through; one that was slow ends it."""

    def __init__(self) -> None:
        self._until = time.monotonic() + REQUEST_SECONDS

    def require(self) -> None:
        """Raise Busy when the files before this one took all there was."""
        if time.monotonic() >= self._until:
            raise Busy

    def end(self) -> None:
        """Let no other file of the request be looked through."""
        self._until = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a confined program wrote, and whether it came to its end by itself and in time."""

    output: bytes
    ended: bool


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the places in which files are looked through. Raises Busy at once or soon."""
    if not _doors.acquire(blocking=False):
        raise Busy
    try:
        if not _places.acquire(timeout=PATIENCE_SECONDS):
            raise Busy
        try:
            yield
        finally:
            _places.release()
    finally:
        _doors.release()


def run(
    program: str | None,
    content: bytes,
    *,
    seconds: float,
    most_output: int,
    words: Sequence[str] = (),
) -> Told:
    """
    Run a program of ours with `content` as its input, for `seconds` at most, and return what it
    wrote. It sees none of our environment and keys; memory and processor time it bounds by itself.
    """
    with tempfile.TemporaryFile() as written:
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(program), *words], input=content, stdout=written,
                stderr=subprocess.DEVNULL, timeout=seconds, check=False, env={}, cwd="/",
            )  # fmt: skip
            ended = done.returncode == 0
        except subprocess.TimeoutExpired:
            ended = False
        written.seek(0)
        return Told(written.read(most_output), ended)

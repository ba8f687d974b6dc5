"""Who is at work in `var/`: one sets up at a time, and the last to leave puts the lights out."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def exclusive(path: Path, *, waiting: str) -> Iterator[None]:
    """Hold the lock on a file; say `waiting` when another process keeps us waiting a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        began, said = time.monotonic(), False
        while not taken(file):
            if not said and time.monotonic() - began > 1:
                sys.stderr.write(f"run: {waiting}\n")
                said = True
            time.sleep(0.1)
        yield


Exclusive = AbstractContextManager[None]


def taken(file: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    """Take the lock on an open file and return True, or False when somebody else has it."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Attendance:
    """
    The processes that use one group of servers: each keeps a file locked as long as it lives.

    The kernel lets go of the lock however a process ends, so a `kill -9` leaves nothing behind that
    the next start would believe. `enter`, `is_last` and `leave` are called under the set-up lock.
    """

    def __init__(self, folder: Path, group: str) -> None:
        self.folder, self.group = folder, group
        self._own = folder / f"{group}-{os.getpid()}"
        self._file: IO[str] | None = None

    def enter(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self._own.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def others(self) -> list[int]:
        """Return the process ids of the other runs that are alive."""
        alive = []
        for path in sorted(self.folder.glob(f"{self.group}-*")):
            if path == self._own:
                continue
            try:
                with path.open() as file:
                    if not taken(file, fcntl.LOCK_SH):
                        alive.append(int(path.name.rsplit("-", 1)[1]))
            except FileNotFoundError:
                continue
        return alive

    def is_last(self) -> bool:
        return not self.others()

    def leave(self) -> None:
        alive = self.others()
        for path in self.folder.glob(f"{self.group}-*"):
            if int(path.name.rsplit("-", 1)[1]) not in alive:
                path.unlink(missing_ok=True)
        if self._file:
            self._file.close()

"""The caretaker stops the embedded servers when every `./run` that used them was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Protocol

from config.embedded import locks, processes
from config.embedded.environment import Place

COMMAND = "caretaker"  # of ./run, but not for people
LOOK_SECONDS = 1.0


class _Servers(Protocol):
    """What the caretaker needs to know of `Servers`, which hires it."""

    @property
    def attendance(self) -> locks.Attendance: ...

    def set_up_lock(self) -> locks.Exclusive: ...

    def stop(self) -> None: ...


class Caretaker:
    """
    One process for each group of servers, in a session of its own, so that no terminal ends it.

    A run that ends in any other way than by `kill -9` stops the servers itself and dismisses it.
    The file it keeps locked says that it is there; the lock is taken before it is born.
    """

    def __init__(self, place: Place, group: str) -> None:
        self.place, self.group = place, group
        self.path = place.var / "running" / f"{COMMAND}-{group}"

    def hire(self) -> None:
        """Start it unless it is there. Called under the set-up lock, by a run that is attending."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+") as file:
            if not locks.taken(file):
                return
            log = self.place.logs / f"{COMMAND}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            words = [sys.executable, str(self.place.root / "run"), COMMAND, self.group]
            with processes.held(), log.open("ab") as output:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=[file.fileno()],  # and with it the lock
                )
                file.truncate(0)
                file.write(f"{process.pid}\n")
                file.flush()

    def dismiss(self) -> None:
        """End it. Called under the set-up lock, when the servers are stopped."""
        try:
            with self.path.open() as file:
                if locks.taken(file):
                    return
                pid = int(file.read())
        except (FileNotFoundError, ValueError):
            return
        processes.end(pid, signal.SIGTERM, patience=10)


def keep(servers: _Servers, place: Place) -> None:
    """Stop the servers as soon as nobody attends any more."""
    for number in processes.STOPPING:
        signal.signal(number, signal.SIG_DFL)
    while place.var.exists():
        time.sleep(LOOK_SECONDS)
        if servers.attendance.others():
            continue
        with servers.set_up_lock():
            if not servers.attendance.others():
                servers.stop()
                os._exit(0)  # and let the lock go, before somebody may set up again

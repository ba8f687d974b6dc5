"""Processes that end when `./run` ends, whichever way it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from config.embedded.preconditions import CannotGoOn

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 15.0  # for a worker to finish its task; after that it is killed, which is safe
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Stopped(BaseException):
    """Somebody asked us to stop: Ctrl-C, or one of the other signals that mean it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


class _Ears:
    """Turn signals into `Stopped`, except while something must not be torn apart."""

    def __init__(self) -> None:
        self.held = 0
        self.heard: int | None = None

    def hear(self, number: int, _frame: object) -> None:
        if self.held:
            self.heard = number
        else:
            raise Stopped(number)


_ears = _Ears()


def listen() -> None:
    """From now on a signal that means stop raises `Stopped` in the main thread."""
    for number in STOPPING:
        signal.signal(number, _ears.hear)


@contextmanager
def held() -> Iterator[None]:
    """Let signals wait until the block is done."""
    _ears.held += 1
    try:
        yield
    finally:
        _ears.held -= 1
        if not _ears.held and _ears.heard is not None:
            number, _ears.heard = _ears.heard, None
            raise Stopped(number)


def stop_listening() -> None:
    """Ignore further signals: we are leaving already."""
    _ears.held += 1


def _end_with_parent(parent: int) -> Callable[[], None]:
    """Return what a child does first: ask the kernel for SIGTERM when the parent is no more."""

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _start(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path | None = None,
    terminal: bool = False,
    doors: Sequence[socket.socket] = (),
) -> subprocess.Popen[bytes]:
    """
    Start a command in a process group of its own; `terminal` makes that the terminal's.

    `doors` are listening sockets that the command takes over, under the same numbers.
    """
    ask = _end_with_parent(os.getpid())

    def begin() -> None:
        ask()
        if terminal:
            _take_terminal(os.getpid())

    output = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(environment),
            stdin=None if terminal or not log else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            process_group=0,
            preexec_fn=begin,
            pass_fds=[door.fileno() for door in doors],
        )
    finally:
        if output:
            output.close()


def _has_terminal() -> bool:
    try:
        return os.getpgrp() == os.tcgetpgrp(0)
    except OSError:  # no terminal, or no standard input at all
        return False


def _take_terminal(group: int) -> None:
    """Make a process group the one that Ctrl-C reaches."""
    old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with suppress(OSError):
        os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, old)


def _end(process: subprocess.Popen[bytes], *, patience: float = PATIENCE_SECONDS) -> None:
    """Ask a process to stop, and kill its whole group when it does not."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its children too, if any are left
    process.wait()


def alive(pid: int) -> bool:
    """Return whether a process runs; one that waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def end(pid: int, number: int, *, patience: float) -> None:
    """Send a signal and wait until that process is no more. Raises CannotGoOn if it stays."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + patience
    while alive(pid):
        if time.monotonic() > deadline:
            raise CannotGoOn(f"Process {pid} does not end.")
        time.sleep(0.02)


def step(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    doing: str,
) -> None:
    """
    Run one step of the set-up quietly, its output in a log file.

    Raises CannotGoOn with the last line it said; when we are stopped, the step is ended as well.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    began = log.stat().st_size if log.exists() else 0
    with held():
        process = _start(command, environment=environment, folder=folder, log=log)
    try:
        code = process.wait()
    except BaseException:
        with held():
            _end(process, patience=2)
        raise
    if code:
        with log.open("rb") as file:
            file.seek(began)
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line]
        findings = [line for line in lines if line.startswith("?: ")]  # of Django's checks
        errors = findings or [line for line in lines if "error" in line.lower()] or lines
        last = errors[-1].strip() if errors else f"exit code {code}"
        raise CannotGoOn(f"{doing} failed: {last} (all of it in {log})")


def foreground(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    doors: Sequence[socket.socket] = (),
    meanwhile: Callable[[], None] = lambda: None,
) -> int:
    """
    Run a command at the terminal and return its exit code; signals to us are passed on to it.

    It has its own process group, the terminal's, so that Ctrl-C reaches it once and us not at all.
    `meanwhile` is asked again and again; what it raises ends the command.
    """
    terminal, heard = _has_terminal(), 0
    with held():
        process = _start(
            command, environment=environment, folder=folder, terminal=terminal, doors=doors
        )
    try:
        while True:
            try:
                meanwhile()
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(0.3)
                    break
            except Stopped as stopped:
                heard = stopped.number
                hung_up = heard == signal.SIGHUP  # which servers take as "read anew"
                process.send_signal(signal.SIGTERM if hung_up else heard)
    finally:
        with held():
            _end(process)
            if terminal:
                _take_terminal(os.getpgrp())
    # A closed window sends SIGHUP to both of us, and ours may be passed on as SIGTERM before its
    # own arrives: what was heard is the reason, whichever of the two it died of.
    return code if code >= 0 else 128 + (heard or -code)


class Crew:
    """Processes that work in the background, each with a log of its own, and end together."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder, self.logs = folder, logs
        self._members: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        door: socket.socket | None = None,
    ) -> None:
        """Start one member, which takes the door over; a new log replaces the last run's."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        log.unlink(missing_ok=True)
        with held():
            self._members[name] = _start(
                command,
                environment=environment,
                folder=self.folder,
                log=log,
                doors=[door] if door else (),
            )
        if door:
            door.close()

    def require_alive(self) -> None:
        """Raise CannotGoOn when one of them ended by itself."""
        for name, process in self._members.items():
            if process.poll() is not None:
                raise CannotGoOn(
                    f"The {name} process ended by itself with code {process.returncode};"
                    f" see {self.logs / name}.log."
                )

    def watch(self) -> None:
        """Wait until somebody stops us, or one of them ends by itself (CannotGoOn)."""
        while True:
            self.require_alive()
            time.sleep(0.3)

    def stop(self) -> None:
        """End them all; they are asked at the same time, the last started first."""
        with held():
            members = list(reversed(self._members.values()))
            for process in members:
                if process.poll() is None:
                    process.terminate()
            for process in members:
                _end(process)
            self._members.clear()

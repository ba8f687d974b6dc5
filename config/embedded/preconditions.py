"""What must hold before anything starts, each said in one plain sentence."""

from __future__ import annotations

import errno
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DISK_BYTES = 1_500_000_000  # environment, databases and their write-ahead log


class CannotGoOn(Exception):
    """A pre-condition failed; the message is one plain sentence and the exit code is 2."""


@dataclass(frozen=True)
class Finding:
    """The state of one pre-condition, as `doctor` shows it."""

    name: str
    fine: bool
    says: str


def venv_module() -> str:
    """Require the modules that make an environment; Debian ships them apart."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotGoOn(
            f"Python's module {missing[0]} is missing; on Debian and Ubuntu install python3-venv."
        )
    return "venv and ensurepip are there"


def supported_platform() -> str:
    """Require a machine that the embedded servers were built for."""
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise CannotGoOn(
            f"The embedded servers run on Linux x86_64 and this is {machine}; set DATABASE_URL,"
            " DATABASE_OWNER_URL and CELERY_BROKER_URL to servers of your own."
        )
    return machine


def user_namespace() -> str:
    """Require, for root, that `unshare` works: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return "an ordinary user needs none"
    advice = "run as an ordinary user, or set DATABASE_URL to a server of your own."
    if shutil.which("unshare") is None:
        raise CannotGoOn(f"PostgreSQL does not run as root and `unshare` is missing; {advice}")
    probe = subprocess.run([*unprivileged(), "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        raise CannotGoOn(f"PostgreSQL does not run as root and `unshare` is refused; {advice}")
    return "unshare works"


def unprivileged() -> list[str]:
    """Return the prefix under which a command believes it is not root: no user is created."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def writable(var: Path) -> str:
    """Require a folder for the state that is ours, can be written and has room."""
    try:
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = var.stat().st_uid
        if owner != os.geteuid():
            raise CannotGoOn(
                f"{var} belongs to user {owner} and this is user {os.geteuid()}; run as that user,"
                " or set COUNTINGHOUSE_VAR to a folder of your own."
            )
        probe = var / f".probe-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise CannotGoOn(f"{var} cannot be written ({error.strerror}).") from error
    free = shutil.disk_usage(var).free
    if free < DISK_BYTES:
        raise CannotGoOn(f"{var} has {free // 10**6} MB free and {DISK_BYTES // 10**6} are needed.")
    return f"{var}, {free // 10**9} GB free"


def listen(port: int) -> socket.socket:
    """
    Return a socket that listens on this port of 127.0.0.1, to be handed to a server.

    Taken here and now, so that two checkouts that start at the same moment never choose the same.
    """
    if not 0 < port < 65536:
        raise CannotGoOn(f"{port} is no port; choose one from 1 to 65535.")
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"is refused ({error.strerror})"
        raise CannotGoOn(f"Port {port} of 127.0.0.1 {reason}; choose another one.") from error


def listen_from(first: int) -> socket.socket:
    """Return a socket that listens on the first free port of 127.0.0.1 from `first` on."""
    for port in range(first, first + 100):
        with suppress(CannotGoOn):
            return listen(port)
    raise CannotGoOn(f"No port from {first} to {first + 99} is free on 127.0.0.1.")


def port_of(door: socket.socket) -> int:
    """Return the port that a listening socket has."""
    return int(door.getsockname()[1])


def free_port(first: int) -> int:
    """Return the first free port of 127.0.0.1 from `first` on, without keeping it."""
    with listen_from(first) as door:
        return port_of(door)


def finding(name: str, check: Callable[[], str]) -> Finding:
    """Return what a check says, whether it holds or not."""
    try:
        return Finding(name, True, check())
    except CannotGoOn as reason:
        return Finding(name, False, str(reason))
    except OSError as error:
        return Finding(name, False, f"{error.strerror}: {error.filename}")

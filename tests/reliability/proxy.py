"""
A PostgreSQL server behind a socket of our own, that counts commits and strikes at one of them.

It reads the wire protocol far enough to know every commit of every client: a COMMIT, and each
statement outside a transaction that may write. Nothing in the product knows of it.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from django.db import connections
from psycopg.conninfo import conninfo_to_dict

_SSL_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_WRITES = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|merge\s+into)\s+(?!set\b)([\w.\"]+)", re.IGNORECASE
)
_COMMENT = re.compile(r"--[^\n]*")
_LOCKS = re.compile(r"\bfor\s+(no\s+key\s+)?update\b", re.IGNORECASE)
_COMMIT = re.compile(r"\s*(commit|end)\s*;?\s*", re.IGNORECASE)


class Strike(Enum):
    """What happens at the chosen commit, and to whom."""

    DIES_BEFORE = "the process dies before the server hears the COMMIT"
    DIES_AFTER = "the process dies when the server has committed"
    LOST_AFTER = "the answer to the COMMIT is lost, and the process lives on"
    LATE = "the process sleeps when the server has committed, and wakes up much later"


@dataclass
class Proxy:
    """
    One way to the server of `conninfo`. `sites` names what each commit wrote, in order.

    At the commit number `at` it does what `strike` says; after DIES no connection is let through
    any more. LATE calls `meanwhile` before the client hears the answer. `functions` are the names
    of SQL functions that may write.
    """

    conninfo: str
    functions: frozenset[str]
    strike: Strike = Strike.DIES_BEFORE
    at: int | None = None
    meanwhile: Callable[[], None] = lambda: None
    sites: list[str] = field(default_factory=list)
    struck: bool = False

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chp", dir="/tmp"))  # short: it holds a socket
        parts = conninfo_to_dict(self.conninfo)
        self._host, self.port = str(parts.get("host", "")), int(parts.get("port") or 5432)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._dead = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / f".s.PGSQL.{self.port}"))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody through any more and end everyone."""
        with self._lock:
            self._dead = True
            still_open, self._open = self._open, set()
        for end in (self._listener, *still_open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Return this process's environment with the product's database behind the proxy."""
        parts = conninfo_to_dict(os.environ["DATABASE_URL"])
        url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={self.folder}&port={self.port}"
        return os.environ | {"DATABASE_URL": url}

    def commits(self, what: str) -> bool:
        """Note a commit that is about to be sent; return whether it is the one to strike at."""
        with self._lock:
            self.sites.append(what)
            hit = len(self.sites) == self.at
            self.struck = self.struck or hit
            return hit

    def writes(self, statement: str) -> list[str]:
        """Return the tables and functions by which a statement may write."""
        statement = _COMMENT.sub("", statement)
        found = _WRITES.findall(_LOCKS.sub("", statement))
        found += [name for name in re.findall(r"\b(\w+)\s*\(", statement) if name in self.functions]
        return [name.replace('"', "").removeprefix("public.") for name in found]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            server = self._connect()
            with self._lock:
                if self._dead:
                    client.close()
                    server.close()
                    return
                self._open |= {client, server}
            try:
                _Line(self, client, server).run()
            finally:
                with self._lock:
                    self._open -= {client, server}
                client.close()
                server.close()

    def _connect(self) -> socket.socket:
        if self._host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self.port}")
            return server
        return socket.create_connection((self._host or "localhost", self.port))


class _Line:
    """One client's connection: both directions, read message by message in one thread."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.from_client, self.from_server = bytearray(), bytearray()
        self.started, self.status = False, ""
        self.prepared: dict[str, str] = {}
        self.written: list[str] = []  # in the open transaction
        self.batch: list[str] = []  # by the extended protocol, since the last Sync
        self.awaited = False  # the commit to strike at is with the server

    def run(self) -> None:
        with selectors.DefaultSelector() as ready:
            for end in (self.client, self.server):
                ready.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    end = key.fileobj
                    data = end.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    if not (self._up(data) if end is self.client else self._down(data)):
                        return

    def _up(self, data: bytes) -> bool:
        self.from_client += data
        for kind, body, raw in self._messages(self.from_client, typed=lambda: self.started):
            if kind == "" and not self._start(body):
                continue
            if self._is_commit(kind, body) and self.proxy.commits(self._what()):
                if self.proxy.strike == Strike.DIES_BEFORE:
                    self.proxy.close()
                    return False
                self.awaited = True
            self.server.sendall(raw)
        return True

    def _down(self, data: bytes) -> bool:
        self.from_server += data
        kept = bytearray()
        for kind, body, raw in self._messages(self.from_server, typed=lambda: True):
            kept += raw
            if kind == "Z":
                self.status = chr(body[0])
                if self.awaited:
                    self.awaited = False
                    if not self._strike():
                        return False
            if not self.awaited:
                self.client.sendall(kept)
                kept.clear()
        self.from_server[:0] = kept  # nothing of the awaited answer is told before it is whole
        return True

    def _strike(self) -> bool:
        if self.proxy.strike == Strike.DIES_AFTER:
            self.proxy.close()
        if self.proxy.strike == Strike.LATE:
            self.proxy.meanwhile()
            return True
        return False

    def _start(self, body: bytes) -> bool:
        """Handle the messages before the first typed one; False when it is not to be passed on."""
        code = struct.unpack("!i", body[:4])[0]
        if code in (_SSL_REQUEST, _GSS_REQUEST):
            self.client.sendall(b"N")
            return False
        self.started = code != _CANCEL_REQUEST
        return True

    def _is_commit(self, kind: str, body: bytes) -> bool:
        """Follow what the client sends; return whether this message commits."""
        if kind == "Q":
            text = body[:-1].decode(errors="replace")
            if self.status == "T" and _COMMIT.fullmatch(text):
                return True
            self._note(text)
            return self.status == "I" and bool(self.written)
        if kind == "P":
            name, text = body.split(b"\0")[:2]
            self.prepared[name.decode()] = text.decode(errors="replace")
        elif kind == "B":
            self.batch.append(self.prepared.get(body.split(b"\0")[1].decode(), ""))
        elif kind == "S":
            for text in self.batch:
                self._note(text)
            self.batch.clear()
            return self.status == "I" and bool(self.written)
        return False

    def _note(self, text: str) -> None:
        if self.status == "I":
            self.written = []
        self.written += self.proxy.writes(text)

    def _what(self) -> str:
        return " ".join(dict.fromkeys(self.written)) or "nothing"

    def _messages(
        self, buffer: bytearray, typed: Callable[[], bool]
    ) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield the whole messages in a buffer: type, body, raw; what is left stays in it."""
        while True:
            head = 1 if typed() else 0
            if len(buffer) < head + 4:
                return
            length = head + struct.unpack("!i", buffer[head : head + 4])[0]
            if len(buffer) < length:
                return
            raw = bytes(buffer[:length])
            del buffer[:length]
            yield chr(raw[0]) if head else "", raw[head + 4 :], raw


def writing_functions() -> frozenset[str]:
    """Return the names of the database's own functions that may write."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND provolatile = 'v' AND prorettype <> 'trigger'::regtype"
        )
        return frozenset(name for (name,) in cursor.fetchall())


@contextmanager
def between(proxy: Proxy) -> Iterator[Proxy]:
    """Let this thread reach the database through a proxy, which is closed in the end."""
    wrapper = connections["default"]
    before = wrapper.settings_dict
    wrapper.close()
    wrapper.settings_dict = before | {"HOST": str(proxy.folder), "PORT": str(proxy.port)}
    try:
        yield proxy
    finally:
        wrapper.close()
        wrapper.settings_dict = before
        proxy.close()

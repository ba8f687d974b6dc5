"""Who acts, and under which request: carried beside the call, stored with every row that counts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """
    The cause of a write: `name` is `user:<uuid>`, `key:<prefix>` or `system:<task or command>`.

    `request_id` ties together everything one request, task or command did.
    """

    name: str
    request_id: str


_current: ContextVar[Actor | None] = ContextVar("actor", default=None)


def current() -> Actor:
    """Return who acts now; outside of any request it is `system:unknown` with a fresh request id."""
    return _current.get() or Actor("system:unknown", uuid.uuid4().hex)


@contextmanager
def acting(name: str, request_id: str | None = None) -> Iterator[Actor]:
    """Act as `name` inside the block (middleware, tasks and commands use this)."""
    actor = Actor(name, request_id or uuid.uuid4().hex)
    token = _current.set(actor)
    try:
        yield actor
    finally:
        _current.reset(token)

"""Who acts, and under which request: carried beside the call, stored with every row that counts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import structlog
from django.db import connection
from django.db.transaction import TransactionManagementError


@dataclass(frozen=True, slots=True)
class Actor:
    """
    The cause of a write: `name` is `user:<uuid>`, `key:<prefix>` or `system:<task or command>`.

    `request_id` ties together everything one request, task or command did; `origin` is the network
    address it came from, where there is one.
    """

    name: str
    request_id: str
    origin: str = ""


_current: ContextVar[Actor | None] = ContextVar("actor", default=None)


def current() -> Actor:
    """Return who acts now; outside of any request `system:unknown` with a fresh request id."""
    return _current.get() or Actor("system:unknown", uuid.uuid4().hex)


@contextmanager
def acting(name: str, request_id: str | None = None, *, origin: str = "") -> Iterator[Actor]:
    """Act as `name` inside the block (middleware, tasks and commands use this)."""
    actor = Actor(name, request_id or uuid.uuid4().hex, origin)
    token = _current.set(actor)
    try:
        with structlog.contextvars.bound_contextvars(actor=name, request_id=actor.request_id):
            yield actor
    finally:
        _current.reset(token)


def become(name: str) -> Actor:
    """
    Act as `name` until the block of `acting` around this ends, under the same request id.

    For the moment in the middle of a request at which a program's key is proved.
    """
    before = current()
    actor = Actor(name, before.request_id, before.origin)
    _current.set(actor)
    structlog.contextvars.bind_contextvars(actor=name)
    return actor


def stamp_transaction() -> Actor:
    """
    Tell the history triggers, until this transaction ends, who acts.

    Call it at the start of every transaction that changes configuration or people. Raises
    TransactionManagementError outside of a transaction, where it would be gone at once.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("stamp_transaction() needs a transaction")
    actor = current()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('countinghouse.actor', %s, true),"
            " set_config('countinghouse.request_id', %s, true),"
            " set_config('countinghouse.origin', %s, true)",
            [actor.name, actor.request_id, actor.origin[:100]],
        )
    return actor

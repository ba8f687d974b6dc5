"""Faults that only a superuser can plant, one after the other in one database, each undone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connections, transaction
from psycopg.conninfo import conninfo_to_dict

from foundation import registries, sql


@contextmanager
def superuser() -> Iterator[None]:
    """
    Let Django's connection be the superuser's, all triggers and foreign keys off, in a transaction
    that is undone. The database is the test's own clone.
    """
    url = os.environ.get("DATABASE_SUPERUSER_URL")
    if not url:
        pytest.skip("DATABASE_SUPERUSER_URL is not set: faults can only be planted by a superuser.")
    connection = connections["default"]
    said, theirs = connection.settings_dict, conninfo_to_dict(url)
    before = {name: said[name] for name in ("USER", "PASSWORD")}
    connection.close()
    said.update(USER=theirs["user"], PASSWORD=theirs.get("password", ""))
    try:
        with transaction.atomic():
            sql.execute("SET LOCAL session_replication_role = replica")
            yield
            transaction.set_rollback(True)
    finally:
        connection.close()
        said.update(before)


def found(check: str) -> int:
    """Return how many findings a check of `verify` has."""
    return sum(1 for _finding in registries.invariant_checks.get(check)())


def silent(check: str, fault: str) -> str:
    """Plant a fault, ask one check, undo it; return what is wrong, empty if it is reported."""
    before = transaction.savepoint()
    try:
        if not sql.execute(fault):
            return f"nothing to change: {fault}"
        return "" if found(check) else f"{check} does not see: {fault}"
    except DatabaseError as refusal:
        return f"{refusal}: {fault}"
    finally:
        transaction.savepoint_rollback(before)

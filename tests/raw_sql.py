"""Statements a careless or hostile hand sends past the services, and how they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import Error, connection, transaction


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """Expect the database to refuse what is done here for that reason; nothing stays."""
    with pytest.raises(Error, match=reason), transaction.atomic():
        yield


def run(statement: str, *values: object) -> None:
    """Send the statement; what is checked at commit is not checked yet."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def checked(statement: str, *values: object) -> None:
    """Send the statement and let the database check all that it would check at commit."""
    run(statement, *values)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("SET CONSTRAINTS ALL DEFERRED")

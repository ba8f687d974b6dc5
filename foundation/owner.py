"""What an operator does on the server with the right of the role that owns the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections


@contextmanager
def connected() -> Iterator[None]:
    """
    Let everything inside write through DATABASE_OWNER_URL, as `migrate` does.

    Inside a transaction nothing changes: it goes on as the role that began it, and the database
    says what that may. So does a process without DATABASE_OWNER_URL. Rule: ROL-13
    (docs/rules/roles.md).
    """
    product = connections["default"]
    if product.in_atomic_block:
        yield
        return
    owner = connections["owner"]
    connections["default"] = owner
    try:
        yield
    finally:
        connections["default"] = product
        owner.close()

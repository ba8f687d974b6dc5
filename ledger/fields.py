"""Column types that only the ledger needs."""

from __future__ import annotations

from typing import Any

from django.db import models


class Xid8Field(models.Field):  # type: ignore[type-arg]
    """
    PostgreSQL's 64-bit transaction id, stamped by a trigger and only ever read.

    A posting refers to its entry by it, so nothing can be added to an entry by a later transaction.
    """

    def db_type(self, connection: Any) -> str:
        """Return the column type."""
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        """Return the id as an integer."""
        return None if value is None else int(value)

"""What the database refuses, and the right that only an operator has (ROL-13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction

HAND = "EXECUTE ON FUNCTION foundation_staff_by_hand()"


def said_no(act: Callable[[], Any]) -> str:
    """What the database refuses with, at once or at the end; nothing stays."""
    try:
        with transaction.atomic():
            act()
            connection.check_constraints()
            transaction.set_rollback(True)
    except (DatabaseError, psycopg.Error) as refusal:
        return str(refusal)
    return "it was not refused"


def refused(constraint: str, act: Callable[[], Any]) -> None:
    assert constraint in said_no(act)

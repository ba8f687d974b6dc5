"""What the tests of the database's guards share: careless hands with the product's own role."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import DatabaseError, transaction

from foundation import sql
from settlement.models import PayoutAttempt, Withdrawal


def refused(why: str, *statements: str, **params: object) -> None:
    """Expect the statements, committed together, to be refused for that reason."""
    with pytest.raises(DatabaseError, match=why):
        _commit(statements, params)


def _commit(statements: Sequence[str], params: dict[str, object]) -> None:
    with transaction.atomic():
        for statement in statements:
            sql.execute(statement, params)
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")


def step(status: str, more: str = "") -> list[str]:
    """Return how a careless hand moves a withdrawal, its history included."""
    return [
        f"UPDATE settlement_withdrawal SET status = '{status}', sequence = sequence + 1 {more}"
        " WHERE id = %(id)s",
        "INSERT INTO settlement_withdrawal_transition (merchant_id, withdrawal_id, sequence,"
        " from_status, to_status, reason, at, actor, request_id) SELECT merchant_id, id, sequence,"
        " '', status, '', now(), '', '' FROM settlement_withdrawal WHERE id = %(id)s",
    ]


def attempt_step(status: str, more: str = "") -> list[str]:
    return [
        f"UPDATE settlement_payout_attempt SET status = '{status}', sequence = sequence + 1 {more}"
        " WHERE id = %(attempt)s",
        "INSERT INTO settlement_payout_transition (merchant_id, attempt_id, sequence,"
        " from_status, to_status, reason, at, actor, request_id) SELECT merchant_id, id, sequence,"
        " '', status, '', now(), '', '' FROM settlement_payout_attempt WHERE id = %(attempt)s",
    ]


def copied(made: Withdrawal | PayoutAttempt, **changes: str) -> str:
    """Return an INSERT of the same row under another key, with columns as given in SQL."""
    table = made._meta.db_table
    names: Sequence[str] = [field.column for field in made._meta.concrete_fields]
    fresh = {"id": "id + 1000"} | changes
    values = ", ".join(fresh.get(name, name) for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE id = "

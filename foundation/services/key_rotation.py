"""Rotation of the field keys: every encrypted value is written again with the first key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import connection, transaction

from foundation import crypto, sql
from foundation.fields import EncryptedTextField
from foundation.services import job as jobs

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many values were written again, and how many changed under our hands and were left."""

    written: int
    left: int


def encrypted_fields() -> Iterator[EncryptedTextField]:
    """Return every encrypted field of every installed model."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                yield field


def waiting(field: EncryptedTextField) -> int:
    """Return how many values of a field are not written with the present key."""
    return int(sql.rows(f"SELECT count(*) AS rows {_of(field)}", [_present()])[0]["rows"])


def rotate(*, progress: Callable[[int, int], None] | None = None) -> Rotated:
    """
    Write every value again whose key is not the present one, in small transactions.

    Stopped at any place it goes on where it was, because it looks for what is left; run it until
    `waiting` says 0, then the old key may go. Raises JobRunning, KeyUnknown, Tampered.
    """
    fields = list(encrypted_fields())
    total = sum(waiting(field) for field in fields)
    job = jobs.start("rotate_keys", crypto.current_key()[0], total)
    written = left = 0
    try:
        for field in fields:
            last = 0
            while batch := _batch(field, last):
                last = batch[-1]["id"]
                changed = _rewrite(field, batch)
                written, left = written + changed, left + len(batch) - changed
                jobs.add(job.id, changed, fence=job.fence)
                if progress is not None:
                    progress(written, total)
    except Exception as error:
        jobs.fail(job.id, repr(error), fence=job.fence)
        raise
    jobs.finish(job.id, fence=job.fence)
    return Rotated(written, left)


def _present() -> str:
    return crypto.current_key()[0] + ":%"


def _names(field: EncryptedTextField) -> tuple[str, str]:
    """Return table and column, quoted."""
    quote = connection.ops.quote_name
    return quote(field.model._meta.db_table), quote(str(field.column))


def _of(field: EncryptedTextField) -> str:
    table, column = _names(field)
    return f"FROM {table} WHERE {column} NOT LIKE %s"


def _batch(field: EncryptedTextField, after: int) -> list[dict[str, Any]]:
    _table, column = _names(field)
    return sql.rows(
        f"SELECT id, uuid, {column} AS token {_of(field)} AND id > %s ORDER BY id LIMIT %s",
        [_present(), after, BATCH],
    )


def _rewrite(field: EncryptedTextField, batch: list[dict[str, Any]]) -> int:
    """Replace each value that is still the one we read; return how many were."""
    table, column = _names(field)
    changed = 0
    with transaction.atomic():
        for row in batch:
            associated = field.associated_with(row["uuid"])
            fresh = crypto.encrypt(crypto.decrypt(row["token"], associated), associated)
            changed += sql.execute(
                f"UPDATE {table} SET {column} = %s WHERE id = %s AND {column} = %s",
                [fresh, row["id"], row["token"]],
            )
    return changed

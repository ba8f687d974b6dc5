"""Rotation of the field keys: every encrypted value is written again with the first key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import connection, transaction

from foundation import actor, crypto, mfa, sql
from foundation.fields import EncryptedBinaryField, EncryptedTextField
from foundation.services import job as jobs

BATCH: Final = 500
BINARY_BATCH: Final = 8  # pieces of files: what is held at a time stays small
Encrypted = EncryptedTextField | EncryptedBinaryField
_SECRETS: Final = ("secret", "seed")  # of an app on a telephone, of recovery codes
_SECRET_WAITS: Final = (
    "FROM public.mfa_authenticator WHERE coalesce(data->>'secret', data->>'seed') NOT LIKE %s"
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """
    How many values were written again, how many changed under our hands and were left, and which
    are damaged: what cannot be read cannot be written again either, and does not stop the rest.
    """

    written: int
    left: int
    damaged: tuple[str, ...] = ()


def encrypted_fields() -> Iterator[Encrypted]:
    """Return every encrypted field of every installed model."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, (EncryptedTextField, EncryptedBinaryField)):
                yield field


def waiting(field: Encrypted) -> int:
    """Return how many values of a field are not written with the present key."""
    where, mark = _of(field)
    return int(sql.rows(f"SELECT count(*) AS rows {where}", [mark])[0]["rows"])


def secrets_waiting() -> int:
    """Return how many secrets of second factors are not written with the present key."""
    return int(sql.rows(f"SELECT count(*) AS rows {_SECRET_WAITS}", [_present()])[0]["rows"])


def rotate(*, progress: Callable[[int, int], None] | None = None) -> Rotated:
    """
    Write every value again whose key is not the present one, in small transactions.

    Stopped at any place it goes on where it was, because it looks for what is left; run it until
    `waiting` says 0, then the old key may go. Raises JobRunning, KeyUnknown.
    """
    fields = list(encrypted_fields())
    total = sum(waiting(field) for field in fields) + secrets_waiting()
    job = jobs.start("rotate_keys", crypto.current_key()[0], total)
    written = left = 0
    damaged: list[str] = []
    try:
        for field in fields:
            last = 0
            while batch := _batch(field, last):
                last = batch[-1]["id"]
                changed = _rewrite(field, batch, damaged)
                written, left = written + changed, left + len(batch) - changed
                jobs.add(job.id, changed, fence=job.fence)
                if progress is not None:
                    progress(written, total)
        changed = _rewrite_secrets()
        written += changed
        jobs.add(job.id, changed, fence=job.fence)
    except Exception as error:
        jobs.fail(job.id, repr(error), fence=job.fence)
        raise
    jobs.finish(job.id, fence=job.fence)
    return Rotated(written, left, tuple(damaged))


def _present() -> str:
    return crypto.current_key()[0] + ":%"


def _names(field: Encrypted) -> tuple[str, str]:
    """Return table and column, quoted."""
    quote = connection.ops.quote_name
    return quote(field.model._meta.db_table), quote(str(field.column))


def _of(field: Encrypted) -> tuple[str, str | bytes]:
    """Return FROM and WHERE of the values of another key, with the mark of the present one."""
    table, column = _names(field)
    if isinstance(field, EncryptedTextField):
        return f"FROM {table} WHERE {column} NOT LIKE %s", _present()
    mark = crypto.mark(crypto.current_key()[0])
    return f"FROM {table} WHERE substring({column} FROM 1 FOR {len(mark)}) <> %s", mark


def _batch(field: Encrypted, after: int) -> list[dict[str, Any]]:
    _table, column = _names(field)
    where, mark = _of(field)
    most = BATCH if isinstance(field, EncryptedTextField) else BINARY_BATCH
    return sql.rows(
        f"SELECT id, uuid, {column} AS token {where} AND id > %s ORDER BY id LIMIT %s",
        [mark, after, most],
    )


def _rewrite(field: Encrypted, batch: list[dict[str, Any]], damaged: list[str]) -> int:
    """Replace each value that is still the one we read; return how many were. Name the damaged."""
    table, column = _names(field)
    changed = 0
    with transaction.atomic():
        for row in batch:
            associated = field.associated_with(row["uuid"])
            stored = field.stored(row["token"])
            try:
                fresh = field.seal(field.open(stored, associated), associated)
            except crypto.Tampered:
                damaged.append(f"{field.model._meta.label}.{field.name} {row['id']}")
                continue
            changed += sql.execute(
                f"UPDATE {table} SET {column} = %s WHERE id = %s AND {column} = %s",
                [fresh, row["id"], stored],
            )
    return changed


def _rewrite_secrets() -> int:
    """Write the secrets of second factors again, each under its row's lock; there are few."""
    found = sql.rows(f"SELECT id {_SECRET_WAITS} ORDER BY id", [_present()])
    for row in found:
        with transaction.atomic():
            actor.stamp_transaction()
            factor = Authenticator.objects.select_for_update().get(pk=row["id"])
            associated = mfa.associated_with(factor.user_id)
            for name in _SECRETS:
                if name in factor.data:
                    plain = crypto.decrypt(factor.data[name], associated)
                    factor.data[name] = crypto.encrypt(plain, associated)
            factor.save(update_fields=["data"])
    return len(found)

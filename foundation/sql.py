"""SQL that lives in files beside the code, and calls of SQL functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connections, migrations

Row = dict[str, Any]


@cache
def load(package: str, name: str) -> str:
    """Return the text of `<package>/sql/<name>.sql`."""
    return (Path(settings.BASE_DIR) / package / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def shipped() -> Iterator[str]:
    """Return the text of every file of SQL that the product's packages ship."""
    for package in apps.get_app_configs():
        if Path(package.path).parent == Path(settings.BASE_DIR):
            for file in sorted(Path(package.path, "sql").glob("*.sql")):
                yield load(package.label, file.stem)


def rows(
    statement: str, params: Sequence[Any] | Mapping[str, Any] = (), *, using: str = "default"
) -> list[Row]:
    """Run one statement and return its rows as dictionaries (bounded results only)."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, params or None)
        if cursor.description is None:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def execute(
    statement: str, params: Sequence[Any] | Mapping[str, Any] = (), *, using: str = "default"
) -> int:
    """Run one statement and return how many rows it touched."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, params or None)
        return int(cursor.rowcount)


def call(statement: str, params: Sequence[Any], *, using: str = "default") -> Any:
    """
    Run one call of a SQL function and return its value.

    The server parses and plans it once for each connection, not for each call: for what is called
    one by one and often. Everywhere else Django's own cursors serve.
    """
    connection = connections[using]
    connection.ensure_connection()
    prepared: Any = psycopg.Cursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrap(prepared) as cursor:
        cursor.execute(statement, params)
        row = cursor.fetchone()
    return row[0]


def array(values: Sequence[object]) -> str:
    """
    Return numbers or texts as PostgreSQL writes an array; cast it where it stands (`%s::text[]`).

    The driver's own lists are right everywhere but where one call follows the other: it looks at
    every element for its type, and four of them cost a third of a posting.
    """
    return "{" + ",".join(_element(value) for value in values) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def migrate_file(package: str, name: str, reverse: str = "") -> migrations.RunSQL:
    """
    Return a migration operation that runs `<package>/sql/<name>.sql` as it stands.

    Function files are `CREATE OR REPLACE`; whoever changes one adds a migration that loads it
    again.
    """
    return migrations.RunSQL(load(package, name), reverse or migrations.RunSQL.noop)

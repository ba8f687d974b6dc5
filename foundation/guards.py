"""The guards that tables of every package share (foundation/sql/guards.sql)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.apps import apps
from django.db import connections, migrations

from foundation.models.fact import Fact


def append_only(table: str) -> migrations.RunSQL:
    """
    Return a migration operation that makes a table append-only.

    UPDATE, DELETE and TRUNCATE are refused by trigger, to the owner too; the product's role loses
    the rights as well, where it exists.
    """
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON public.{table}
          FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
        CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.{table}
          FOR EACH STATEMENT EXECUTE FUNCTION public.foundation_refuse_change();
        {_revoke("UPDATE, DELETE, TRUNCATE", table)}
        """,
        f"""
        DROP TRIGGER refuse_change ON public.{table};
        DROP TRIGGER refuse_truncate ON public.{table};
        {_grant("UPDATE, DELETE", table)}
        """,
    )


def never_deleted(table: str) -> migrations.RunSQL:
    """Return a migration operation that refuses DELETE and TRUNCATE: rows change but stay."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER refuse_delete BEFORE DELETE ON public.{table}
          FOR EACH ROW EXECUTE FUNCTION public.foundation_refuse_change();
        CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.{table}
          FOR EACH STATEMENT EXECUTE FUNCTION public.foundation_refuse_change();
        {_revoke("DELETE, TRUNCATE", table)}
        """,
        f"""
        DROP TRIGGER refuse_delete ON public.{table};
        DROP TRIGGER refuse_truncate ON public.{table};
        {_grant("DELETE", table)}
        """,
    )


def writable(table: str, column: str) -> migrations.RunSQL:
    """
    Return a migration operation that lets the product's role write one column of a table whose rows
    stay: a cipher, when keys rotate. A trigger of the table's own says what else must hold.
    """
    return migrations.RunSQL(
        _grant(f"UPDATE ({column})", table), _revoke(f"UPDATE ({column})", table)
    )


def refers(table: str, references: Mapping[str, tuple[str, str]]) -> migrations.RunSQL:
    """
    Return a migration operation that proves the keys of new rows once for each statement.

    `references` maps a name to (condition, table): the row `t` of that table which the new row `n`
    refers to. What a foreign key proves row by row is a third of the time of a large import; the
    tables named must refuse DELETE (docs/decisions/0010-keys-per-statement.md). A missing row is a
    foreign_key_violation.
    """
    columns = sorted({column for on, _ in references.values() for column in _columns(on)})
    joins = " ".join(
        f"LEFT JOIN public.{target} {name} ON {on.replace('t.', f'{name}.')}"
        for name, (on, target) in references.items()
    )
    missing = " ".join(f"WHEN {name} IS NULL THEN '{name}'" for name in references)
    return migrations.RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION public.{table}_refers() RETURNS trigger LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
          v_missing text;
        BEGIN
          SELECT CASE {missing} END INTO v_missing
            FROM (SELECT DISTINCT {", ".join(columns)} FROM new_rows) n {joins}
           WHERE {" OR ".join(f"{name} IS NULL" for name in references)} LIMIT 1;
          IF FOUND THEN
            RAISE EXCEPTION '{table}_refers: there is no such %', v_missing
              USING ERRCODE = 'foreign_key_violation', TABLE = '{table}';
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER refers AFTER INSERT ON public.{table} REFERENCING NEW TABLE AS new_rows
          FOR EACH STATEMENT EXECUTE FUNCTION public.{table}_refers();
        """,
        f"DROP TRIGGER refers ON public.{table}; DROP FUNCTION public.{table}_refers();",
    )


def track(
    table: str, *, mask: Sequence[str] = (), ignore: Sequence[str] = (), key: str = "id"
) -> migrations.RunSQL:
    """
    Return a migration operation that writes every change of a table's rows into the history.

    For configuration and people tables; `key` is the column that names the row. `mask` names
    columns whose values are not copied, `ignore` columns that do not count as a change
    (docs/decisions/0008-history.md).
    """
    marks = [
        f"key:{key}",
        *(f"mask:{name}" for name in mask),
        *(f"ignore:{name}" for name in ignore),
    ]
    arguments = ", ".join(f"'{mark}'" for mark in marks)
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON public.{table}
          FOR EACH ROW EXECUTE FUNCTION public.foundation_history({arguments});
        CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.{table}
          FOR EACH STATEMENT EXECUTE FUNCTION public.foundation_refuse_change();
        """,
        f"""
        DROP TRIGGER history ON public.{table};
        """,
    )


def only_read(table: str) -> migrations.RunSQL:
    """
    Return a migration operation that leaves the product's role only the right to read a table.
    """
    return migrations.RunSQL(
        _revoke("INSERT, UPDATE, DELETE, TRUNCATE", table),
        _grant("INSERT, UPDATE, DELETE", table),
    )


def keep_merchants(using: str, **_: object) -> None:
    """
    Give every table of facts the trigger that refuses another `merchant_id` (after each migrate).

    A table that has it is left alone, so an ordinary migrate takes no lock for it. It is called
    after the row was written: a trigger before it, even if it is not called, locks each row twice.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('public.foundation_keep_merchant()') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return
        cursor.execute(
            "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public'"
            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgname = 'keep_merchant'"
            " AND tgtype & 2 = 0 AND tgrelid = format('public.%I', tablename)::regclass)"
        )
        without = {name for (name,) in cursor.fetchall()}
        for table in sorted(without & fact_tables()):
            cursor.execute(
                "CREATE OR REPLACE TRIGGER keep_merchant AFTER UPDATE OF merchant_id"
                f" ON public.{table}"
                " FOR EACH ROW WHEN (OLD.merchant_id IS DISTINCT FROM NEW.merchant_id)"
                " EXECUTE FUNCTION public.foundation_keep_merchant()"
            )


def fact_tables() -> set[str]:
    """Return the table of every installed fact."""
    models = apps.get_models()
    return {model._meta.db_table for model in models if issubclass(model, Fact)}


def _columns(condition: str) -> list[str]:
    """Return the columns of the new row `n` that a condition names."""
    return re.findall(r"\bn\.(\w+)", condition)


def _revoke(rights: str, table: str) -> str:
    return _for_product(f"REVOKE {rights} ON public.{table} FROM countinghouse_product")


def _grant(rights: str, table: str) -> str:
    return _for_product(f"GRANT {rights} ON public.{table} TO countinghouse_product")


def _for_product(statement: str) -> str:
    """Wrap a statement so that it is left out on a server without the product's role."""
    return f"""
        DO $$ BEGIN
          IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'countinghouse_product') THEN
            {statement};
          END IF;
        END $$;"""

"""The guards that tables of every package share (foundation/sql/guards.sql)."""

from __future__ import annotations

from collections.abc import Sequence

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
        CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.{table}
          FOR EACH STATEMENT EXECUTE FUNCTION public.foundation_refuse_change();
        """,
        f"""
        DROP TRIGGER history ON public.{table};
        DROP TRIGGER refuse_truncate ON public.{table};
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

    A table that has it is left alone, so an ordinary migrate takes no lock for it.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('public.foundation_keep_merchant()') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return
        cursor.execute(
            "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public'"
            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgname = 'keep_merchant'"
            " AND tgrelid = format('public.%I', tablename)::regclass)"
        )
        without = {name for (name,) in cursor.fetchall()}
        for table in sorted(without & fact_tables()):
            cursor.execute(
                f"CREATE TRIGGER keep_merchant BEFORE UPDATE OF merchant_id ON public.{table}"
                " FOR EACH ROW WHEN (OLD.merchant_id IS DISTINCT FROM NEW.merchant_id)"
                " EXECUTE FUNCTION public.foundation_keep_merchant()"
            )


def fact_tables() -> set[str]:
    """Return the table of every installed fact."""
    models = apps.get_models()
    return {model._meta.db_table for model in models if issubclass(model, Fact)}


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

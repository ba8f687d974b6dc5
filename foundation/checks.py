"""System checks: is the role guard on, so that nothing but the ledger's functions writes money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError, connections

TABLES = [
    "ledger_account",
    "ledger_entry",
    "ledger_posting",
    "ledger_posting_line",
    "ledger_hold",
    "ledger_ability",
]
_WRITABLE = """
SELECT c.relname
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s)
   AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        OR pg_has_role(c.relowner, 'USAGE'))
 ORDER BY c.relname
"""


@register(Tags.database)
def check_role_guard(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """
    Warn when the product's own role could write the ledger's tables.

    Part of `check --database default`, of `check --deploy` and of `./run doctor`. A database
    without the ledger's tables has nothing to guard yet.
    """
    if "default" not in (databases or ()):
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute(_WRITABLE, [TABLES])
        writable = [name for (name,) in cursor.fetchall()]
    if not writable:
        return []
    return [
        Warning(
            f"The role guard is off: the role of DATABASE_URL may write {', '.join(writable)}.",
            hint="Give the product a role of its own, other than DATABASE_OWNER_URL's"
            " (config/sql/roles.sql).",
            id="foundation.W001",
        )
    ]


@register(deploy=True)
def check_role_guard_of_deployment(**_: Any) -> list[CheckMessage]:
    """Say the same in `check --deploy`, which asks no database by itself."""
    try:
        return check_role_guard(databases=["default"])
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        return [
            Warning(
                f"The role guard could not be checked: {reason}",
                hint="Run it where DATABASE_URL leads to the database.",
                id="foundation.W002",
            )
        ]

"""System checks: is the role guard on, so that nothing but the ledger's functions writes money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from foundation import crypto
from foundation.models import KeyProof

OLDEST = 15  # PostgreSQL
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
def check_version(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """
    Refuse a PostgreSQL nobody tried; `migrate` asks this before it begins.

    Before 15 everybody could make tables and functions in the schema `public`, beside the ledger's.
    """
    return [
        Error(
            f"PostgreSQL {found // 10_000} is too old: {OLDEST} is the oldest that works.",
            hint="Lead DATABASE_URL and DATABASE_OWNER_URL to PostgreSQL 15, 16, 17 or 18.",
            id="foundation.E003",
        )
        for name in databases or ()
        if (found := _version(name)) < OLDEST * 10_000
    ]


def _version(name: str) -> int:
    """Return a server's version as PostgreSQL counts it: 150020 is 15.20."""
    with connections[name].cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0])


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
        return [*check_version(databases=["default"]), *check_role_guard(databases=["default"])]
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        return [
            Warning(
                f"The role guard could not be checked: {reason}",
                hint="Run it where DATABASE_URL leads to the database.",
                id="foundation.W002",
            )
        ]


@register(Tags.database)
def check_keys(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """
    Say when FIELD_KEYS or LOOKUP_KEY are not those that this database was written with.

    A machine with keys of its own would read nothing, and write what no other machine can read.
    Part of `check --database default`, of `check --deploy` and of `./run doctor`.
    """
    if "default" not in (databases or ()):
        return []
    proof = KeyProof.objects.first()
    if proof is None:
        return []
    found = []
    try:
        proof.encrypted  # noqa: B018  reading decrypts
    except (crypto.KeyUnknown, crypto.Tampered) as error:
        found.append(_misfit("FIELD_KEYS", "foundation.E004", str(error)))
    if bytes(proof.text_hash) != crypto.lookup_hash(KeyProof.TEXT):
        found.append(_misfit("LOOKUP_KEY", "foundation.E005", ""))
    return found


def _misfit(variable: str, name: str, reason: str) -> CheckMessage:
    return Error(
        f"{variable} is not what this database was written with. {reason}".strip(),
        hint="Give every machine the same keys; ./run makes them at random in var/secrets.",
        id=name,
    )


@register(deploy=True)
def check_keys_of_deployment(**_: Any) -> list[CheckMessage]:
    """Say the same in `check --deploy`, which asks no database by itself."""
    try:
        return check_keys(databases=["default"])
    except DatabaseError:
        return []  # W002 says that the database cannot be asked


@register(deploy=True)
def check_second_step(**_: Any) -> list[CheckMessage]:
    """Warn when staff may sign in, or merchants' people may move money, by a password alone."""
    return [
        Warning(
            f"{name} is empty: a password alone opens {what}.",
            hint='MFA_STAFF_ROLES="*" and MFA_PORTAL_ROLES="OWNER,FINANCE" ask for a second step.',
            id="foundation.W003",
        )
        for name, what in (
            ("MFA_STAFF_ROLES", "the administration"),
            ("MFA_PORTAL_ROLES", "merchants' money"),
        )
        if not getattr(settings, name)
    ]


@register(deploy=True)
def check_passwords(**_: Any) -> list[CheckMessage]:
    """Warn when passwords of staff never end, or one that another person knows may stay."""
    return [
        Warning(
            f"{name} is off: {what}.",
            hint="PASSWORD_STAFF_DAYS=90 and PASSWORD_CHANGE_GIVEN=true (docs/rules/sign_in.md).",
            id="foundation.W004",
        )
        for name, what in (
            ("PASSWORD_STAFF_DAYS", "a sign-in password of staff is good for ever"),
            ("PASSWORD_CHANGE_GIVEN", "a password that another person set need not be changed"),
        )
        if not getattr(settings, name)
    ]

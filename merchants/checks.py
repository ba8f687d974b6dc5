"""System checks: are the keys of this machine those that wrote the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from foundation import crypto
from merchants.models import BankAccount


@register(Tags.database)
def check_keys(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """
    Say when FIELD_KEYS or LOOKUP_KEY are not what the newest bank account was written with.

    A machine with keys of its own would read nothing, and write what no other machine can read.
    Part of `check --database default`, of `check --deploy` and of `./run doctor`.
    """
    if "default" not in (databases or ()):
        return []
    account = BankAccount.objects.order_by("-id").first()
    if account is None:
        return []
    try:
        fits = crypto.lookup_hash(str(account.number)) == bytes(account.number_hash)
    except (crypto.KeyUnknown, crypto.Tampered) as error:
        return [_misfit("FIELD_KEYS", "merchants.E001", str(error))]
    return [] if fits else [_misfit("LOOKUP_KEY", "merchants.E002", "")]


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
        return []  # foundation.W002 says that the database cannot be asked

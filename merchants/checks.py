"""System checks: how payment passwords are hashed, with which pepper; whom webhooks may call."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from merchants.models import PaymentPassword
from merchants.services import pepper

_SLOW: Final = ("Argon2PasswordHasher", "ScryptPasswordHasher")
_LEAST: Final = {"time_cost": 2, "memory_cost": 19456, "parallelism": 1}  # OWASP, Argon2id
_PEPPER_LETTERS: Final = 16


@register(Tags.database)
def check_peppers(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Say when payment passwords need a pepper that this machine does not have (VER-4)."""
    if "default" not in (databases or ()):
        return []
    known = ["", *(pepper.name(one) for one in pepper.known())]
    if not PaymentPassword.objects.exclude(pepper__in=known).exists():
        return []
    return [
        Error(
            "PASSWORD_PEPPER is not what this database was written with."
            " PASSWORD_PEPPERS_FORMER lacks one.",
            hint="Give every machine the same; ./run makes it at random in var/secrets.",
            id="merchants.E003",
        )
    ]


@register(Tags.security)
def check_hashing(**_: Any) -> list[CheckMessage]:
    """
    Refuse fast hashes, cheap Argon2 and a short pepper: MD5 and SHA-1 are no settings here (S2-09).
    """
    found: list[CheckMessage] = []
    for hasher in settings.PASSWORD_HASHERS:
        if hasher.rpartition(".")[2] not in _SLOW:
            message = f"PASSWORD_HASHERS: {hasher} is no slow hash with a salt."
            found.append(Error(message, id="merchants.E004"))
    cost = settings.PAYMENT_PASSWORD_ARGON2
    if set(cost) != set(_LEAST) or any(cost[name] < least for name, least in _LEAST.items()):
        message = f"PAYMENT_PASSWORD_ARGON2 must be at least {_LEAST}."
        found.append(Error(message, id="merchants.E005"))
    if any(len(one) < _PEPPER_LETTERS for one in pepper.known()):
        message = f"A pepper has at least {_PEPPER_LETTERS} letters."
        found.append(Error(message, id="merchants.E006"))
    return found


@register(Tags.security, deploy=True)
def check_webhooks(**_: Any) -> list[CheckMessage]:
    """Refuse a deployment that calls its own machine, or an unreadable network (WHK-4)."""
    found: list[CheckMessage] = []
    if settings.WEBHOOK_LOCAL:
        message = "WEBHOOK_LOCAL lets webhooks call this machine: it is for development alone."
        found.append(Error(message, id="merchants.E007"))
    for text in settings.WEBHOOK_REFUSED_NETWORKS:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            message = f"WEBHOOK_REFUSED_NETWORKS: {text!r} is no network in CIDR form."
            found.append(Error(message, id="merchants.E008"))
    return found


@register(deploy=True)
def check_peppers_of_deployment(**_: Any) -> list[CheckMessage]:
    """Say the same in `check --deploy`, which asks no database by itself."""
    try:
        return check_peppers(databases=["default"])
    except DatabaseError:
        return []  # foundation.W002 says that the database cannot be asked

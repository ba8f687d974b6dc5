"""Reading second factors: what an account has, and whether it must have one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings

from foundation import mfa, registries
from foundation.models import User

EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Factor:
    """One second factor as its owner sees it: never its secret."""

    id: int
    kind: str  # "totp" or "webauthn"
    name: str
    created_at: datetime
    last_used_at: datetime | None


def of_user(*, user: User) -> list[Factor]:
    """Return the account's apps and passkeys, oldest first; recovery codes are none."""
    rows = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES)
    return [
        Factor(row.pk, str(row.type), row.data.get("name", ""), row.created_at, row.last_used_at)
        for row in rows.order_by("id")
    ]


def has_any(*, user: User) -> bool:
    """Return whether the account has an app or a passkey."""
    rows = Authenticator.objects.filter(user=user)
    return bool(rows.exclude(type=Authenticator.Type.RECOVERY_CODES).exists())


def codes_left(*, user: User) -> int:
    """Return how many recovery codes are not used yet."""
    row = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    if row is None:
        return 0
    with mfa.secrets_of(user.pk):
        return len(row.wrap().get_unused_codes())


def must_have(*, user: User) -> bool:
    """
    Return whether a role of the account makes a second step compulsory.

    MFA_STAFF_ROLES names roles of staff, "*" all of them; a superuser is in every list that is not
    empty. For merchants' people higher floors answer (registries.second_factor_rules). Rule: SIG-5.
    """
    if not (user.is_staff or user.is_superuser):
        return any(rule(user) for rule in registries.second_factor_rules)
    roles = set(settings.MFA_STAFF_ROLES)
    if not roles:
        return False
    if EVERYBODY in roles or user.is_superuser:
        return True
    return user.groups.filter(name__in=roles).exists()


def who_have(*, users: Iterable[UUID]) -> set[UUID]:
    """Return which of these accounts have an app or a passkey; one query for all of them."""
    rows = Authenticator.objects.filter(user_id__in=list(users))
    rows = rows.exclude(type=Authenticator.Type.RECOVERY_CODES)
    return set(rows.values_list("user_id", flat=True))

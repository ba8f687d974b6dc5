"""Reading about accounts of staff: their roles, who can decide on them, who has no password yet."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q, QuerySet

from foundation import roles
from foundation.models import User

DECIDES: Final = "foundation.approve_staffaccount"
WAITING: Final = Q(
    is_active=True, is_staff=True, password__startswith=UNUSABLE_PASSWORD_PREFIX
)  # as `waits_for_password`
_HELD: Final = Q(groups__permissions__codename=DECIDES.partition(".")[2]) | Q(is_superuser=True)


def roles_of(user: User) -> list[str]:
    """Return the roles an account has, in the order of the table."""
    held = set(user.groups.values_list("name", flat=True))
    return [name for name in roles.ROLES if name in held]


def deciders() -> QuerySet[User]:
    """Return the accounts that can sign in and decide on accounts of staff."""
    able = User.objects.filter(_HELD, is_active=True, is_staff=True)
    return able.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).distinct()


def waits_for_password(user: User) -> bool:
    """Return whether an account of staff is on, and its owner has not set its password yet."""
    return user.is_active and user.is_staff and not user.has_usable_password()

"""Reading memberships."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from foundation.models import User
from merchants.models import Membership


def of_user(*, user: User) -> QuerySet[Membership]:
    """Return the active memberships of a user with their merchants, by merchant number."""
    return (
        Membership.objects.filter(user=user, active=True)
        .select_related("merchant")
        .order_by("merchant__merchant_no")
    )


def needs_second_factor(user: User) -> bool:
    """
    Return whether a role with some merchant makes the second step of signing in compulsory.

    MFA_PORTAL_ROLES names the roles, "*" all of them (registries.second_factor_rules, SIG-5).
    """
    roles = set(settings.MFA_PORTAL_ROLES)
    if not roles:
        return False
    held = Membership.objects.filter(user=user, active=True)
    return (held if "*" in roles else held.filter(role__in=roles)).exists()

"""Reading memberships."""

from __future__ import annotations

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

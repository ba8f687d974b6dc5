"""Which rights are lent to whom at a moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from foundation.models import Delegation, User


def in_force(at: datetime) -> QuerySet[Delegation]:
    """Return the delegations whose span holds the moment and which nobody ended."""
    return Delegation.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=at), starts_at__lte=at, ends_at__gt=at
    )


def lent(*, to: User, permissions: Iterable[str], at: datetime) -> list[Delegation]:
    """
    Return what is lent to somebody of these rights, by people who hold them themselves.

    A right that was lent is not held, so nothing is lent on; who left or lost the right lends
    nothing any more. Rule: AP-8 (docs/rules/approvals.md).
    """
    found = in_force(at).filter(
        delegate=to, delegate_person=to.person_id, permission__in=list(permissions)
    )
    return [
        one
        for one in found.select_related("delegator").order_by("id")
        if one.delegator.is_active and one.delegator.has_perm(one.permission)
    ]

"""Reading custom roles."""

from __future__ import annotations

from django.db.models import QuerySet

from merchants.models import CustomRole


def of_merchant(*, merchant_id: int) -> QuerySet[CustomRole]:
    """Return a merchant's roles, those in use first, by name."""
    return CustomRole.objects.filter(merchant_id=merchant_id).order_by("-active", "name")

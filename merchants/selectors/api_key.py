"""Reading API keys."""

from __future__ import annotations

from django.db.models import QuerySet

from merchants.models import ApiKey


def of_merchant(*, merchant_id: int) -> QuerySet[ApiKey]:
    """Return a merchant's keys, those in use first, latest first."""
    return ApiKey.objects.filter(merchant_id=merchant_id).order_by("-active", "-created_at", "-id")

"""Reading invitations."""

from __future__ import annotations

from django.db.models import QuerySet

from merchants.models import Invitation


def open_of(*, merchant_id: int) -> QuerySet[Invitation]:
    """Return what is neither accepted nor withdrawn, latest first; it may have expired."""
    return (
        Invitation.objects.filter(merchant_id=merchant_id, accepted_at=None, withdrawn_at=None)
        .select_related("custom_role", "invited_by")
        .order_by("-invited_at", "-id")
    )

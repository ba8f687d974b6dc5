"""Reading about what others are to confirm."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from foundation import registries
from foundation.money import Money
from merchants.models import Confirmation, VerificationRequest


def of_merchant(*, merchant_id: int) -> QuerySet[Confirmation]:
    """Return what a merchant's people asked others to confirm, latest first."""
    return (
        Confirmation.objects.filter(merchant_id=merchant_id)
        .select_related("verification__user__person", "decided_by")
        .order_by("-asked_at", "-id")
    )


def shown_to(
    *, rows: Iterable[Confirmation], abilities: Iterable[str], person_id: UUID
) -> list[Confirmation]:
    """Keep what a person may see: his own, and what he could do himself."""
    mine = {str(one) for one in abilities}
    return [
        row
        for row in rows
        if row.verification.user.person_id == person_id
        or mine.intersection(
            registries.verified_operations.get(row.verification.operation).abilities
        )
    ]


def act_of(request: VerificationRequest) -> tuple[str, Money, str]:
    """Return what a request is for: the operation by its name, the amount, the payee masked."""
    operation = registries.verified_operations.get(request.operation)
    payee = operation.payee(merchant_id=request.merchant_id, payee=request.payee)
    return str(operation.title), Money(request.amount_minor, request.currency), payee


def payee_title(*, merchant_id: int, payee: str) -> str:
    """Say what a colleague confirms, for the payee of his own verification (a request number)."""
    request = (
        VerificationRequest.objects.filter(merchant_id=merchant_id, number=payee)
        .select_related("user")
        .first()
    )
    if request is None:
        return ""
    operation, _amount, whom = act_of(request)
    return f"{request.user.get_username()}: {operation} {whom}".strip()

"""Reading bank accounts."""

from __future__ import annotations

from uuid import UUID

from merchants.models import BankAccount


def payees(*, merchant_id: int) -> list[BankAccount]:
    """Return the accounts that a merchant's money may be paid to: verified and approved."""
    return list(
        BankAccount.objects.filter(
            merchant_id=merchant_id, status=BankAccount.Status.VERIFIED, approved_payee=True
        )
        .defer("number")
        .order_by("currency", "id")
    )


def by_uuid(*, merchant_id: int, uuid: UUID) -> BankAccount | None:
    """Return a merchant's account by its outward name, None if it is not his."""
    return BankAccount.objects.filter(merchant_id=merchant_id, uuid=uuid).defer("number").first()

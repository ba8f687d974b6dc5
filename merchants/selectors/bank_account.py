"""Reading bank accounts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from foundation.models import Approval
from merchants.models import BankAccount


def payees(*, merchant_id: int, at: datetime) -> list[BankAccount]:
    """Return the accounts that may be paid to now: verified, approved, cooled, not replaced."""
    return [account for account in _approved(merchant_id) if account.is_usable(at)]


def cooling(*, merchant_id: int, at: datetime) -> list[BankAccount]:
    """Return the approved accounts that can be used later on."""
    return [
        account
        for account in _approved(merchant_id)
        if account.usable_from is not None and at < account.usable_from
    ]


def of_merchant(*, merchant_id: int) -> list[BankAccount]:
    """Return a merchant's accounts, latest first, at most 200."""
    found = BankAccount.objects.filter(merchant_id=merchant_id).defer("number")
    return list(found.select_related("replaces").order_by("-id")[:200])


def waiting(*, merchant_id: int) -> set[int]:
    """Return the ids of the accounts that a second person is to decide on."""
    open_ones = Approval.objects.filter(
        merchant_id=merchant_id,
        action="merchants.bank_account_approve",
        state=Approval.State.PROPOSED,
    )
    return {proposal.after["bank_account_id"] for proposal in open_ones[:200]}


def _approved(merchant_id: int) -> list[BankAccount]:
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

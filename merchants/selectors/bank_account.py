"""Reading bank accounts."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from foundation.models import Approval
from merchants.models import ApplicationOwner, BankAccount, Membership, Merchant
from merchants.models.application import AccountKind
from merchants.selectors import application as applications


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


def holders(*, merchant_ids: Collection[int]) -> dict[tuple[int, str], set[str]]:
    """
    Return, by merchant and kind of account, in whose names an account may be, folded: a company
    account in the merchant's, a card in that of a legal representative, else of an owner. MER-8.
    """
    found: dict[tuple[int, str], set[str]] = {
        (one.id, AccountKind.CORPORATE.value): {folded(one.name)}
        for one in Merchant.objects.filter(id__in=merchant_ids)
    }
    agreed = applications.in_force(merchant_ids)
    representatives = ApplicationOwner.objects.filter(
        application_id__in=agreed, legal_representative=True
    )
    for application_id, name in representatives.values_list("application_id", "name"):
        key = (agreed[application_id], AccountKind.CARD.value)
        found.setdefault(key, set()).add(folded(name))
    without = {one for one in merchant_ids if (one, AccountKind.CARD.value) not in found}
    owners = Membership.objects.filter(
        merchant_id__in=without, role=Membership.Role.OWNER, active=True
    )
    for merchant_id, name in owners.values_list("merchant_id", "user__person__name"):
        found.setdefault((merchant_id, AccountKind.CARD.value), set()).add(folded(name))
    return found


def folded(name: str) -> str:
    """Return a name to be compared: without blanks, width and case."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()

"""Bank accounts of merchants: adding, verifying, the list of approved payees, switching off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Malformed, NotFound
from foundation import actor, crypto, money, registries
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from foundation.services import audit
from foundation.services.attachment import NewAttachment
from merchants.models import BankAccount

APPROVE: Final = "merchants.bank_account_approve"
_NUMBER: Final = re.compile(r"[0-9A-Z]{5,34}")


class BankAccountMalformed(Malformed):
    """The number, holder or bank of an account has the wrong shape."""

    code = "bank_account_malformed"


class BankAccountDisabled(DomainError):
    """The account is switched off; it cannot be verified or paid to."""

    code = "bank_account_disabled"


class HolderDiffers(DomainError):
    """The same number is known with another holder."""

    code = "bank_account_holder_differs"


@dataclass(frozen=True, slots=True)
class Added:
    """The account, and whether this call made it."""

    account: BankAccount
    created: bool


def canonical_number(text: str) -> str:
    """Return a number without blanks and hyphens, in capitals. Raises BankAccountMalformed."""
    number = re.sub(r"[ -]", "", text).upper()
    if not _NUMBER.fullmatch(number):
        raise BankAccountMalformed(
            _("An account number has 5 to 34 digits or letters."), field="number"
        )
    return number


def add(
    *,
    merchant_id: int,
    number: str,
    holder: str,
    bank_name: str,
    currency: str,
    at: datetime,
    bank_code: str = "",
) -> Added:
    """
    Add an account, not verified, or return the one with this number and currency.

    Raises: BankAccountMalformed, CurrencyUnknown; HolderDiffers when the number is known otherwise.
    Rule:   MER-5 (docs/rules/merchants.md).
    """
    number = canonical_number(number)
    money.exponent(currency)
    for field, value in (("holder", holder), ("bank_name", bank_name)):
        if not 0 < len(value.strip()) <= 200 or not value.isprintable():
            raise BankAccountMalformed(_("A name of 1 to 200 letters is needed."), field=field)
    with transaction.atomic():
        actor.stamp_transaction()
        account, created = BankAccount.objects.get_or_create(
            merchant_id=merchant_id,
            number_hash=crypto.lookup_hash(number),
            currency=currency,
            defaults={
                "number": number,
                "number_masked": crypto.mask(number),
                "holder": holder.strip(),
                "bank_name": bank_name.strip(),
                "bank_code": bank_code.strip(),
                "created_at": at,
            },
        )
        if created:
            _record(account, "bank_account.add", None)
    if account.holder != holder.strip():
        raise HolderDiffers(
            _("Account %(number)s is known with another holder.")
            % {"number": account.number_masked}
        )
    return Added(account, created)


def verify(
    *, merchant_id: int, bank_account_id: int, approved_payee: bool, note: str, at: datetime
) -> BankAccount:
    """
    Mark an account as proved to be the merchant's, and put it on the approved list if asked.

    Called by an approval (two persons) or by an operator's command on the server; audited.
    Announces `bank_account_verified` when it was not verified before.

    Raises: NotFound, BankAccountDisabled.
    Rule:   MER-6.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        account = _locked(merchant_id, bank_account_id)
        if account.status == BankAccount.Status.DISABLED:
            raise BankAccountDisabled(
                _("Account %(number)s is switched off.") % {"number": account.number_masked}
            )
        before, fresh = _state(account), account.status != BankAccount.Status.VERIFIED
        if not fresh and account.approved_payee >= approved_payee:
            return account
        account.status = BankAccount.Status.VERIFIED
        account.verified_at = account.verified_at or at
        account.approved_payee = account.approved_payee or approved_payee
        account.save(update_fields=["status", "verified_at", "approved_payee"])
        _record(account, "bank_account.verify", before, note)
        if fresh:
            registries.announce(
                "bank_account_verified",
                merchant_ids=[merchant_id],
                payload={"bank_account_id": bank_account_id},
            )
    return account


def disable(*, merchant_id: int, bank_account_id: int, note: str) -> BankAccount:
    """
    Switch an account off: nothing new is paid to it. Switching off needs one person, on is for two.

    Raises: NotFound.
    Rule:   MER-6.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        account = _locked(merchant_id, bank_account_id)
        if account.status == BankAccount.Status.DISABLED:
            return account
        before = _state(account)
        account.status, account.approved_payee = BankAccount.Status.DISABLED, False
        account.save(update_fields=["status", "approved_payee"])
        _record(account, "bank_account.disable", before, note)
    return account


def propose(
    *,
    merchant_id: int,
    bank_account_id: int,
    approved_payee: bool,
    reason: str,
    maker: User,
    at: datetime,
    expires_at: datetime,
    attachments: Sequence[NewAttachment] = (),
) -> Approval:
    """
    Propose to verify an account (and to approve it as payee); another person decides.

    Raises: NotFound, AlreadyProposed.
    Rule:   MER-6, AP-1.
    """
    account = _find(merchant_id, bank_account_id)
    return approvals.propose(
        action=APPROVE,
        merchant_id=merchant_id,
        subject=f"bank_account:{account.id}",
        before=_state(account),
        after={
            "bank_account_id": account.id,
            "status": str(BankAccount.Status.VERIFIED),
            "approved_payee": approved_payee,
        },
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=expires_at,
        attachments=attachments,
    )


def _apply(approval: Approval, at: datetime) -> None:
    verify(
        merchant_id=approval.merchant_id,
        bank_account_id=approval.after["bank_account_id"],
        approved_payee=approval.after["approved_payee"],
        note=approval.reason,
        at=at,
    )


def _describe(approval: Approval) -> str:
    words = {"number": approval.before["number"], "holder": approval.before["holder"]}
    return _("Verify the bank account %(number)s of %(holder)s") % words


APPROVAL_ACTION: Final = ApprovalAction(
    APPROVE,
    _apply,
    _describe,
    permission="merchants.approve_bankaccount",
    title=gettext_lazy("Bank account"),
    risk=Risk.HIGH,
)


def _find(merchant_id: int, bank_account_id: int) -> BankAccount:
    try:
        return BankAccount.objects.get(merchant_id=merchant_id, id=bank_account_id)
    except BankAccount.DoesNotExist:
        raise NotFound(_("There is no such bank account.")) from None


def _locked(merchant_id: int, bank_account_id: int) -> BankAccount:
    _find(merchant_id, bank_account_id)
    return BankAccount.objects.select_for_update().get(merchant_id=merchant_id, id=bank_account_id)


def _state(account: BankAccount) -> dict[str, Any]:
    return {
        "number": account.number_masked,
        "holder": account.holder,
        "bank": account.bank_name,
        "currency": account.currency,
        "status": str(account.status),
        "approved_payee": account.approved_payee,
    }


def _record(
    account: BankAccount, action: str, before: dict[str, Any] | None, note: str = ""
) -> None:
    audit.record(
        merchant_id=account.merchant_id,
        action=action,
        object_kind="bank_account",
        object_id=str(account.id),
        before=before,
        after=_state(account),
        note=note,
    )

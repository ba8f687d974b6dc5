"""Whom we may pay now, and payees to whom nothing new is paid until people decided."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import crypto, sql
from merchants.models import BankAccount, Merchant
from settlement.models import PayeeBlock, PayoutAttempt

# In these a merchant withdraws and is paid; settlement_require_payable says the same (MST-5).
PAYABLE: Final = (Merchant.Status.ACTIVE, Merchant.Status.CLOSING)


class MerchantNotActive(DomainError):
    """Only an active merchant withdraws."""

    code = "merchant_not_active"


class PayeeRefused(DomainError):
    """The bank account cannot be paid to: not verified, not approved, switched off or blocked."""

    code = "payee_refused"


def require_merchant(*, merchant_id: int) -> None:
    """
    Refuse a merchant that may not be paid, and keep it as it is until the transaction ends: it is
    frozen before this or after it. Raises MerchantNotActive. Rule: MST-5.
    """
    (found,) = sql.rows(
        "SELECT merchant_no, kind, status FROM merchants_merchant WHERE id = %s FOR SHARE",
        [merchant_id],
    )
    if found["kind"] != Merchant.Kind.MERCHANT or found["status"] not in PAYABLE:
        raise MerchantNotActive(
            _("%(merchant)s is %(status)s and cannot withdraw.")
            % {
                "merchant": found["merchant_no"],
                "status": Merchant.Status(found["status"]).label,
            }
        )


def require_payable(*, merchant_id: int, bank_account_id: int) -> BankAccount:
    """Return the bank account if merchant and account may be paid now. Raises as `request`."""
    require_merchant(merchant_id=merchant_id)
    account = BankAccount.objects.filter(merchant_id=merchant_id, id=bank_account_id).first()
    if account is None:
        raise NotFound(_("There is no such bank account."))
    if account.status != BankAccount.Status.VERIFIED or not account.approved_payee:
        raise PayeeRefused(
            _("The account %(number)s is not verified and approved.")
            % {"number": account.number_masked}
        )
    if is_blocked(merchant_id=merchant_id, bank_account_id=bank_account_id):
        raise PayeeRefused(
            _("Payments to %(number)s are stopped until a case is decided.")
            % {"number": account.number_masked}
        )
    if crypto.lookup_hash(str(account.number)) != bytes(account.number_hash):
        raise PayeeRefused(
            _("The account %(number)s does not hold the number that was verified.")
            % {"number": account.number_masked}
        )
    return account


def require_usable(account: BankAccount, *, at: datetime) -> None:
    """
    Refuse a new withdrawal to an account that still cools or was replaced. What was asked for
    before still goes out. Raises PayeeRefused. Rule: WD-3, MER-9.
    """
    if account.is_usable(at):
        return
    if account.usable_from is not None and at < account.usable_from:
        raise PayeeRefused(
            _("The account %(number)s can be used from %(when)s.")
            % {
                "number": account.number_masked,
                "when": f"{timezone.localtime(account.usable_from):%Y-%m-%d %H:%M}",
            }
        )
    raise PayeeRefused(
        _("The account %(number)s was replaced by another one.") % {"number": account.number_masked}
    )


def block(attempt: PayoutAttempt, *, at: datetime) -> None:
    """Let nothing new be paid to this attempt's bank account. Rule: PO-8."""
    PayeeBlock.objects.get_or_create(
        merchant_id=attempt.merchant_id,
        attempt=attempt,
        defaults={"bank_account_id": attempt.withdrawal.bank_account_id, "blocked_at": at},
    )


def lift(attempt: PayoutAttempt, *, at: datetime) -> None:
    """End the block this attempt caused; only the decision of two persons does that."""
    PayeeBlock.objects.filter(
        merchant_id=attempt.merchant_id, attempt=attempt, lifted_at=None
    ).update(lifted_at=at)


def is_blocked(*, merchant_id: int, bank_account_id: int) -> bool:
    """Return whether something stands against paying to this bank account."""
    return PayeeBlock.objects.filter(
        merchant_id=merchant_id, bank_account_id=bank_account_id, lifted_at=None
    ).exists()

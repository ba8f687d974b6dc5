"""Bank accounts of merchants: adding, verifying, the list of approved payees, switching off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
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
from merchants.services import owner_notice

APPROVE: Final = "merchants.bank_account_approve"
_NUMBER: Final = re.compile(r"[0-9A-Z]{5,34}")


class BankAccountMalformed(Malformed):
    """The number, holder or bank of an account has the wrong shape."""

    code = "bank_account_malformed"


class BankAccountDisabled(DomainError):
    """The account is switched off; it cannot be verified or paid to."""

    code = "bank_account_disabled"


class NotAgreed(DomainError):
    """There was a proposal about the account, and the latest one was not approved."""

    code = "bank_account_not_agreed"


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
    *,
    merchant_id: int,
    bank_account_id: int,
    approved_payee: bool,
    note: str,
    at: datetime,
    cooling: timedelta = timedelta(0),
) -> BankAccount:
    """
    Mark an account as proved to be the merchant's, and put it on the approved list if asked.

    Called by an approval (two persons) or by an operator's command on the server; audited. It can
    be used after `cooling`, and until then the one it replaces. Announces `bank_account_verified`
    when it was not verified before, `bank_account_replaced` for the other.

    Raises: NotFound, BankAccountDisabled, NotAgreed.
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
        _require_agreed(account, approved_payee)
        account.status = BankAccount.Status.VERIFIED
        account.verified_at = account.verified_at or at
        account.approved_payee = account.approved_payee or approved_payee
        if cooling and fresh:
            account.usable_from = at + cooling
        account.save(update_fields=["status", "verified_at", "approved_payee", "usable_from"])
        _record(account, "bank_account.verify", before, note)
        if fresh:
            _announce("bank_account_verified", account, at)
            if account.replaces_id is not None:
                _replace(merchant_id, account.replaces_id, account.usable_from or at, at)
    return account


def _require_agreed(account: BankAccount, approved_payee: bool) -> None:
    """Refuse what the latest proposal about an account, if there was any, does not say."""
    said = proposals(account).order_by("-id").first()
    if said is None:
        return
    agreed = said.state == Approval.State.APPROVED
    if not agreed or (approved_payee and not said.after["approved_payee"]):
        raise NotAgreed(
            _("The latest proposal about account %(number)s is not approved.")
            % {"number": account.number_masked}
        )


def proposals(account: BankAccount) -> QuerySet[Approval]:
    """Return the proposals about an account."""
    return Approval.objects.filter(
        merchant_id=account.merchant_id, action=APPROVE, subject=_subject(account)
    )


def _subject(account: BankAccount) -> str:
    return f"bank_account:{account.id}"


def _replace(merchant_id: int, former_id: int, until: datetime, at: datetime) -> None:
    """End the use of a former account at the moment in which the one in its place can be used."""
    former = _locked(merchant_id, former_id)
    before, former.usable_until = _state(former), until
    former.save(update_fields=["usable_until"])
    _record(former, "bank_account.replace", before)
    _announce("bank_account_replaced", former, at)


def _announce(event: str, account: BankAccount, at: datetime) -> None:
    registries.announce(
        event, merchant_ids=[account.merchant_id], payload={"bank_account_id": account.id, "at": at}
    )


def disable(*, merchant_id: int, bank_account_id: int, note: str, at: datetime) -> BankAccount:
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
        _announce("bank_account_disabled", account, at)
        owner_notice.promise("disabled", merchant_id=merchant_id, bank_account_id=bank_account_id)
        if account.replaces_id is not None and account.usable_from is not None:
            former = BankAccount.objects.filter(
                merchant_id=merchant_id, id=account.replaces_id, usable_until=account.usable_from
            )
            if not account.is_usable(at):
                former.update(usable_until=None)  # the one that was to come in its place is gone
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
        subject=_subject(account),
        before=_state(account),
        after={
            "bank_account_id": account.id,
            "status": str(BankAccount.Status.VERIFIED),
            "approved_payee": approved_payee,
            "cooling_hours": settings.BANK_ACCOUNT_COOLING_HOURS,
            "used_by_other_merchants": _elsewhere(account),
            "in_place_of": "" if account.replaces is None else str(account.replaces),
        },
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=expires_at,
        attachments=attachments,
    )


def _elsewhere(account: BankAccount) -> int:
    """Return how many other merchants have the same number: a checker wants to know."""
    others = BankAccount.objects.filter(number_hash=account.number_hash)
    return others.exclude(merchant_id=account.merchant_id).count()


def _apply(approval: Approval, at: datetime) -> None:
    verify(
        merchant_id=approval.merchant_id,
        bank_account_id=approval.after["bank_account_id"],
        approved_payee=approval.after["approved_payee"],
        note=approval.reason,
        at=at,
        cooling=timedelta(hours=approval.after.get("cooling_hours", 0)),
    )
    owner_notice.promise(
        "approved",
        merchant_id=approval.merchant_id,
        bank_account_id=approval.after["bank_account_id"],
    )


def _refused(approval: Approval, at: datetime) -> None:
    if approval.state == Approval.State.REJECTED:
        owner_notice.promise(
            "refused",
            merchant_id=approval.merchant_id,
            bank_account_id=approval.after["bank_account_id"],
        )


def _describe(approval: Approval) -> str:
    words = {"number": approval.before["number"], "holder": approval.before["holder"]}
    return _("Verify the bank account %(number)s of %(holder)s") % words


APPROVAL_ACTION: Final = ApprovalAction(
    APPROVE,
    _apply,
    _describe,
    refuse=_refused,
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
        "bank_code": account.bank_code,
        "currency": account.currency,
        "status": str(account.status),
        "approved_payee": account.approved_payee,
        "usable_from": account.usable_from,
        "usable_until": account.usable_until,
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

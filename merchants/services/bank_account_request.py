"""A merchant's person asks for a bank account, in place of another or beside it (MER-8)."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, NotFound
from foundation import actor, crypto
from foundation.models import Approval, User
from foundation.money import Money
from foundation.services import approval as approvals
from merchants.models import BankAccount
from merchants.models.application import AccountKind
from merchants.selectors import bank_account as accounts
from merchants.services import application_check as checks
from merchants.services import bank_account as bank_accounts
from merchants.services import owner_notice
from merchants.services import verification_token as tokens

ADD: Final = "bank_account.add"
CHANGE: Final = "bank_account.change"
DECIDE_WITHIN: Final = timedelta(days=7)
NOTHING: Final = Money(0, "CNY")  # a request moves no money


class HolderForeign(DomainError):
    """The account is in the name of somebody else than the merchant or who may stand for it."""

    code = "bank_account_holder_foreign"
    field = "holder"


class AccountKnown(DomainError):
    """The merchant has this account already, or had it and switched it off."""

    code = "bank_account_known"
    field = "number"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account as it was asked for, checked and in its one form (`wanted`)."""

    merchant_id: int
    kind: str
    number: str = field(repr=False)
    holder: str
    bank_name: str
    bank_code: str
    currency: str
    replaces: BankAccount | None = None

    @property
    def operation(self) -> str:
        """Which operation it is: adding one or changing one."""
        return ADD if self.replaces is None else CHANGE

    @property
    def payee(self) -> str:
        """Name exactly this account for a token: the masked number, and a keyed hash of it all."""
        former = "" if self.replaces is None else str(self.replaces.uuid)
        parts = [self.kind, self.number, self.holder, self.bank_name, self.bank_code, self.currency]
        sealed = crypto.lookup_hash(json.dumps([*parts, former]))
        return f"{crypto.mask(self.number)} {sealed.hex()}"


def payee_title(*, merchant_id: int, payee: str) -> str:
    """Return the masked number that a token's payee begins with."""
    return payee.rpartition(" ")[0]


def wanted(
    *,
    merchant_id: int,
    kind: str,
    number: str,
    holder: str,
    bank_name: str,
    bank_code: str,
    currency: str,
    replaces: BankAccount | None = None,
) -> Wanted:
    """
    Check what is asked for: check digits (Luhn of a card, ISO 7064 of a CNAPS number), the holder,
    and that it is new.

    Raises: NumberMalformed, BankAccountMalformed, HolderForeign, AccountKnown, NotFound.
    Rule:   MER-8 (docs/rules/merchants.md).
    """
    number = checks.account(number, kind)
    code = checks.bank_code(bank_code) if bank_code.strip() else ""
    names = accounts.holders(merchant_ids=[merchant_id])
    require_own_holder(kind, holder, names.get((merchant_id, kind), set()))
    if replaces is not None and (
        replaces.merchant_id != merchant_id
        or replaces.currency != currency
        or not replaces.approved_payee
    ):
        raise NotFound(_("There is no such bank account."))
    known = BankAccount.objects.filter(
        merchant_id=merchant_id, number_hash=crypto.lookup_hash(number), currency=currency
    ).first()
    if known is not None and known.status != BankAccount.Status.UNVERIFIED:
        raise AccountKnown(
            _("Account %(number)s is known: %(status)s.")
            % {"number": known.number_masked, "status": known.get_status_display()}
        )
    return Wanted(
        merchant_id,
        kind,
        number,
        holder.strip(),
        bank_name.strip(),
        code,
        currency,
        replaces,
    )


def request(*, asked: Wanted, user: User, token: str, at: datetime) -> BankAccount:
    """
    Write the account, not verified, and propose it; staff decide, and then it cools.

    The token is used up for exactly this account, in the same transaction.
    Raises: TokenRefused, Forbidden, AlreadyProposed, HolderDiffers, BankAccountMalformed.
    Rule:   MER-8, MER-9.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        tokens.consume(
            merchant_id=asked.merchant_id,
            user=user,
            token=token,
            operation=asked.operation,
            amount=NOTHING,
            payee=asked.payee,
            at=at,
        )
        return ask(asked=asked, user=user, reason=_("Asked for in the portal."), at=at)


def ask(*, asked: Wanted, user: User, reason: str, at: datetime) -> BankAccount:
    """
    Write the account and propose it, for who has proved that he may ask: `request` by a token,
    staff by their right to import. Raises as `request`. Rule: MER-8, MER-9, MER-13.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        account = bank_accounts.add(
            merchant_id=asked.merchant_id,
            number=asked.number,
            holder=asked.holder,
            bank_name=asked.bank_name,
            bank_code=asked.bank_code,
            currency=asked.currency,
            at=at,
        ).account
        if bank_accounts.proposals(account).filter(state=Approval.State.PROPOSED).exists():
            raise approvals.AlreadyProposed(_("This account waits for a checker already."))
        account.requested_by, account.replaces = user, asked.replaces
        account.bank_name, account.bank_code = asked.bank_name, asked.bank_code  # put right, maybe
        account.save(update_fields=["requested_by", "replaces", "bank_name", "bank_code"])
        bank_accounts.propose(
            merchant_id=asked.merchant_id,
            bank_account_id=account.id,
            approved_payee=True,
            reason=reason,
            maker=user,
            at=at,
            expires_at=at + DECIDE_WITHIN,
        )
        owner_notice.promise("requested", merchant_id=asked.merchant_id, bank_account_id=account.id)
    return account


def require_own_holder(kind: str, holder: str, names: Collection[str]) -> None:
    """
    Refuse an account in a name that is none of the folded `names` (selectors.bank_account.holders).

    Raises HolderForeign. Rule: MER-8.
    """
    if accounts.folded(holder) not in names:
        raise HolderForeign(
            _("A card must be in the name of the legal representative or an owner.")
            if kind == AccountKind.CARD
            else _("A company account must be in the name of the merchant.")
        )

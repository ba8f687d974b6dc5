"""Withdrawals: asking for money, cancelling. What becomes of the money is payout's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Forbidden, Malformed, NotFound
from foundation import actor, clock, sql
from foundation.models import User
from foundation.money import Money, most_minor
from foundation.retry import retried
from foundation.verification import VerifiedOperation
from ledger.services import account as accounts
from ledger.services import hold as holds
from merchants.models import Ability, ApiKey, BankAccount, Capability, Scope
from merchants.selectors import capability as capabilities
from merchants.services import membership as memberships
from merchants.services import verification_token as tokens
from settlement.models import Item, PayoutAttempt, StandingInstruction, Withdrawal
from settlement.services import item as items
from settlement.services import payee as payees
from settlement.services import payout_case as cases
from settlement.services import payout_fee, withdrawal_review
from settlement.services.payee import PayeeRefused
from settlement.services.transition import (
    born_withdrawal,
    lock_withdrawal,
    move_withdrawal,
    queue_withdrawal,
    release_withdrawal,
)

Status = Withdrawal.Status
OPERATION: Final = "withdrawal"  # as verification tokens name it
_ORDER_NO: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")


_RACED: Final = (
    "withdrawal_order_no",
    "withdrawal_item",
    "settlement.not_payable",
    "settlement.no_authority",
    "settlement.not_approved",
)


class OrderNumberMalformed(Malformed):
    """An order number is 1 to 64 letters, digits or _ . : / - and begins with none of these."""

    code = "order_no_malformed"


class AmountRefused(Malformed):
    """A withdrawal is more than nothing and at most what we keep."""

    code = "amount_refused"


class OrderNumberReused(DomainError):
    """The merchant used this order number for another withdrawal; it is unique for ever."""

    code = "order_no_reused"


class AuthorityRefused(Forbidden):
    """Whoever asks may not withdraw for this merchant."""

    code = "authority_refused"


class NotCancellable(DomainError):
    """Money may be on its way already, or the withdrawal has ended."""

    code = "not_cancellable"


@dataclass(frozen=True, slots=True)
class TokenAuthority:
    """A person of the merchant's, with the token of exactly this withdrawal (WD-2)."""

    user: User
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A program's key with the scope `withdrawals:write`; pays approved payees only (WD-2)."""

    key: ApiKey


@dataclass(frozen=True, slots=True)
class ByInstruction:
    """A standing instruction in force, for one settlement item (WD-2)."""

    instruction: StandingInstruction
    item: Item | None


Authority = TokenAuthority | SignedRequest | ByInstruction


def payee_name(account: BankAccount) -> str:
    """Return how verification tokens name a bank account."""
    return str(account.uuid)


def _payee_title(*, merchant_id: int, payee: str) -> str:
    """Return the bank account a token's payee stands for, masked."""
    account = BankAccount.objects.filter(merchant_id=merchant_id, uuid=payee).first()
    return "" if account is None else f"{account} {account.holder}"


def _resume(*, merchant_id: int, number: str) -> str:
    """Return the page on which a withdrawal goes on that others have confirmed."""
    return f"{reverse('portal:withdraw', args=[merchant_id])}?verification={number}"


VERIFIED: Final = VerifiedOperation(
    OPERATION, gettext_lazy("withdraw"), (Ability.WITHDRAW,), payee=_payee_title, resume=_resume
)


def request(
    *,
    merchant_id: int,
    amount: Money,
    bank_account_id: int,
    order_no: str,
    authority: Authority,
    at: datetime,
) -> Withdrawal:
    """
    Reserve amount and fee and queue the withdrawal for paying, or for review above the tier.

    The same order number with the same content returns the withdrawal there is.
    Raises: OrderNumberMalformed, AmountRefused, OrderNumberReused, MerchantNotActive, PayeeRefused,
            CapabilityTaken, AuthorityRefused, TokenRefused, ItemNotPosted,
            InsufficientAvailableBalance. Nothing is stored then.
    Rule:   WD-1 to WD-6 (docs/rules/withdrawals.md), CAP-2.
    """
    if not _ORDER_NO.fullmatch(order_no):
        raise OrderNumberMalformed(_("The order number is malformed."), field="order_no")
    if amount.minor <= 0:
        raise AmountRefused(_("The amount must be more than nothing."), field="amount")
    if amount.minor > most_minor(amount.currency):
        raise AmountRefused(_("Larger than any amount we keep."), field="amount")

    def once() -> Withdrawal:
        with transaction.atomic(durable=True):
            there_is = known(merchant_id=merchant_id, order_no=order_no)
            if there_is is None:
                return _create(merchant_id, amount, bank_account_id, order_no, authority, at)
        return _same(there_is, amount, bank_account_id, authority)

    return retried(lambda: _again_if_raced(once))


def cancel(*, merchant_id: int, withdrawal_id: int, at: datetime, reason: str = "") -> Withdrawal:
    """
    Give the money back to the balance; only while no attempt was ever made.

    Raises: NotFound, NotCancellable. Rule: WD-5.
    """
    found = find(merchant_id=merchant_id, withdrawal_id=withdrawal_id)
    if found.status == Status.REVIEW and withdrawal_review.take_back(found, at=at):
        return find(merchant_id=merchant_id, withdrawal_id=withdrawal_id)

    def once() -> Withdrawal:
        with transaction.atomic(durable=True):
            withdrawal = lock_withdrawal(merchant_id=merchant_id, withdrawal_id=withdrawal_id)
            attempted = PayoutAttempt.objects.filter(
                merchant_id=merchant_id, withdrawal=withdrawal
            ).exists()
            if withdrawal.status != Status.HELD or attempted:
                raise NotCancellable(
                    _("%(number)s cannot be cancelled: %(status)s.")
                    % {"number": withdrawal.number, "status": withdrawal.get_status_display()}
                )
            release_withdrawal(withdrawal, Status.CANCELLED, at=at, reason=reason)
            cases.payable(withdrawal, at=at)
        return withdrawal

    return retried(once)


def _create(
    merchant_id: int,
    amount: Money,
    bank_account_id: int,
    order_no: str,
    authority: Authority,
    at: datetime,
) -> Withdrawal:
    account = payees.require_payable(merchant_id=merchant_id, bank_account_id=bank_account_id)
    payees.require_usable(account, at=at)
    if account.currency != amount.currency:
        raise PayeeRefused(
            _("The account %(number)s is for %(currency)s.")
            % {"number": account.number_masked, "currency": account.currency}
        )
    kind, reference, user = _proved(merchant_id, amount, account, authority, at)
    day = clock.business_date(at)
    priced = payout_fee.price(merchant_id=merchant_id, amount=amount, on=day)
    who, row_id = actor.current(), _next_id()
    withdrawal = Withdrawal.objects.create(
        id=row_id,
        merchant_id=merchant_id,
        number=f"W{day:%y%m}{merchant_id:07d}-{row_id:06d}",
        order_no=order_no,
        amount_minor=amount.minor,
        fee_minor=priced.fee.minor,
        currency=amount.currency,
        fee_rule=priced.rule,
        bank_account=account,
        authority=kind,
        authority_reference=reference,
        requested_by=user,
        item=authority.item if isinstance(authority, ByInstruction) else None,
        requested_at=at,
        business_date=day,
        actor=who.name,
        request_id=who.request_id,
    )
    born_withdrawal(withdrawal, at=at)
    if withdrawal.item_id is not None:
        items.start_paying(merchant_id=merchant_id, item_id=withdrawal.item_id)
    hold_id = holds.open_hold(
        merchant_id=merchant_id,
        account_id=accounts.open_slice(
            merchant_id=merchant_id, kind="merchant_available", currency=amount.currency
        ),
        operation="withdraw",
        amount_minor=withdrawal.total.minor,
        source_kind="withdrawal",
        source_id=withdrawal.number,
        reason=withdrawal.number,
    )
    if withdrawal_review.is_needed(withdrawal):
        move_withdrawal(withdrawal, Status.REVIEW, at=at, hold_id=hold_id)
        withdrawal_review.propose(withdrawal, maker=_maker(authority, user), at=at)
    else:
        move_withdrawal(withdrawal, Status.HELD, at=at, hold_id=hold_id)
        queue_withdrawal(withdrawal)
    return withdrawal


def _proved(
    merchant_id: int, amount: Money, account: BankAccount, authority: Authority, at: datetime
) -> tuple[str, str, User | None]:
    """Return kind, reference and person of a good authority. Rule: WD-2."""
    automatic = isinstance(authority, ByInstruction)
    capabilities.require(
        Capability.AUTOMATIC if automatic else Capability.WITHDRAW, merchant_id=merchant_id
    )
    match authority:
        case TokenAuthority(user, token):
            memberships.require(merchant_id=merchant_id, user=user, ability=Ability.WITHDRAW)
            token_id = tokens.consume(
                merchant_id=merchant_id,
                user=user,
                token=token,
                operation=OPERATION,
                amount=amount,
                payee=payee_name(account),
                at=at,
            )
            return Withdrawal.Authority.TOKEN, f"token:{token_id}", user
        case SignedRequest(shown):
            key = ApiKey.objects.get(merchant_id=shown.merchant_id, id=shown.id)  # as it is now
            own = key.kind == ApiKey.Kind.MERCHANT and key.merchant_id == merchant_id
            good = key.active and (key.expires_at is None or at < key.expires_at)
            if not good or Scope.WITHDRAWALS_WRITE not in key.scopes:
                raise AuthorityRefused(_("This key may not withdraw."))
            if not own and key.kind != ApiKey.Kind.INSTITUTION:
                raise AuthorityRefused(_("This key may not withdraw."))
            return Withdrawal.Authority.SIGNED_REQUEST, f"key:{key.prefix}", None
        case ByInstruction(instruction, _item):
            in_force = StandingInstruction.objects.select_for_update(no_key=True).filter(
                merchant_id=merchant_id,
                id=instruction.id,
                status=StandingInstruction.Status.ACTIVE,
                bank_account_id=account.id,
            )
            if in_force.first() is None:  # locked: it ends before this or after it
                raise AuthorityRefused(_("The standing instruction is not in force for this."))
            return Withdrawal.Authority.STANDING_INSTRUCTION, instruction.number, None


def _maker(authority: Authority, user: User | None) -> User:
    """Return who asked, as maker of the review; a program has an account that cannot sign in."""
    if user is not None:
        return user
    if isinstance(authority, SignedRequest):
        return withdrawal_review.program(authority.key.prefix)
    raise LookupError("a standing instruction was approved before and is not reviewed again")


def _same(
    there_is: Withdrawal, amount: Money, bank_account_id: int, authority: Authority
) -> Withdrawal:
    kinds = {
        TokenAuthority: Withdrawal.Authority.TOKEN,
        SignedRequest: Withdrawal.Authority.SIGNED_REQUEST,
        ByInstruction: Withdrawal.Authority.STANDING_INSTRUCTION,
    }
    asked = (amount, bank_account_id, kinds[type(authority)])
    if (there_is.amount, there_is.bank_account_id, there_is.authority) != asked:
        raise OrderNumberReused(
            _("Order number %(order_no)s was used for another withdrawal.")
            % {"order_no": there_is.order_no}
        )
    return there_is


def _again_if_raced(once: Callable[[], Withdrawal]) -> Withdrawal:
    """
    Run it; when another request with the same order number won the race, find what it made.

    What was taken away meanwhile (payee, key, merchant) is refused by the database; the second time
    the service says so.
    """
    try:
        return once()
    except IntegrityError as refused:
        if not any(name in str(refused) for name in _RACED):
            raise
        return once()


def _next_id() -> int:
    """Return the next row id: the number carries it, so it is unique by construction."""
    found = sql.rows(
        "SELECT nextval(pg_get_serial_sequence('public.settlement_withdrawal', 'id')) AS id"
    )
    return int(found[0]["id"])


def known(*, merchant_id: int, order_no: str) -> Withdrawal | None:
    """Return the withdrawal of an order number, None while there is none."""
    return Withdrawal.objects.filter(merchant_id=merchant_id, order_no=order_no).first()


def find(*, merchant_id: int, withdrawal_id: int) -> Withdrawal:
    """Return a withdrawal of this merchant. Raises NotFound."""
    found = Withdrawal.objects.filter(merchant_id=merchant_id, id=withdrawal_id).first()
    if found is None:
        raise NotFound(_("There is no such withdrawal."))
    return found

"""Standing instructions: automatic payout of what was settled (docs/rules/withdrawals.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, NotFound
from foundation import actor, clock
from foundation.models import Approval, User
from foundation.money import Money
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from foundation.services import audit
from ledger.selectors import balance as balances
from settlement.models import Item, StandingInstruction, Withdrawal
from settlement.services import batch as batches
from settlement.services import item as items
from settlement.services import payee as payees
from settlement.services import payout_fee
from settlement.services import withdrawal as withdrawals
from settlement.services.payee import PayeeRefused

ACTIVATE: Final = "settlement.standing_instruction"
LASTS: Final = timedelta(days=7)
Status = StandingInstruction.Status


@dataclass(frozen=True, slots=True)
class PaidOut:
    """How many items now have a withdrawal, and how many had nothing to pay out or could not."""

    created: int
    skipped: int


def propose(
    *,
    merchant_id: int,
    bank_account_id: int,
    keep: Money,
    minimum: Money,
    maker: User,
    reason: str,
    at: datetime,
) -> StandingInstruction:
    """
    Write a new version and propose it; a second person puts it in force.

    Raises: NotFound, MerchantNotActive, PayeeRefused, AlreadyProposed. Rule: SI-1, SI-2.
    """
    with transaction.atomic(durable=True):
        instruction = _write(merchant_id, bank_account_id, keep, minimum, at)
        approvals.propose(
            action=ACTIVATE,
            merchant_id=merchant_id,
            subject=f"standing_instruction:{instruction.currency}",
            before=_content(active(merchant_id=merchant_id, currency=instruction.currency)),
            after=_content(instruction) | {"instruction_id": instruction.id},
            money_effect=None,
            reason=reason,
            maker=maker,
            at=at,
            expires_at=at + LASTS,
        )
    return instruction


def create_by_operator(
    *, merchant_id: int, bank_account_id: int, keep: Money, minimum: Money, at: datetime
) -> tuple[StandingInstruction, bool]:
    """
    Put an instruction in force at once: an operator's act on the server, audited as such.

    Returns it and whether it is new; the same content again changes nothing.
    Raises: NotFound, MerchantNotActive, PayeeRefused. Rule: SI-3.
    """
    with transaction.atomic(durable=True):
        known = active(merchant_id=merchant_id, currency=keep.currency)
        asked = (bank_account_id, keep.minor, max(minimum.minor, 1))
        if known is not None and asked == (
            known.bank_account_id,
            known.keep_minor,
            known.minimum_minor,
        ):
            return known, False
        instruction = _write(merchant_id, bank_account_id, keep, minimum, at)
        _activate(instruction, how="operator", at=at)
    return instruction, True


def end(*, merchant_id: int, currency: str, at: datetime) -> bool:
    """Take the instruction of a currency out of force; one person suffices. Rule: SI-4."""
    with transaction.atomic(durable=True):
        known = _locked_active(merchant_id, currency)
        if known is None:
            return False
        _end(known, at)
    return True


def on_bank_account(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
    """End the instruction that pays to an account that was replaced or switched off (SI-6)."""
    if event not in ("bank_account_replaced", "bank_account_disabled"):
        return
    for merchant_id in merchant_ids:
        found = StandingInstruction.objects.select_for_update().filter(
            merchant_id=merchant_id,
            status=Status.ACTIVE,
            bank_account_id=payload["bank_account_id"],
        )
        for instruction in found:
            _end(instruction, payload["at"])


def end_all(*, merchant_id: int, at: datetime) -> None:
    """Take every instruction of a merchant out of force, inside the caller's transaction."""
    found = StandingInstruction.objects.select_for_update().filter(
        merchant_id=merchant_id, status=Status.ACTIVE
    )
    for instruction in found.order_by("id"):
        _end(instruction, at)


def active(*, merchant_id: int, currency: str) -> StandingInstruction | None:
    """Return the instruction in force, None if there is none."""
    return StandingInstruction.objects.filter(
        merchant_id=merchant_id, currency=currency, status=Status.ACTIVE
    ).first()


def pay_out_items(batch_id: int, at: datetime) -> PaidOut:
    """
    Ask for a withdrawal for every POSTED item of a batch whose merchant has an instruction.

    Each is a transaction of its own and moves its item to PAYING; run again it finds what is left,
    and the item's order number lets no item be paid twice. What cannot be paid (too little, a
    blocked payee) stays on the balance. Rule: SI-5.
    """
    created = skipped = 0
    for item, instruction in _waiting(batch_id):
        if _pay_out_item(item, instruction, at):
            created += 1
        else:
            skipped += 1
    return PaidOut(created, skipped)


def withdrawal_ended(*, merchant_id: int, withdrawal_id: int, at: datetime) -> None:
    """
    Close the item, and its batch if it was the last, once its withdrawal has ended (SI-5).

    Two transactions, so the batch is looked at whether or not the item was closed just now.
    """
    withdrawal = Withdrawal.objects.filter(merchant_id=merchant_id, id=withdrawal_id).first()
    if withdrawal is None or withdrawal.item_id is None or withdrawal.closed_at is None:
        return
    items.end_paying(merchant_id=merchant_id, item_id=withdrawal.item_id, at=at)
    item = Item.objects.select_related("batch__run").get(
        merchant_id=merchant_id, id=withdrawal.item_id
    )
    batches.close(run=item.batch.run, part=item.batch.part, at=at)


def order_no(item: Item) -> str:
    """Return the order number of an item's withdrawal."""
    return f"item-{item.run_date:%Y%m%d}-{item.cycle}-{item.currency}"


def _waiting(batch_id: int) -> Iterator[tuple[Item, StandingInstruction]]:
    in_force = StandingInstruction.objects.filter(
        merchant_id=OuterRef("merchant_id"), currency=OuterRef("currency"), status=Status.ACTIVE
    )
    items = Item.objects.filter(Exists(in_force), batch_id=batch_id, state=Item.State.POSTED)
    for item in items.order_by("merchant_id"):
        instruction = active(merchant_id=item.merchant_id, currency=item.currency)
        if instruction is not None:
            yield item, instruction


def _pay_out_item(item: Item, instruction: StandingInstruction, at: datetime) -> bool:
    amount = payable(item, instruction, at)
    if amount.minor < instruction.minimum_minor:
        return False
    try:
        withdrawals.request(
            merchant_id=item.merchant_id,
            amount=amount,
            bank_account_id=instruction.bank_account_id,
            order_no=order_no(item),
            authority=withdrawals.ByInstruction(instruction, item),
            at=at,
        )
    except DomainError:
        return False
    return True


def payable(item: Item, instruction: StandingInstruction, at: datetime) -> Money:
    """Return what an item's payout may be: what it brought, what is free, less the fee."""
    free = balances.free(
        merchant_id=item.merchant_id, kind="merchant_available", currency=item.currency
    )
    total = min(item.to_available_minor, free.minor - instruction.keep_minor)
    return payout_fee.largest_payable(
        merchant_id=item.merchant_id,
        total=Money(max(total, 0), item.currency),
        on=clock.business_date(at),
    )


def _write(
    merchant_id: int, bank_account_id: int, keep: Money, minimum: Money, at: datetime
) -> StandingInstruction:
    account = payees.require_payable(merchant_id=merchant_id, bank_account_id=bank_account_id)
    if {keep.currency, minimum.currency} != {account.currency}:
        raise PayeeRefused(
            _("The account %(number)s is for %(currency)s.")
            % {"number": account.number_masked, "currency": account.currency}
        )
    versions = StandingInstruction.objects.filter(merchant_id=merchant_id, currency=keep.currency)
    by = actor.current()
    return StandingInstruction.objects.create(
        merchant_id=merchant_id,
        currency=keep.currency,
        version=(versions.aggregate(newest=Max("version"))["newest"] or 0) + 1,
        bank_account=account,
        keep_minor=keep.minor,
        minimum_minor=max(minimum.minor, 1),
        created_at=at,
        actor=by.name,
        request_id=by.request_id,
    )


def _activate(instruction: StandingInstruction, *, how: str, at: datetime) -> None:
    former = _locked_active(instruction.merchant_id, instruction.currency)
    if former is not None:
        _end(former, at)
    instruction.status, instruction.approved_how, instruction.active_at = Status.ACTIVE, how, at
    instruction.save(update_fields=["status", "approved_how", "active_at"])
    audit.record(
        merchant_id=instruction.merchant_id,
        action="standing_instruction.activate",
        object_kind="standing_instruction",
        object_id=instruction.number,
        before=_content(former),
        after=_content(instruction) | {"approved_how": how},
    )


def _end(instruction: StandingInstruction, at: datetime) -> None:
    instruction.status, instruction.ended_at = Status.ENDED, at
    instruction.save(update_fields=["status", "ended_at"])
    audit.record(
        merchant_id=instruction.merchant_id,
        action="standing_instruction.end",
        object_kind="standing_instruction",
        object_id=instruction.number,
    )


def _locked_active(merchant_id: int, currency: str) -> StandingInstruction | None:
    return (
        StandingInstruction.objects.select_for_update()
        .filter(merchant_id=merchant_id, currency=currency, status=Status.ACTIVE)
        .first()
    )


def _content(instruction: StandingInstruction | None) -> dict[str, object]:
    if instruction is None:
        return {}
    return {
        "version": instruction.version,
        "payee": str(instruction.bank_account),
        "keep": str(instruction.keep),
        "minimum": str(Money(instruction.minimum_minor, instruction.currency)),
    }


def _of(approval: Approval) -> StandingInstruction:
    found = (
        StandingInstruction.objects.select_for_update(of=("self",))
        .filter(merchant_id=approval.merchant_id, id=approval.after["instruction_id"])
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such standing instruction."))
    return found


def _apply(approval: Approval, at: datetime) -> None:
    payees.require_merchant(merchant_id=approval.merchant_id)  # locked before the instruction is
    instruction = _of(approval)
    payees.require_payable(
        merchant_id=instruction.merchant_id, bank_account_id=instruction.bank_account_id
    )
    _activate(instruction, how=f"approval {approval.id}", at=at)


def _refuse(approval: Approval, at: datetime) -> None:
    instruction = _of(approval)
    instruction.status = Status.REFUSED
    instruction.save(update_fields=["status"])


def _describe(approval: Approval) -> str:
    return _("Pay out what was settled to %(payee)s") % {"payee": approval.after["payee"]}


ACTION: Final = ApprovalAction(
    ACTIVATE,
    _apply,
    _describe,
    refuse=_refuse,
    title=gettext_lazy("Standing instruction"),
    risk=Risk.HIGH,
    permission="settlement.approve_standinginstruction",
)

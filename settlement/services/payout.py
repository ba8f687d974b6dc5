"""Sending payouts and asking about them. What the answers mean is payout_result's."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from channels.adapters.base import Adapter, Evidence, Kind, NothingLeft, Payee, PayoutOrder
from config.errors import DomainError
from foundation.models import OutboxMessage
from foundation.retry import is_passing, retried
from foundation.services import outbox
from merchants.models import BankAccount, Merchant
from settlement.models import PayoutAttempt, PayoutEvidence, Withdrawal
from settlement.services import payee as payees
from settlement.services import payout_case as cases
from settlement.services import payout_channel as channels
from settlement.services.payout_result import apply_result
from settlement.services.payout_verdict import Verdict, next_query
from settlement.services.transition import (
    PAY,
    born_attempt,
    lock_withdrawal,
    move_attempt,
    move_withdrawal,
)

Status = PayoutAttempt.Status
Source = PayoutEvidence.Source
MESSAGE_LOST_AFTER: Final = timedelta(minutes=1)  # sent to the workers and not seen again
LEASE_SECONDS: Final = 60  # above the hard time limit of the tasks and every time-out of a channel


def send(*, merchant_id: int, withdrawal_id: int, at: datetime) -> Verdict | None:
    """
    Send one withdrawal's payout, once; safe to call any number of times, at once and late.

    Intent is committed before the first byte leaves; what the channel answers goes through the
    funnel. Returns what came of it, None when there was nothing to send. Rule: PO-3, PO-4.
    """
    attempt = retried(lambda: _prepare(merchant_id, withdrawal_id, at), passing=_may_pass)
    if attempt is None:
        return None
    adapter = channels.adapter_for(attempt.channel)
    order = PayoutOrder(attempt.number, attempt.amount, _payee(attempt.withdrawal.bank_account))
    claimed = retried(lambda: _claim(attempt, at))
    if claimed is None:
        return None  # sent before: an answer, a query or a callback will tell; never send again
    refusal = _refusal(attempt, adapter)
    if refusal:  # since the intent was committed; nothing leaves, people or a later query decide
        cases.not_payable(attempt.withdrawal, detail=refusal, at=at, attempt=attempt)
    return apply_result(
        merchant_id=merchant_id,
        attempt_id=attempt.id,
        source=Source.RECOVERY if refusal else Source.ANSWER,
        evidence=_withheld(order, refusal, at) if refusal else _pay_out(adapter, order, at),
        at=at,
        fence=claimed,
    )


def query(*, merchant_id: int, attempt_id: int, at: datetime, now: bool = False) -> Verdict | None:
    """
    Ask the channel what became of an attempt that is due (or `now`); None when nobody has to ask.

    Rule: PO-7.
    """
    attempt = (
        PayoutAttempt.objects.select_related("channel", "withdrawal__bank_account")
        .filter(merchant_id=merchant_id, id=attempt_id)
        .first()
    )
    if attempt is None:
        return None
    adapter = channels.adapter_for(attempt.channel)
    claimed = _claim_query(attempt, at, now=now)
    if claimed is None:
        return None
    evidence = adapter.query_payout(attempt.number)
    verdict = apply_result(
        merchant_id=merchant_id,
        attempt_id=attempt_id,
        source=Source.QUERY,
        evidence=evidence,
        at=at,
        fence=claimed,
    )
    if evidence.kind != Kind.NOT_FOUND or not attempt.channel.resend_promised:
        return verdict
    return _hand_in_again(attempt, adapter, at) or verdict


def _hand_in_again(attempt: PayoutAttempt, adapter: Adapter, at: datetime) -> Verdict | None:
    """
    Hand the same order in once more, under a lease of its own; it stays UNKNOWN meanwhile.

    Only where the channel's contract promises "same number, same content, same order". Rule: PO-4.
    """
    if _refusal(attempt, adapter):
        return None
    claimed = retried(lambda: _claim_again(attempt, at))
    if claimed is None:
        return None
    account = attempt.withdrawal.bank_account
    order = PayoutOrder(attempt.number, attempt.amount, _payee(account))
    return apply_result(
        merchant_id=attempt.merchant_id,
        attempt_id=attempt.id,
        source=Source.ANSWER,
        evidence=_pay_out(adapter, order, at),
        at=at,
        fence=claimed,
    )


def _refusal(attempt: PayoutAttempt, adapter: Adapter) -> str:
    """Return what stands against paying this order now, read afresh; empty when nothing does."""
    account = attempt.withdrawal.bank_account
    try:
        payees.require_payable(merchant_id=attempt.merchant_id, bank_account_id=account.id)
    except DomainError as refusal:
        return str(refusal)
    if adapter.payee_hash(_payee(account)) != attempt.payee_hash:
        return _("The payee is no longer the one the order was made for.")
    return ""


def recover(*, merchant_id: int, attempt_id: int, at: datetime) -> Verdict | None:
    """
    Take over an attempt whose sender vanished: it may have been sent, so it is UNKNOWN.

    Rule: PO-4: SENDING without an answer is asked about, never sent.
    """
    if not _abandoned(at).filter(merchant_id=merchant_id, id=attempt_id).exists():
        return None
    number = PayoutAttempt.objects.get(merchant_id=merchant_id, id=attempt_id).number
    evidence = Evidence(kind=Kind.UNKNOWN, order_no=number, received_at=at, doubt="sender vanished")
    return apply_result(
        merchant_id=merchant_id,
        attempt_id=attempt_id,
        source=Source.RECOVERY,
        evidence=evidence,
        at=at,
    )


def due_to_send(at: datetime, *, limit: int, promised: bool = True) -> list[tuple[int, int]]:
    """
    Return (merchant, withdrawal) of what waits to be sent: its message may have been lost. What
    waits for its merchant to be active again is not due and must not crowd out the rest (MST-5).

    Without `promised`, what the outbox still carries is left to it, which waits longer after each
    failure and in the end calls a person: what cannot be sent must not keep the workers busy.
    """
    patience, active = at - timedelta(seconds=LEASE_SECONDS), Merchant.Status.ACTIVE
    held = Withdrawal.objects.filter(
        status=Withdrawal.Status.HELD, requested_at__lte=patience, merchant__status=active
    )
    ready = PayoutAttempt.objects.filter(
        status=Status.READY, created_at__lte=patience, merchant__status=active
    )
    if not promised:
        held = held.exclude(_carried("number", at))
        ready = ready.exclude(_carried("withdrawal__number", at))
    resent = PayoutAttempt.objects.filter(status=Status.SENDING, resend_at__lte=at)
    return [
        *held.order_by("requested_at").values_list("merchant_id", "id")[:limit],
        *ready.values_list("merchant_id", "withdrawal_id")[:limit],
        *resent.values_list("merchant_id", "withdrawal_id")[:limit],
    ]


def _carried(number: str, at: datetime) -> Exists:
    """Whether the outbox waits to send the message, has parked it, or sent it a moment ago."""
    State = OutboxMessage.State
    just_sent = Q(state=State.SENT, next_try_at__gt=at + outbox.RESEND - MESSAGE_LOST_AFTER)
    return Exists(
        OutboxMessage.objects.filter(
            Q(state__in=[State.PENDING, State.PARKED]) | just_sent,
            merchant_id=OuterRef("merchant_id"),
            kind=PAY,
            key=OuterRef(number),
        )
    )


def due_to_query(at: datetime, *, limit: int) -> list[tuple[int, int]]:
    """Return (merchant, attempt) of what is due to be asked about."""
    found = PayoutAttempt.objects.filter(
        status__in=[Status.UNKNOWN, Status.PROCESSING], next_query_at__lte=at
    )
    return list(found.order_by("next_query_at").values_list("merchant_id", "id")[:limit])


def due_to_recover(at: datetime, *, limit: int) -> list[tuple[int, int]]:
    """Return (merchant, attempt) of what a worker left in the middle of sending."""
    return list(_abandoned(at).values_list("merchant_id", "id")[:limit])


def _may_pass(error: BaseException) -> bool:
    """Return whether to look once more: the payee may have been switched off in this moment."""
    return is_passing(error) or "settlement.not_payable" in str(error)


def _prepare(merchant_id: int, withdrawal_id: int, at: datetime) -> PayoutAttempt | None:
    """HELD -> PAYING with its READY attempt; or the attempt there is, if it may be sent."""
    with transaction.atomic(durable=True):
        withdrawal = lock_withdrawal(merchant_id=merchant_id, withdrawal_id=withdrawal_id)
        if withdrawal.status == Withdrawal.Status.HELD:
            return _first_attempt(withdrawal, at)
        found = (
            PayoutAttempt.objects.select_related("channel", "withdrawal__bank_account")
            .filter(merchant_id=merchant_id, withdrawal=withdrawal)
            .filter(_sendable(at))
            .first()
        )
        if found is not None and not found.channel.enabled:  # it waits until it is switched on
            detail = _("The channel %(code)s is switched off.") % {"code": found.channel.code}
            cases.not_payable(withdrawal, detail=detail, at=at, attempt=found)
            return None
        return found


def _first_attempt(withdrawal: Withdrawal, at: datetime) -> PayoutAttempt | None:
    try:
        account = payees.require_payable(
            merchant_id=withdrawal.merchant_id, bank_account_id=withdrawal.bank_account_id
        )
        channel = channels.channel_for(withdrawal.currency)
        adapter = channels.adapter_for(channel)
    except DomainError as refusal:  # it waits, may be cancelled, and a person is told why
        cases.not_payable(withdrawal, detail=str(refusal), at=at)
        return None
    attempt = PayoutAttempt(
        merchant_id=withdrawal.merchant_id,
        withdrawal=withdrawal,
        number=f"{withdrawal.number}-1",
        attempt_no=1,
        channel=channel,
        amount_minor=withdrawal.amount_minor,
        currency=withdrawal.currency,
        payee_hash=adapter.payee_hash(_payee(account)),
        created_at=at,
    )
    attempt.save(force_insert=True)
    born_attempt(attempt, at=at)
    move_withdrawal(withdrawal, Withdrawal.Status.PAYING, at=at, reason=attempt.number)
    cases.payable(withdrawal, at=at)
    return attempt


def _claim(attempt: PayoutAttempt, at: datetime) -> int | None:
    """READY -> SENDING under a lease; return its fencing number, None if somebody was first."""
    with transaction.atomic(durable=True):
        lock_withdrawal(merchant_id=attempt.merchant_id, withdrawal_id=attempt.withdrawal_id)
        locked = (
            PayoutAttempt.objects.select_for_update()
            .filter(merchant_id=attempt.merchant_id, id=attempt.id)
            .filter(_sendable(at))
            .first()
        )
        if locked is None:
            return None
        lease = _lease_fields(locked, at) | {"resend_at": None}
        if locked.status == Status.READY:
            move_attempt(locked, Status.SENDING, at=at, sent_at=at, **lease)
        else:
            for name, value in lease.items():
                setattr(locked, name, value)
            locked.save(update_fields=list(lease))
        return locked.fence


def _pay_out(adapter: Adapter, order: PayoutOrder, at: datetime) -> Evidence:
    """Send the bytes; no lock is held and no transaction is open."""
    try:
        return adapter.pay_out(order)
    except NothingLeft as reason:
        return Evidence(
            kind=Kind.NOT_SENT, order_no=order.order_no, received_at=at, doubt=str(reason)[:200]
        )


def _withheld(order: PayoutOrder, refusal: str, at: datetime) -> Evidence:
    """Return what is known of an order that was not sent after all."""
    return Evidence(
        kind=Kind.UNKNOWN,
        order_no=order.order_no,
        received_at=at,
        doubt=f"not sent: {refusal}"[:200],
    )


def _claim_again(attempt: PayoutAttempt, at: datetime) -> int | None:
    """
    Take the lease for handing an UNKNOWN order in again; return its fencing number.

    None when it is no longer UNKNOWN, somebody else is at it, the channel ever said that it knew
    the order, or the channel is switched off. While the lease holds nobody decides it failed.
    """
    with transaction.atomic(durable=True):
        withdrawal = lock_withdrawal(
            merchant_id=attempt.merchant_id, withdrawal_id=attempt.withdrawal_id
        )
        locked = (
            PayoutAttempt.objects.select_for_update(of=("self",))
            .filter(_leasable(at), merchant_id=attempt.merchant_id, id=attempt.id)
            .filter(status=Status.UNKNOWN, channel__enabled=True)
            .first()
        )
        known = PayoutEvidence.objects.filter(
            merchant_id=attempt.merchant_id, attempt=attempt
        ).exclude(kind__in=[Kind.UNKNOWN, Kind.NOT_FOUND, Kind.NOT_SENT])
        if locked is None or known.exists():
            return None
        fields = _lease_fields(locked, at)
        PayoutAttempt.objects.filter(merchant_id=locked.merchant_id, id=locked.id).update(**fields)
        cases.payable(withdrawal, at=at)
        return locked.fence + 1


def _claim_query(attempt: PayoutAttempt, at: datetime, *, now: bool) -> int | None:
    """Move the next question on and take the lease, in one statement; None if not due."""
    due = Q() if now else Q(next_query_at__lte=at)
    claimed = PayoutAttempt.objects.filter(
        due,
        _leasable(at),
        merchant_id=attempt.merchant_id,
        id=attempt.id,
        fence=attempt.fence,
        status__in=[Status.UNKNOWN, Status.PROCESSING],
    ).update(
        queries=F("queries") + 1,
        next_query_at=next_query(attempt, at),
        **_lease_fields(attempt, at),
    )
    return attempt.fence + 1 if claimed else None


def _lease_fields(attempt: PayoutAttempt, at: datetime) -> dict[str, Any]:
    return {
        "fence": attempt.fence + 1,
        "lease_owner": _owner(),
        "lease_expires_at": at + timedelta(seconds=LEASE_SECONDS),
    }


def _leasable(at: datetime) -> Q:
    return Q(lease_expires_at=None) | Q(lease_expires_at__lte=at)


def _sendable(at: datetime) -> Q:
    """READY, or SENDING with the proof that nothing left us."""
    return Q(status=Status.READY) | Q(status=Status.SENDING, resend_at__lte=at)


def _abandoned(at: datetime) -> QuerySet[PayoutAttempt]:
    return PayoutAttempt.objects.filter(
        status=Status.SENDING, resend_at=None, lease_expires_at__lte=at
    )


def _payee(account: BankAccount) -> Payee:
    return Payee(number=account.number or "", holder=account.holder, bank_name=account.bank_name)


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]

"""Sending payouts and asking about them. What the answers mean is payout_result's."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from channels.adapters.base import Adapter, Evidence, Kind, NothingLeft, Payee, PayoutOrder
from config.errors import DomainError
from foundation.retry import is_passing, retried
from merchants.models import BankAccount
from settlement.models import PayoutAttempt, PayoutEvidence, Withdrawal
from settlement.services import payee as payees
from settlement.services import payout_case as cases
from settlement.services import payout_channel as channels
from settlement.services.payout_result import apply_result
from settlement.services.payout_verdict import Verdict, next_query
from settlement.services.transition import (
    born_attempt,
    lock_withdrawal,
    move_attempt,
    move_withdrawal,
)

Status = PayoutAttempt.Status
Source = PayoutEvidence.Source
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
    source, evidence = Source.ANSWER, None
    try:
        refusal = _refusal(attempt, adapter)
    except payees.MerchantNotActive as frozen:  # since the claim; it goes on when it is restored
        evidence = _not_sent(order, str(frozen), at)
    else:
        if refusal:  # nothing leaves, people or a later query decide
            cases.not_payable(attempt.withdrawal, detail=refusal, at=at, attempt=attempt)
            source, evidence = Source.RECOVERY, _withheld(order, refusal, at)
    return apply_result(
        merchant_id=merchant_id,
        attempt_id=attempt.id,
        source=source,
        evidence=evidence or _pay_out(adapter, order, at),
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
    try:
        if _refusal(attempt, adapter):
            return None
    except payees.MerchantNotActive:
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
    """
    Return what stands against paying this order now, read afresh; empty when nothing does.

    Raises MerchantNotActive: that passes, and the order waits for it.
    """
    account = attempt.withdrawal.bank_account
    try:
        payees.require_payable(merchant_id=attempt.merchant_id, bank_account_id=account.id)
    except payees.MerchantNotActive:
        raise
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
    if not abandoned(at).filter(merchant_id=merchant_id, id=attempt_id).exists():
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
        if found is None:
            return None
        waits = _waits_for(found)
        if waits:
            cases.not_payable(withdrawal, detail=waits, at=at, attempt=found)
            return None
        cases.payable(withdrawal, at=at)
        return found


def _waits_for(attempt: PayoutAttempt) -> str:
    """Return what an attempt waits for that passes by itself or by people; empty for nothing."""
    if not attempt.channel.enabled:
        return _("The channel %(code)s is switched off.") % {"code": attempt.channel.code}
    try:
        payees.require_merchant(merchant_id=attempt.merchant_id)
    except payees.MerchantNotActive as frozen:
        return str(frozen)
    return ""


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
    """
    READY -> SENDING under a lease; return its fencing number, None if somebody was first or the
    merchant was frozen meanwhile: from here on it is frozen after this order, not before (MST-5).
    """
    with transaction.atomic(durable=True):
        lock_withdrawal(merchant_id=attempt.merchant_id, withdrawal_id=attempt.withdrawal_id)
        locked = (
            PayoutAttempt.objects.select_for_update()
            .filter(merchant_id=attempt.merchant_id, id=attempt.id)
            .filter(_sendable(at))
            .first()
        )
        if locked is None or _waits_for(locked):
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
        return _not_sent(order, str(reason), at)


def _not_sent(order: PayoutOrder, reason: str, at: datetime) -> Evidence:
    """Return the proof, of whoever holds the lease, that nothing left us: it may go again."""
    return Evidence(kind=Kind.NOT_SENT, order_no=order.order_no, received_at=at, doubt=reason[:200])


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
        if locked is not None and _waits_for(locked):
            return None
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


def abandoned(at: datetime) -> QuerySet[PayoutAttempt]:
    """Return what a worker left in the middle of sending."""
    return PayoutAttempt.objects.filter(
        status=Status.SENDING, resend_at=None, lease_expires_at__lte=at
    )


def _payee(account: BankAccount) -> Payee:
    return Payee(number=account.number or "", holder=account.holder, bank_name=account.bank_name)


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]

"""
The one funnel for results: answer, query, callback, day file and decision all come through here.

Lock withdrawal and attempt, compare what the news name, look the step up, write journal, history
and outbox, commit. Equal news twice change nothing (docs/rules/payouts.md, PO-6).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from channels.adapters.base import Evidence, Kind
from config.errors import NotFound
from foundation import actor
from foundation.retry import retried
from settlement.models import PayoutAttempt, PayoutCase, PayoutEvidence, PayoutStatement, Withdrawal
from settlement.services import payee as payees
from settlement.services import payout_case as cases
from settlement.services import payout_journal as journal
from settlement.services.payout_verdict import Verdict, cooling, differences, judge, next_query
from settlement.services.transition import (
    lock_withdrawal,
    move_attempt,
    move_withdrawal,
    release_withdrawal,
)

Status = PayoutAttempt.Status
Source = PayoutEvidence.Source


def apply_result(
    *,
    merchant_id: int,
    attempt_id: int,
    source: PayoutEvidence.Source,
    evidence: Evidence,
    at: datetime,
    fence: int | None = None,
) -> Verdict:
    """
    Take one piece of news in and return what it did; safe any number of times, in any order.

    `fence` is the number of the lease under which the news was got: "nothing left us" needs it, and
    only its holder gives the lease back. An exception leaves everything as it was.

    Raises: NotFound. Rule: PO-6.
    """

    def once() -> Verdict:
        with transaction.atomic(durable=True):
            withdrawal, attempt = lock(merchant_id=merchant_id, attempt_id=attempt_id)
            verdict = judge(attempt, source, evidence, at=at, fence=fence)
            _act(verdict, withdrawal, attempt, evidence, at)
            if fence == attempt.fence or _lease_is_over(attempt, at):
                _give_lease_back(attempt)
            record(attempt, source, evidence, verdict)
        return verdict

    return retried(once)


def lock(*, merchant_id: int, attempt_id: int) -> tuple[Withdrawal, PayoutAttempt]:
    """Lock a withdrawal, then its attempt, and return both. Raises NotFound."""
    known = PayoutAttempt.objects.filter(merchant_id=merchant_id, id=attempt_id)
    withdrawal_id = known.values_list("withdrawal_id", flat=True).first()
    if withdrawal_id is None:
        raise NotFound(f"There is no attempt {attempt_id}.")
    withdrawal = lock_withdrawal(merchant_id=merchant_id, withdrawal_id=withdrawal_id)
    attempt = (
        PayoutAttempt.objects.select_for_update(of=("self",))
        .select_related("channel")
        .get(merchant_id=merchant_id, id=attempt_id)
    )
    attempt.withdrawal = withdrawal
    return withdrawal, attempt


def _act(
    verdict: Verdict,
    withdrawal: Withdrawal,
    attempt: PayoutAttempt,
    evidence: Evidence,
    at: datetime,
) -> None:
    match verdict:
        case Verdict.PAY:
            pay(withdrawal, attempt, at=at, channel_no=evidence.channel_no, reason=_why(evidence))
        case Verdict.PAY_AND_RETURN:
            pay(withdrawal, attempt, at=at, channel_no=evidence.channel_no, reason=_why(evidence))
            give_back(withdrawal, attempt, at=at, reason=_why(evidence))
        case Verdict.RETURN:
            give_back(withdrawal, attempt, at=at, reason=_why(evidence))
        case Verdict.PROCESS:
            _keep(attempt, Status.PROCESSING, evidence, at, next_query_at=next_query(attempt, at))
        case Verdict.DOUBT:
            _doubt(attempt, evidence, at)
        case Verdict.COOL:
            _cool(attempt, evidence, at)
        case Verdict.FAIL:
            fail(withdrawal, attempt, at=at, reason=_why(evidence))
        case Verdict.RESEND:
            _resend(attempt, at)
        case Verdict.LATE_SUCCESS:
            _late(withdrawal, attempt, evidence, at)
        case Verdict.CONTRADICT:
            _contradict(withdrawal, attempt, evidence, at)
        case Verdict.MISMATCH:
            names = ", ".join(differences(attempt, evidence))
            _case(attempt, PayoutCase.Kind.MISMATCH, f"{names}: {_why(evidence)}", at)
            _still_unknown(attempt, evidence, at)
        case Verdict.CASE:
            _case(attempt, PayoutCase.Kind.CONTRADICTION, _why(evidence), at)
        case Verdict.NOTHING:
            _nothing_new(attempt, evidence, at)


def pay(
    withdrawal: Withdrawal, attempt: PayoutAttempt, *, at: datetime, channel_no: str, reason: str
) -> None:
    """Capture the hold and end the payment well."""
    journal.paid(withdrawal, attempt)
    move_attempt(
        attempt,
        Status.SUCCEEDED,
        at=at,
        reason=reason,
        paid_at=at,
        channel_no=channel_no or attempt.channel_no,
        **_RESTS,
    )
    move_withdrawal(
        withdrawal,
        Withdrawal.Status.PAID,
        at=at,
        reason=reason,
        paid_minor=withdrawal.amount_minor,
        paid_fee_minor=withdrawal.fee_minor,
        closed_at=at,
    )
    cases.ended(attempt, at=at)


def give_back(withdrawal: Withdrawal, attempt: PayoutAttempt, *, at: datetime, reason: str) -> None:
    """Return a paid withdrawal's money to the merchant (退票)."""
    kept = journal.returned(withdrawal, attempt)
    move_attempt(attempt, Status.RETURNED, at=at, reason=reason)
    move_withdrawal(
        withdrawal,
        Withdrawal.Status.RETURNED,
        at=at,
        reason=reason,
        paid_minor=0,
        paid_fee_minor=kept.minor,
        closed_at=at,
    )
    cases.ended(attempt, at=at)


def fail(withdrawal: Withdrawal, attempt: PayoutAttempt, *, at: datetime, reason: str) -> None:
    """End the payment for certain without money having moved: the hold is given back."""
    move_attempt(attempt, Status.FAILED, at=at, reason=reason, **_RESTS)
    release_withdrawal(withdrawal, Withdrawal.Status.FAILED, at=at, reason=reason)
    cases.ended(attempt, at=at)


_RESTS: Final = {
    "next_query_at": None,
    "resend_at": None,
    "lease_owner": "",
    "lease_expires_at": None,
}


def _keep(
    attempt: PayoutAttempt,
    to: PayoutAttempt.Status,
    evidence: Evidence,
    at: datetime,
    **fields: object,
) -> None:
    """Move a live attempt on, or stay; the hold stays in any case (I9)."""
    fields["resend_at"] = None
    if to == Status.UNKNOWN and attempt.unknown_since is None:
        fields["unknown_since"] = at
    if attempt.status == to:
        for name, value in fields.items():
            setattr(attempt, name, value)
        attempt.save(update_fields=list(fields))
    else:
        move_attempt(attempt, to, at=at, reason=_why(evidence), **fields)


def _doubt(attempt: PayoutAttempt, evidence: Evidence, at: datetime) -> None:
    _keep(attempt, Status.UNKNOWN, evidence, at, next_query_at=_asking(attempt, at))
    if evidence.kind == Kind.CONTENT_DIFFERS:
        _case(attempt, PayoutCase.Kind.CONTENT_DIFFERS, _why(evidence), at)
    if evidence.kind == Kind.NOT_FOUND and _window_is_past(attempt, at):
        _case(attempt, PayoutCase.Kind.NOT_FOUND, _why(evidence), at)


def _cool(attempt: PayoutAttempt, evidence: Evidence, at: datetime) -> None:
    """Note the first allow-listed failure; it ends nothing yet."""
    _keep(
        attempt,
        Status.UNKNOWN,
        evidence,
        at,
        failure_seen_at=at,
        failure_code=evidence.code,
        next_query_at=at + cooling(attempt),
    )


def _resend(attempt: PayoutAttempt, at: datetime) -> None:
    attempt.resend_at = next_query(attempt, at)
    attempt.queries += 1
    attempt.save(update_fields=["resend_at", "queries"])


def _lease_is_over(attempt: PayoutAttempt, at: datetime) -> bool:
    return attempt.lease_expires_at is not None and attempt.lease_expires_at <= at


def _give_lease_back(attempt: PayoutAttempt) -> None:
    """Let others ask or send; whoever still asks or sends under a lease is not disturbed."""
    if attempt.lease_expires_at is not None:
        attempt.lease_owner, attempt.lease_expires_at = "", None
        attempt.save(update_fields=["lease_owner", "lease_expires_at"])


def _late(withdrawal: Withdrawal, attempt: PayoutAttempt, evidence: Evidence, at: datetime) -> None:
    """Money left although the hold was given back: our claim, and no more to this payee."""
    move_attempt(
        attempt,
        Status.DISPUTED,
        at=at,
        reason=_why(evidence),
        disputed_from=Status.FAILED,
        paid_at=attempt.paid_at or at,
    )
    journal.late_success(attempt)
    move_withdrawal(withdrawal, Withdrawal.Status.DISPUTED, at=at, reason=_why(evidence))
    payees.block(attempt, at=at)
    _case(attempt, PayoutCase.Kind.LATE_SUCCESS, _why(evidence), at)


def _contradict(
    withdrawal: Withdrawal, attempt: PayoutAttempt, evidence: Evidence, at: datetime
) -> None:
    """A failure after success, without a return record: nothing is booked, people decide."""
    move_attempt(
        attempt, Status.DISPUTED, at=at, reason=_why(evidence), disputed_from=Status.SUCCEEDED
    )
    move_withdrawal(withdrawal, Withdrawal.Status.DISPUTED, at=at, reason=_why(evidence))
    _case(attempt, PayoutCase.Kind.CONTRADICTION, _why(evidence), at)


def _still_unknown(attempt: PayoutAttempt, evidence: Evidence, at: datetime) -> None:
    if attempt.status in (Status.SENDING, Status.PROCESSING, Status.UNKNOWN):
        _keep(attempt, Status.UNKNOWN, evidence, at, next_query_at=_asking(attempt, at))


def _nothing_new(attempt: PayoutAttempt, evidence: Evidence, at: datetime) -> None:
    """Keep asking; news that it is in process end the cooling of a failure that was seen."""
    if attempt.status not in (Status.PROCESSING, Status.UNKNOWN):
        return
    fields: dict[str, object] = {"next_query_at": _asking(attempt, at)}
    if evidence.kind == Kind.PROCESSING and attempt.failure_seen_at:
        fields |= {"failure_seen_at": None, "failure_code": ""}
        fields["next_query_at"] = next_query(attempt, at)
    _keep(attempt, Status(attempt.status), evidence, at, **fields)


def _asking(attempt: PayoutAttempt, at: datetime) -> datetime:
    """Return when to ask again, not before a failure has cooled."""
    if attempt.failure_seen_at is None:
        return next_query(attempt, at)
    cooled = attempt.failure_seen_at + cooling(attempt)
    return cooled if at < cooled else next_query(attempt, at)


def _window_is_past(attempt: PayoutAttempt, at: datetime) -> bool:
    """Return whether "no such order" may be looked at: the window and the day file are past."""
    if attempt.sent_at is None:
        return False
    window = timedelta(seconds=attempt.channel.not_found_seconds)
    later = attempt.sent_at.date() + timedelta(days=1)
    return at >= attempt.sent_at + window and (
        PayoutStatement.objects.filter(channel=attempt.channel, day__gte=later).exists()
    )


def _case(attempt: PayoutAttempt, kind: PayoutCase.Kind, detail: str, at: datetime) -> None:
    cases.open_case(
        merchant_id=attempt.merchant_id,
        kind=kind,
        subject=attempt.number,
        detail=detail,
        at=at,
        attempt=attempt,
    )


def _why(evidence: Evidence) -> str:
    return " ".join(part for part in (evidence.kind, evidence.code, evidence.doubt) if part)


def record(
    attempt: PayoutAttempt,
    source: PayoutEvidence.Source,
    evidence: Evidence,
    verdict: Verdict,
) -> None:
    """Keep the news as they came, with what they did (I4)."""
    by = actor.current()
    PayoutEvidence.objects.create(
        merchant_id=attempt.merchant_id,
        attempt=attempt,
        source=source,
        kind=evidence.kind,
        code=evidence.code,
        amount_minor=None if evidence.amount is None else evidence.amount.minor,
        currency="" if evidence.amount is None else evidence.amount.currency,
        payee_hash=evidence.payee_hash,
        order_no=evidence.order_no,
        channel_no=evidence.channel_no,
        event_id=evidence.event_id,
        doubt=evidence.doubt[:200],
        raw=evidence.raw,
        raw_sha256=evidence.sha256,
        verdict=verdict,
        sequence=attempt.sequence,
        received_at=evidence.received_at,
        actor=by.name,
        request_id=by.request_id,
    )

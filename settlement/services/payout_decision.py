"""What two persons decide about a payout that the machine cannot decide (PO-8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.adapters.base import Evidence, Kind
from config.errors import DomainError, Malformed, NotFound
from foundation.models import Approval, User
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from foundation.services.attachment import NewAttachment
from settlement.models import BankLine, PayoutAttempt, PayoutCase, PayoutEvidence, Withdrawal
from settlement.services import payee as payees
from settlement.services import payout_case as cases
from settlement.services import payout_journal as journal
from settlement.services import payout_result as results
from settlement.services.payout_verdict import Verdict
from settlement.services.transition import move_attempt, move_withdrawal

RESOLVE: Final = "settlement.resolve_payout"
LASTS: Final = timedelta(days=3)
Status = PayoutAttempt.Status
_W = Withdrawal.Status

# Which decisions are open to people, by what the attempt is now.
DECIDABLE: Final = {
    Status.UNKNOWN: frozenset({Status.SUCCEEDED, Status.FAILED}),
    Status.DISPUTED: frozenset({Status.SUCCEEDED, Status.FAILED, Status.RETURNED}),
}


class NotDecidable(DomainError):
    """This attempt is not for people to decide, or not in that way."""

    code = "payout_not_decidable"


class EvidenceMissing(Malformed):
    """A decision by hand names the paper it rests on."""

    code = "evidence_missing"


def propose(
    *,
    merchant_id: int,
    attempt_id: int,
    outcome: PayoutAttempt.Status,
    reason: str,
    evidence: str,
    maker: User,
    at: datetime,
    attachments: Sequence[NewAttachment] = (),
) -> Approval:
    """
    Propose what became of an attempt that is UNKNOWN or DISPUTED; another person decides.

    `evidence` names the paper the decision rests on. The proposal shows the journal it would make.
    Raises: NotFound, NotDecidable, EvidenceMissing, AlreadyProposed. Rule: PO-8.
    """
    attempt = (
        PayoutAttempt.objects.select_related("withdrawal")
        .filter(merchant_id=merchant_id, id=attempt_id)
        .first()
    )
    if attempt is None:
        raise NotFound(_("There is no such payout attempt."))
    _require_decidable(attempt, outcome)
    if not evidence.strip():
        raise EvidenceMissing(_("Name the paper this rests on."), field="evidence")
    return approvals.propose(
        action=RESOLVE,
        merchant_id=merchant_id,
        subject=attempt.number,
        before=_shown(attempt),
        after={
            "attempt_id": attempt.id,
            "status": str(outcome),
            "journal": _JOURNALS[_case_of(attempt), outcome],
            "evidence": evidence,
        },
        money_effect=attempt.amount,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
        attachments=attachments,
    )


def _apply(approval: Approval, at: datetime) -> None:
    """Do what was shown, if the attempt still is as it was shown: the funnel's manual door."""
    withdrawal, attempt = results.lock(
        merchant_id=approval.merchant_id, attempt_id=approval.after["attempt_id"]
    )
    outcome = Status(approval.after["status"])
    _require_decidable(attempt, outcome)
    if attempt.lease_expires_at is not None and at < attempt.lease_expires_at:
        raise NotDecidable(
            _("%(number)s is being sent or asked about now: try again in a minute.")
            % {"number": attempt.number}
        )
    if _shown(attempt) != approval.before:
        raise NotDecidable(_("%(number)s has changed since.") % {"number": attempt.number})
    reason = f"approval {approval.id}"
    _DECISIONS[_case_of(attempt), outcome](withdrawal, attempt, at, reason)
    results.record(
        attempt,
        PayoutEvidence.Source.DECISION,
        Evidence(
            kind=_KINDS[outcome],
            order_no=attempt.number,
            received_at=at,
            raw=approval.after["evidence"].encode(),
            doubt=reason,
        ),
        Verdict.DECIDED,
    )
    payees.lift(attempt, at=at)
    _close_cases(attempt, reason, at)


def _describe(approval: Approval) -> str:
    return _("%(number)s was in truth: %(status)s") % {
        "number": approval.subject,
        "status": Status(approval.after["status"]).label,
    }


def _require_decidable(attempt: PayoutAttempt, outcome: PayoutAttempt.Status) -> None:
    if outcome not in DECIDABLE.get(Status(attempt.status), frozenset()):
        raise NotDecidable(
            _("%(number)s is %(status)s and cannot be decided to be %(outcome)s.")
            % {
                "number": attempt.number,
                "status": Status(attempt.status).label,
                "outcome": Status(outcome).label,
            }
        )
    if outcome == Status.FAILED and _left_by_bank_line(attempt):
        raise NotDecidable(
            _("A bank line says that %(number)s was paid.") % {"number": attempt.number}
        )


def _left_by_bank_line(attempt: PayoutAttempt) -> bool:
    """Return whether a booked bank line says that the money left: at the most it came back."""
    return BankLine.objects.filter(
        merchant_id=attempt.merchant_id,
        attempt=attempt,
        kind=BankLine.Kind.PAID,
        state=BankLine.State.BOOKED,
    ).exists()


def _shown(attempt: PayoutAttempt) -> dict[str, Any]:
    return {
        "status": attempt.status,
        "sequence": attempt.sequence,
        "disputed_from": attempt.disputed_from,
        "amount": str(attempt.amount),
    }


def _case_of(attempt: PayoutAttempt) -> str:
    """Return UNKNOWN, or what a disputed attempt was before."""
    return attempt.disputed_from if attempt.status == Status.DISPUTED else str(attempt.status)


def _paid_for_certain(
    withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str
) -> None:
    results.pay(withdrawal, attempt, at=at, channel_no="", reason=reason)


def _failed_for_certain(
    withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str
) -> None:
    results.fail(withdrawal, attempt, at=at, reason=reason)


def _stays_paid(withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str) -> None:
    move_attempt(attempt, Status.SUCCEEDED, at=at, reason=reason)
    move_withdrawal(withdrawal, _W.PAID, at=at, reason=reason)


def _was_never_paid(
    withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str
) -> None:
    journal.never_paid(withdrawal, attempt)
    move_attempt(attempt, Status.FAILED, at=at, reason=reason)
    move_withdrawal(withdrawal, _W.FAILED, at=at, reason=reason, paid_minor=0, paid_fee_minor=0)


def _came_back(withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str) -> None:
    results.give_back(withdrawal, attempt, at=at, reason=reason)


def _collect(withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str) -> None:
    journal.collect(attempt)
    move_attempt(attempt, Status.SUCCEEDED, at=at, reason=reason)
    move_withdrawal(withdrawal, _W.PAID, at=at, reason=reason, paid_minor=withdrawal.amount_minor)


def _was_not_late(
    withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str
) -> None:
    journal.not_late(attempt)
    move_attempt(attempt, Status.FAILED, at=at, reason=reason)
    move_withdrawal(withdrawal, _W.FAILED, at=at, reason=reason)


def _late_came_back(
    withdrawal: Withdrawal, attempt: PayoutAttempt, at: datetime, reason: str
) -> None:
    journal.late_return(attempt)
    move_attempt(attempt, Status.RETURNED, at=at, reason=reason)
    move_withdrawal(withdrawal, _W.RETURNED, at=at, reason=reason)


def _close_cases(attempt: PayoutAttempt, reason: str, at: datetime) -> None:
    found = PayoutCase.objects.filter(
        merchant_id=attempt.merchant_id, attempt=attempt, closed_at=None
    )
    for case_id in found.values_list("id", flat=True):
        cases.close(merchant_id=attempt.merchant_id, case_id=case_id, outcome=reason, at=at)


_Decision = Callable[[Withdrawal, PayoutAttempt, datetime, str], None]
_DECISIONS: Final[dict[tuple[str, PayoutAttempt.Status], _Decision]] = {
    ("UNKNOWN", Status.SUCCEEDED): _paid_for_certain,
    ("UNKNOWN", Status.FAILED): _failed_for_certain,
    ("SUCCEEDED", Status.SUCCEEDED): _stays_paid,
    ("SUCCEEDED", Status.FAILED): _was_never_paid,
    ("SUCCEEDED", Status.RETURNED): _came_back,
    ("FAILED", Status.SUCCEEDED): _collect,
    ("FAILED", Status.FAILED): _was_not_late,
    ("FAILED", Status.RETURNED): _late_came_back,
}
_JOURNALS: Final[dict[tuple[str, PayoutAttempt.Status], str]] = {
    ("UNKNOWN", Status.SUCCEEDED): (
        "Dr merchant_available A+F; Cr payout_in_transit A; Cr fee_income F"
    ),
    ("UNKNOWN", Status.FAILED): "the hold is released",
    ("SUCCEEDED", Status.SUCCEEDED): "nothing",
    ("SUCCEEDED", Status.FAILED): "the entry of the payment is reversed",
    ("SUCCEEDED", Status.RETURNED): (
        "Dr payout_in_transit A; Cr merchant_debt what is owed, Cr merchant_available the rest"
    ),
    ("FAILED", Status.SUCCEEDED): "Dr merchant_debt A; Cr disputed_receivable A",
    ("FAILED", Status.FAILED): "the entry of the late success is reversed",
    ("FAILED", Status.RETURNED): "Dr payout_in_transit A; Cr disputed_receivable A",
}
_KINDS: Final = {
    Status.SUCCEEDED: Kind.SUCCESS,
    Status.FAILED: Kind.FAILED_CODE,
    Status.RETURNED: Kind.RETURNED,
}
ACTION: Final = ApprovalAction(
    RESOLVE,
    _apply,
    _describe,
    permission="settlement.resolve_payout",
    title=gettext_lazy("What became of a payout"),
    risk=Risk.HIGH,
)

"""The second pair of eyes on large withdrawals: an approval of the foundation's (WD-4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, NotFound
from foundation.models import Approval, ApprovalPolicy, Person, User
from foundation.registries import ApprovalAction
from foundation.services import approval as approvals
from settlement.models import Withdrawal
from settlement.services.transition import (
    lock_withdrawal,
    move_withdrawal,
    queue_withdrawal,
    release_withdrawal,
)

REVIEW: Final = "settlement.withdrawal"
LASTS: Final = timedelta(days=3)
Status = Withdrawal.Status
_ENDS: Final = {
    Approval.State.REJECTED: Status.REJECTED,
    Approval.State.WITHDRAWN: Status.CANCELLED,
    Approval.State.EXPIRED: Status.EXPIRED,
}


class NotUnderReview(DomainError):
    """Nobody has to decide on this withdrawal (any more)."""

    code = "not_under_review"


def is_needed(withdrawal: Withdrawal) -> bool:
    """
    Return whether the amount reaches a tier of `settlement.withdrawal` in the approval policy.

    A standing instruction was approved by a second person before, so its payouts are not reviewed.
    Rule: WD-4 (docs/rules/withdrawals.md).
    """
    if withdrawal.authority == Withdrawal.Authority.STANDING_INSTRUCTION:
        return False
    return ApprovalPolicy.objects.filter(
        Q(currency="") | Q(currency=withdrawal.currency),
        action=REVIEW,
        from_amount_minor__lte=withdrawal.amount_minor,
    ).exists()


def propose(withdrawal: Withdrawal, *, maker: User, at: datetime) -> Approval:
    """Freeze what the checker will see, in the transaction of the request."""
    return approvals.propose(
        action=REVIEW,
        merchant_id=withdrawal.merchant_id,
        subject=withdrawal.number,
        before={"status": str(Status.REVIEW)},
        after={
            "withdrawal_id": withdrawal.id,
            "status": str(Status.HELD),
            "amount": str(withdrawal.amount),
            "fee": str(withdrawal.fee),
            "payee": str(withdrawal.bank_account),
            "holder": withdrawal.bank_account.holder,
            "order_no": withdrawal.order_no,
        },
        money_effect=withdrawal.amount,
        reason=withdrawal.order_no,
        maker=maker,
        at=at,
        expires_at=at + LASTS,
    )


def approve(*, merchant_id: int, withdrawal_id: int, checker: User, at: datetime) -> Withdrawal:
    """
    Approve a withdrawal under review and queue it for paying.

    Raises: NotFound, NotUnderReview, SelfApprovalForbidden, CheckerNotAllowed.
    Rule:   WD-4.
    """
    return _decide(merchant_id, withdrawal_id, checker, approve=True, reason="", at=at)


def reject(
    *, merchant_id: int, withdrawal_id: int, checker: User, reason: str, at: datetime
) -> Withdrawal:
    """Reject a withdrawal under review; the money is free again. Raises as `approve`."""
    return _decide(merchant_id, withdrawal_id, checker, approve=False, reason=reason, at=at)


def take_back(withdrawal: Withdrawal, *, at: datetime) -> bool:
    """Withdraw the proposal for the merchant who cancels; False if it was decided meanwhile."""
    approval = open_approval(withdrawal)
    if approval is None:
        return False
    try:
        approvals.withdraw(
            approval_id=approval.id,
            merchant_id=withdrawal.merchant_id,
            maker=approval.maker,
            at=at,
        )
    except approvals.ApprovalClosed:
        return False
    return True


def open_approval(withdrawal: Withdrawal) -> Approval | None:
    """Return the proposal that waits for a checker, None if there is none."""
    return (
        Approval.objects.select_related("maker")
        .filter(
            merchant_id=withdrawal.merchant_id,
            action=REVIEW,
            subject=withdrawal.number,
            state=Approval.State.PROPOSED,
        )
        .first()
    )


def program(prefix: str) -> User:
    """Return the account that stands for an API key as a maker; nobody can sign in with it."""
    name = f"key:{prefix}"
    found = User.objects.filter(username=name).first()
    if found is not None:
        return found
    made = User(username=name, is_active=False)
    made.set_unusable_password()
    try:
        with transaction.atomic():
            made.person = Person.objects.create(name=name)
            made.save()
    except IntegrityError:  # another request of the same key made it in this moment
        return User.objects.get(username=name)
    return made


def _decide(
    merchant_id: int,
    withdrawal_id: int,
    checker: User,
    *,
    approve: bool,
    reason: str,
    at: datetime,
) -> Withdrawal:
    withdrawal = Withdrawal.objects.filter(merchant_id=merchant_id, id=withdrawal_id).first()
    if withdrawal is None:
        raise NotFound(_("There is no such withdrawal."))
    approval = open_approval(withdrawal)
    if approval is None:
        raise NotUnderReview(_("%(number)s is not under review.") % {"number": withdrawal.number})
    approvals.decide(
        approval_id=approval.id,
        merchant_id=merchant_id,
        checker=checker,
        approve=approve,
        reason=reason,
        seen_sha256=approval.content_sha256,
        at=at,
    )
    withdrawal.refresh_from_db()
    return withdrawal


def _apply(approval: Approval, at: datetime) -> None:
    withdrawal = _of(approval)
    move_withdrawal(withdrawal, Status.HELD, at=at, reason=f"approval {approval.id}")
    queue_withdrawal(withdrawal)


def _refuse(approval: Approval, at: datetime) -> None:
    end = _ENDS[Approval.State(approval.state)]
    release_withdrawal(_of(approval), end, at=at, reason=f"approval {approval.id}")


def _of(approval: Approval) -> Withdrawal:
    return lock_withdrawal(
        merchant_id=approval.merchant_id, withdrawal_id=approval.after["withdrawal_id"]
    )


def _describe(approval: Approval) -> str:
    return _("Pay out %(amount)s to %(payee)s") % {
        "amount": approval.after["amount"],
        "payee": approval.after["payee"],
    }


ACTION: Final = ApprovalAction(
    REVIEW,
    _apply,
    _describe,
    refuse=_refuse,
    permission="settlement.approve_withdrawal",
    title=gettext_lazy("Large withdrawal"),
)

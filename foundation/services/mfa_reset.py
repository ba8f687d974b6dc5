"""Taking somebody's second step away when telephone and recovery codes are gone: two persons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import Forbidden, NotFound
from foundation.models import Approval, ApprovalDecision, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors import second_factor as selectors
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import second_factor as second_factors

ACTION: Final = "foundation.mfa_reset"
DECIDED_WITHIN: Final = timedelta(days=3)


class OwnSecondFactor(Forbidden):
    """Nobody has a hand in taking his own second step away."""

    code = "own_second_factor"


def propose(*, user_id: str, reason: str, maker: User, at: datetime) -> Approval:
    """
    Propose to take every second factor of an account away; another person decides.

    Neither of the two is the person whose account it is.
    Raises: OwnSecondFactor, FactorNotSet, NotFound, AlreadyProposed. Rule: SIG-9, AP-1.
    """
    user = _user(user_id)
    if user.person_id == maker.person_id:
        raise OwnSecondFactor(_("Somebody else must take your second step away."))
    factors = selectors.of_user(user=user)
    if not factors:
        raise second_factors.FactorNotSet(_("This account has no second step."))
    return approvals.propose(
        action=ACTION,
        merchant_id=house_id(),
        subject=f"user:{user.pk}",
        before={"account": user.username, "factors": [factor.kind for factor in factors]},
        after={"user_id": str(user.pk), "factors": []},
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + DECIDED_WITHIN,
    )


def _apply(approval: Approval, at: datetime) -> None:
    user = _user(approval.after["user_id"])
    decisions = ApprovalDecision.objects.filter(merchant_id=approval.merchant_id, approval=approval)
    if decisions.filter(checker_person_id=user.person_id).exists():
        raise OwnSecondFactor(_("Somebody else must take your second step away."))
    second_factors.reset(user=user, at=at)


def _describe(approval: Approval) -> str:
    return _("Take the second step of %(name)s away") % {"name": approval.before["account"]}


def _gains(approval: Approval) -> frozenset[str]:
    """Return the person whose account it is: neither he nor a right he lent decides (AP-3)."""
    user = User.objects.filter(pk=approval.after["user_id"]).first()
    return frozenset() if user is None else frozenset({str(user.person_id)})


APPROVAL_ACTION: Final = ApprovalAction(
    ACTION,
    _apply,
    _describe,
    permission="foundation.approve_mfa_reset",
    title=gettext_lazy("Second step taken away"),
    risk=Risk.HIGH,
    gains=_gains,
)


def _user(user_id: str) -> User:
    found = User.objects.filter(pk=user_id).first()
    if found is None:
        raise NotFound(_("There is no such account."))
    return found

"""Lending a checker's right to somebody else for a while, and using it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Forbidden, Malformed, NotFound
from foundation import actor, registries
from foundation.models import Approval, Delegation, User
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import audit

ACTION: Final = "foundation.delegation"
LONGEST: Final = timedelta(days=92)
DECIDE_WITHIN: Final = timedelta(days=7)


class DelegationRefused(Malformed):
    """The delegate, the right or the span is none that can be lent."""

    code = "delegation_refused"


class NotYoursToLend(Forbidden):
    """Only a right that somebody holds himself can be lent, never a lent one."""

    code = "not_yours_to_lend"


class DelegationEnded(DomainError):
    """The delegation is over already."""

    code = "delegation_ended"


def lendable(user: User) -> list[str]:
    """Return the rights to decide that somebody holds himself, in the order of the actions."""
    rights = dict.fromkeys(action.permission for action in registries.approval_actions)
    return [right for right in rights if right and user.has_perm(right)]


def propose(
    *,
    delegator: User,
    delegate: User,
    permission: str,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    at: datetime,
) -> Approval:
    """
    Propose to lend one's own right to decide; a third person lets it happen.

    Raises NotYoursToLend, DelegationRefused, AlreadyProposed. Rule: AP-8.
    """
    if permission not in lendable(delegator):
        raise NotYoursToLend(_("Only a right that you hold yourself can be lent."))
    _require_delegate(delegator, delegate, permission)
    if not (at < ends_at and starts_at < ends_at and ends_at - starts_at <= LONGEST):
        raise DelegationRefused(
            _("A delegation ends in the future, after its beginning, within %(days)s days.")
            % {"days": LONGEST.days},
            field="ends_at",
        )
    return approvals.propose(
        action=ACTION,
        merchant_id=house_id(),
        subject=f"delegation:{delegator.pk}:{delegate.pk}:{permission}",
        before={},
        after={
            "delegator": delegator.get_username(),
            "delegate": delegate.get_username(),
            "delegate_id": str(delegate.pk),
            "permission": permission,
            "starts_at": starts_at.isoformat(),
            "ends_at": ends_at.isoformat(),
        },
        money_effect=None,
        reason=reason,
        maker=delegator,
        at=at,
        expires_at=min(at + DECIDE_WITHIN, ends_at),
    )


def end(*, delegation_id: int, by: User, at: datetime) -> Delegation:
    """
    End a delegation early; one person suffices, since it takes away and never gives.

    Either side may, and whoever may approve delegations. Raises NotFound, DelegationEnded,
    NotYoursToLend. Rule: AP-8.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        found = Delegation.objects.select_for_update().filter(pk=delegation_id).first()
        if found is None:
            raise NotFound(_("There is no such delegation."))
        either = {found.delegator_person_id, found.delegate_person_id}
        if by.person_id not in either and not by.has_perm("foundation.approve_delegation"):
            raise NotYoursToLend(_("Only its two sides or a checker may end a delegation."))
        if found.ended_at is not None or at >= found.ends_at:
            raise DelegationEnded(_("The delegation is over already."))
        found.ended_at = at
        found.save(update_fields=["ended_at"])
        _record(found, "delegation.end")
    return found


def _require_delegate(delegator: User, delegate: User, permission: str) -> None:
    if delegate.person_id == delegator.person_id:
        raise DelegationRefused(_("A right is lent to another person."), field="delegate")
    if not (delegate.is_active and delegate.is_staff):
        raise DelegationRefused(_("A right is lent to active staff only."), field="delegate")
    if not delegate.has_perm("foundation.view_approval"):
        raise DelegationRefused(_("This person may not see proposals."), field="delegate")
    if delegate.has_perm(permission):
        raise DelegationRefused(_("This person holds the right already."), field="delegate")


def _apply(approval: Approval, at: datetime) -> None:
    """Lend the right, if delegator and delegate still are who they were."""
    after = approval.after
    delegate = User.objects.filter(pk=after["delegate_id"]).first()
    if delegate is None:
        raise NotFound(_("There is no such person."))
    delegator = User.objects.get(pk=approval.maker_id)
    if after["permission"] not in lendable(delegator):
        raise NotYoursToLend(_("Only a right that somebody holds himself can be lent."))
    _require_delegate(delegator, delegate, after["permission"])
    actor.stamp_transaction()
    made = Delegation.objects.create(
        delegator=delegator,
        delegator_person_id=delegator.person_id,
        delegate=delegate,
        delegate_person_id=delegate.person_id,
        permission=after["permission"],
        starts_at=datetime.fromisoformat(after["starts_at"]),
        ends_at=datetime.fromisoformat(after["ends_at"]),
        reason=approval.reason,
        approval_id=approval.id,
        created_at=at,
    )
    _record(made, "delegation.begin")


def _gains(approval: Approval) -> frozenset[str]:
    """Return the person who would gain by it: the delegate."""
    delegate = User.objects.filter(pk=approval.after["delegate_id"]).first()
    return frozenset() if delegate is None else frozenset({str(delegate.person_id)})


def _describe(approval: Approval) -> str:
    words = {name: approval.after[name] for name in ("delegator", "delegate")}
    words["permission"] = registries.word_of(approval.after["permission"])
    return _("%(delegator)s lends %(permission)s to %(delegate)s") % words


def _record(made: Delegation, action: str) -> None:
    audit.record(
        merchant_id=house_id(),
        action=action,
        object_kind="delegation",
        object_id=str(made.pk),
        after={
            "delegator": str(made.delegator_id),
            "delegate": str(made.delegate_id),
            "permission": made.permission,
            "starts_at": made.starts_at,
            "ends_at": made.ends_at,
            "ended_at": None if made.ended_at is None else made.ended_at.isoformat(),
        },
        note=made.reason,
    )


APPROVAL_ACTION: Final = ApprovalAction(
    ACTION,
    _apply,
    _describe,
    permission="foundation.approve_delegation",
    title=gettext_lazy("Delegation"),
    risk=Risk.HIGH,
    gains=_gains,
)

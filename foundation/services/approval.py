"""
Maker and checker: propose, decide, withdraw, expire. One engine for everything that is guarded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from config.errors import DomainError, Forbidden, NotFound
from foundation import actor, canonical, registries
from foundation.models import Approval, ApprovalDecision, ApprovalPolicy, Delegation, User
from foundation.money import Money
from foundation.selectors import delegation as delegations
from foundation.selectors.approval_subject import about
from foundation.selectors.house import house_id
from foundation.services import approval_stamp as stamps
from foundation.services import attachment as attached

State = Approval.State
log = logging.getLogger(__name__)


class AlreadyProposed(DomainError):
    """The same change to the same thing waits for a checker already."""

    code = "approval_already_proposed"


class SelfApprovalForbidden(Forbidden):
    """The checker is the person who made the proposal, perhaps under another account."""

    code = "self_approval_forbidden"


class CheckerNotAllowed(Forbidden):
    """The checker does not hold the permission this action asks of him."""

    code = "checker_not_allowed"


class CheckerGains(Forbidden):
    """The checker is somebody the proposal is in favour of, or acts for who it is about."""

    code = "checker_gains"


class MakerOnly(Forbidden):
    """Only the person who made a proposal may withdraw it."""

    code = "maker_only"


class NotWithdrawable(DomainError):
    """What was proposed has happened already; another person decides what becomes of it."""

    code = "approval_not_withdrawable"


class ContentChanged(DomainError):
    """What the checker saw is not what the proposal says; look at it again."""

    code = "approval_content_changed"


class ApprovalClosed(DomainError):
    """The proposal is decided, withdrawn or expired already."""

    code = "approval_closed"


class ApprovalExpired(ApprovalClosed):
    """The time to decide is over."""

    code = "approval_expired"


class AlreadyDecided(DomainError):
    """This person has spoken on this proposal; another one is needed."""

    code = "approval_already_decided"


def propose(
    *,
    action: str,
    merchant_id: int,
    subject: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    money_effect: Money | None,
    reason: str,
    maker: User,
    at: datetime,
    expires_at: datetime,
    attachments: Sequence[attached.NewAttachment | attached.Paper] = (),
    checkers_at_least: int = 1,
) -> Approval:
    """
    Freeze a proposal for a registered action; nothing happens until enough others approve it.

    The papers in `attachments` are part of what is decided on. `checkers_at_least` asks for more
    persons than the tier does, never for fewer.
    Raises AlreadyProposed while one is open for the same subject; AttachmentRefused; NotRegistered
    (a bug). Rule: AP-1, AP-2, AP-6, AP-9 (docs/rules/approvals.md).
    """
    permission = registries.approval_actions.get(action).permission
    papers = attached.accept(attachments)
    who = actor.current()
    approval = Approval(
        merchant_id=merchant_id,
        action=action,
        subject=subject,
        before=json.loads(canonical.encode(before)),
        after=json.loads(canonical.encode(after)),
        effect_minor=None if money_effect is None else money_effect.minor,
        effect_currency="" if money_effect is None else money_effect.currency,
        reason=reason,
        attachments=[paper.described() for paper in papers],
        permission=permission,
        maker=maker,
        maker_person_id=maker.person_id,
        checkers_needed=max(checkers_needed(action, money_effect), checkers_at_least),
        proposed_at=at,
        expires_at=expires_at,
        actor=who.name,
        request_id=who.request_id,
    )
    approval.content_sha256 = content_sha256(approval)
    approval.stamp = stamps.proposal(approval)
    try:
        with transaction.atomic():
            approval.save(force_insert=True)
            attached.store(approval, papers)
    except IntegrityError as refused:
        if "approval_one_open" not in str(refused):
            raise
        raise AlreadyProposed(
            _("The same change to %(subject)s waits for a checker already.")
            % {"subject": about(approval)}
        ) from refused
    return approval


def decide(
    *,
    approval_id: int,
    merchant_id: int,
    checker: User,
    approve: bool,
    reason: str,
    seen_sha256: str,
    at: datetime,
) -> Approval:
    """
    Record one checker's word; with enough of them apply the action in this very transaction.

    `seen_sha256` is the `content_sha256` that was on the checker's screen.
    A checker without the right himself uses one that was lent to him, under his own name.
    Raises NotFound, ApprovalClosed, ApprovalExpired, SelfApprovalForbidden, CheckerGains,
    CheckerNotAllowed, AlreadyDecided, ContentChanged, NotOurs, and whatever the action refuses with
    (then nothing is decided). Rule: AP-3 to AP-5, AP-8, AP-16 (docs/rules/approvals.md).
    """
    with transaction.atomic(durable=True):
        approval = _locked(approval_id, merchant_id)
        _require_open(approval, at)
        delegation = _require_checker(approval, checker, at)
        _require_same_content(approval, seen_sha256)
        stamps.require(approval)
        if delegation is not None:  # nor is a right lent by what SQL alone wrote
            stamps.require(Approval.objects.get(merchant=house_id(), id=delegation.approval_id))
        who = actor.current()
        made = ApprovalDecision(
            merchant_id=merchant_id,
            approval=approval,
            checker=checker,
            checker_person_id=checker.person_id,
            maker_person_id=approval.maker_person_id,
            delegation=delegation,
            delegator_person_id=None if delegation is None else delegation.delegator_person_id,
            approves=approve,
            reason=reason,
            content_sha256=approval.content_sha256,
            decided_at=at,
            actor=who.name,
            request_id=who.request_id,
        )
        _keep(made)
        if not approve:
            _close(approval, State.REJECTED, at)
        elif _decisions(approval).filter(approves=True).count() >= approval.checkers_needed:
            _close(approval, State.APPROVED, at)
    return approval


def withdraw(*, approval_id: int, merchant_id: int, maker: User, at: datetime) -> Approval:
    """
    Take an open proposal back, under any account of the person who made it.

    Raises NotFound, ApprovalClosed, MakerOnly, NotWithdrawable. Rule: AP-7.
    """
    with transaction.atomic(durable=True):
        approval = _locked(approval_id, merchant_id)
        if approval.state != State.PROPOSED:
            raise _closed(approval)
        if approval.maker_person_id != maker.person_id:
            raise MakerOnly(_("Only the person who made a proposal may withdraw it."))
        if not registries.approval_actions.get(approval.action).withdrawable:
            raise NotWithdrawable(_("This is in force already: another person decides on it."))
        _close(approval, State.WITHDRAWN, at)
    return approval


def expire_due(*, at: datetime) -> int:
    """
    Close every open proposal whose time is over, each in its own transaction; return how many.

    One that cannot be undone keeps no other from its end; the first such failure is raised last.
    """
    due = Approval.objects.filter(state=State.PROPOSED, expires_at__lte=at).order_by("expires_at")
    expired, failures = 0, []
    for merchant_id, approval_id in due.values_list("merchant_id", "id").iterator():
        try:
            expired += _expire(approval_id, merchant_id, at)
        except Exception as failure:
            log.exception("Proposal %s cannot be ended.", approval_id)
            failures.append(failure)
    if failures:
        raise failures[0]
    return expired


def _expire(approval_id: int, merchant_id: int, at: datetime) -> bool:
    with transaction.atomic(durable=True):
        approval = _locked(approval_id, merchant_id)
        if approval.state != State.PROPOSED:
            return False
        _close(approval, State.EXPIRED, at)
    return True


def checkers_needed(action: str, money_effect: Money | None) -> int:
    """Return how many other persons must approve: the highest tier the amount reaches (AP-6)."""
    amount = 0 if money_effect is None else abs(money_effect.minor)
    currency = "" if money_effect is None else money_effect.currency
    tiers = ApprovalPolicy.objects.filter(action=action, from_amount_minor__lte=amount)
    tier = (
        tiers.filter(currency__in=["", currency])
        .order_by("-currency", "-from_amount_minor")
        .first()
    )
    return 1 if tier is None else tier.checkers_needed


def content_sha256(approval: Approval) -> str:
    """Return the hash of everything a checker is shown, as hexadecimal text."""
    return canonical.sha256(
        {
            "action": approval.action,
            "merchant": approval.merchant_id,
            "subject": approval.subject,
            "before": approval.before,
            "after": approval.after,
            "effect_minor": approval.effect_minor,
            "effect_currency": approval.effect_currency,
            "reason": approval.reason,
            "maker": approval.maker_id,
            "proposed_at": approval.proposed_at.astimezone(UTC),
            "expires_at": approval.expires_at.astimezone(UTC),
            **({"attachments": approval.attachments} if approval.attachments else {}),
        }
    ).hex()


def _locked(approval_id: int, merchant_id: int) -> Approval:
    found = Approval.objects.select_for_update().filter(id=approval_id, merchant_id=merchant_id)
    approval = found.first()
    if approval is None:
        raise NotFound(_("There is no such approval."))
    return approval


def _require_open(approval: Approval, at: datetime) -> None:
    if approval.state != State.PROPOSED:
        raise _closed(approval)
    if at >= approval.expires_at:
        raise ApprovalExpired(
            _("The time to decide on %(subject)s is over.") % {"subject": about(approval)}
        )


def _closed(approval: Approval) -> ApprovalClosed:
    label = State(approval.state).label
    return ApprovalClosed(
        _("%(subject)s is closed: %(state)s.") % {"subject": about(approval), "state": label}
    )


def _require_checker(approval: Approval, checker: User, at: datetime) -> Delegation | None:
    """Return the delegation under which somebody may decide, None if the right is his own."""
    if approval.maker_person_id == checker.person_id:
        raise SelfApprovalForbidden(_("You made this proposal; another person must decide."))
    action = registries.approval_actions.get(approval.action)
    gain = action.gains(approval).union(*(of(approval) for of in registries.approval_insiders))
    if str(checker.person_id) in gain:
        raise _gains()
    spoken = {
        person
        for decision in _decisions(approval)
        for person in (decision.checker_person_id, decision.authority_person)
    }
    if checker.person_id in spoken:
        raise AlreadyDecided(_("You have decided on this already; another person is needed."))
    if not action.permission or checker.has_perm(action.permission):
        return None
    lent = delegations.lent(to=checker, permissions=[action.permission], at=at)
    if not lent:
        raise CheckerNotAllowed(_("You may not decide on this kind of proposal."))
    others = [one for one in lent if one.delegator_person_id != approval.maker_person_id]
    if not others:
        raise SelfApprovalForbidden(
            _("Your right comes from who made this proposal; another person must decide.")
        )
    impartial = [one for one in others if str(one.delegator_person_id) not in gain]
    if not impartial:
        raise CheckerGains(_("Your right comes from somebody in whose favour this proposal is."))
    for one in impartial:
        if one.delegator_person_id not in spoken:
            return one
    raise AlreadyDecided(_("The right that was lent to you was used here already."))


def _keep(made: ApprovalDecision) -> None:
    """Stamp and store a decision; the database knows who was invited in this very moment, too."""
    made.stamp = stamps.decision(made)
    try:
        made.save(force_insert=True)
    except IntegrityError as refused:
        if "approval_insider" not in str(refused):
            raise
        raise _gains() from refused


def _gains() -> CheckerGains:
    return CheckerGains(
        _("This proposal is in your favour, or about a merchant for which you act.")
    )


def _decisions(approval: Approval) -> QuerySet[ApprovalDecision]:
    return ApprovalDecision.objects.filter(merchant_id=approval.merchant_id, approval=approval)


def _require_same_content(approval: Approval, seen_sha256: str) -> None:
    if not approval.content_sha256 == seen_sha256 == content_sha256(approval):
        raise ContentChanged(_("The proposal is not the one you saw; look at it again."))


def _close(approval: Approval, state: State, at: datetime) -> None:
    """Move the state, then apply or undo, in the same transaction. The only code that moves it."""
    approval.state, approval.closed_at = state, at
    approval.save(update_fields=["state", "closed_at"])
    action = registries.approval_actions.get(approval.action)
    if state == State.APPROVED:
        action.apply(approval, at)
    else:
        action.refuse(approval, at)

"""The matrix operation x amount -> factors: read, and changed by two persons (VER-1, VER-10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import DomainError, Malformed
from foundation import actor, money, registries
from foundation.models import Approval, User
from foundation.money import MAX_MINOR, Money
from foundation.registries import ApprovalAction, Risk
from foundation.services import approval as approvals
from foundation.services import audit
from merchants.models import VerificationRule
from merchants.services import house, one_time_code

CHANGE: Final = "merchants.verification_rule"


class OperationNotVerifiable(DomainError):
    """No rule says which proofs this operation needs, so none is good enough."""

    code = "verification_rule_missing"
    http_status = 403


class RuleMalformed(Malformed):
    """A rule names an operation, factor, currency or amount that does not exist."""

    code = "verification_rule_malformed"

    @property
    def field(self) -> str:
        """Where in a form it belongs."""
        return str(self.details["field"])


@dataclass(frozen=True, slots=True)
class Needed:
    """The proofs of one act, in their order; those `by_others` wait until the own are right."""

    factors: tuple[str, ...]
    together: bool
    stepped_up: bool = False

    @property
    def by_others(self) -> tuple[str, ...]:
        """The factors that somebody else gives."""
        return tuple(name for name in self.factors if is_by_others(name))


def is_by_others(name: str) -> bool:
    """Return whether somebody else than the asking person gives this factor."""
    return registries.verification_factors.get(name).by_others


def needed(*, operation: str, amount: Money) -> Needed:
    """
    Return what an operation of that size needs: the row of the currency before the row of all, and
    of those the highest tier reached.

    Raises: OperationNotVerifiable; NotRegistered for an operation nobody declared (a bug).
    Rule:   VER-1.
    """
    registries.verified_operations.get(operation)
    rule = _tiers(operation, amount.currency).filter(from_amount_minor__lte=amount.minor).first()
    if rule is None:
        raise OperationNotVerifiable(_("Nobody may do this yet: no rule names the proofs."))
    return Needed(tuple(rule.factors), rule.together)


def needed_of(*, operation: str, amount: Money, user: User, at: datetime) -> Needed:
    """
    Return what this person must prove now: for a while after a new device that of the next tier.

    Where there is no next tier a one-time code comes on top. What others would have to do in
    the next tier is not asked: the amount is not that large. Raises as `needed`. Rule: VER-9.
    """
    usual = needed(operation=operation, amount=amount)
    if not registries.step_up_needed(user=user, at=at):
        return usual
    above = (
        _tiers(operation, amount.currency)
        .filter(from_amount_minor__gt=amount.minor)
        .order_by("-currency", "from_amount_minor")
        .first()
    )
    more = [one_time_code.NAME] if above is None else above.factors
    added = [name for name in more if name not in usual.factors and not is_by_others(name)]
    if above is not None and not added and one_time_code.NAME not in usual.factors:
        added = [one_time_code.NAME]
    own = [name for name in usual.factors if not is_by_others(name)]
    together = usual.together or (above is not None and above.together)
    return Needed((*own, *added, *usual.by_others), together, stepped_up=True)


def propose(
    *,
    operation: str,
    currency: str,
    from_amount_minor: int,
    factors: Sequence[str],
    together: bool,
    in_force: bool,
    reason: str,
    maker: User,
    at: datetime,
    expires_at: datetime,
) -> Approval:
    """
    Propose a row of the matrix as it shall be; another person decides.

    Raises: RuleMalformed, AlreadyProposed. Rule: VER-10, AP-1.
    """
    content = {
        "operation": operation,
        "currency": currency,
        "from_amount_minor": from_amount_minor,
        "factors": list(factors),
        "together": together,
        "in_force": in_force,
    }
    _require_sound(content)
    known = _row(content)
    return approvals.propose(
        action=CHANGE,
        merchant_id=house.house().id,
        subject=f"{operation}:{currency or '*'}:{from_amount_minor}",
        before={} if known is None else _content(known),
        after=content,
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=expires_at,
    )


def _require_sound(content: dict[str, Any]) -> None:
    if content["operation"] not in registries.verified_operations:
        raise RuleMalformed(_("There is no such operation."), field="operation")
    if content["currency"]:
        money.exponent(content["currency"])
    if not 0 <= content["from_amount_minor"] <= MAX_MINOR:
        raise RuleMalformed(_("The amount is out of range."), field="from_amount")
    factors = content["factors"]
    if len(set(factors)) != len(factors) or any(
        name not in registries.verification_factors for name in factors
    ):
        raise RuleMalformed(_("There is no such factor."), field="factors")
    if all(is_by_others(name) for name in factors):
        raise RuleMalformed(
            _("At least one factor must be given by the person himself."), field="factors"
        )
    declared = registries.verified_operations.get(content["operation"])
    if declared.resume is None and any(is_by_others(name) for name in factors):
        raise RuleMalformed(_("This operation cannot wait for somebody else."), field="factors")


def _apply(approval: Approval, at: datetime) -> None:
    """Write the row exactly as it was approved; the database compares again."""
    _require_sound(approval.after)
    actor.stamp_transaction()
    row = _row(approval.after, lock=True)
    before = None if row is None else _content(row)
    if row is None:
        row = VerificationRule()
    for name, value in approval.after.items():
        setattr(row, name, value)
    row.approval_id = approval.id
    row.save()
    audit.record(
        merchant_id=approval.merchant_id,
        action="verification_rule.change",
        object_kind="verification_rule",
        object_id=str(row.id),
        before=before,
        after=_content(row),
        note=approval.reason,
    )


def _describe(approval: Approval) -> str:
    operation = approval.after["operation"]
    known = operation in registries.verified_operations
    words = {
        "operation": registries.verified_operations.get(operation).title if known else operation
    }
    return _("Change what must be proved for: %(operation)s") % words


def _row(content: dict[str, Any], *, lock: bool = False) -> VerificationRule | None:
    rows = VerificationRule.objects.filter(
        operation=content["operation"],
        currency=content["currency"],
        from_amount_minor=content["from_amount_minor"],
    )
    return (rows.select_for_update() if lock else rows).first()


def _content(row: VerificationRule) -> dict[str, Any]:
    return {
        "operation": row.operation,
        "currency": row.currency,
        "from_amount_minor": row.from_amount_minor,
        "factors": list(row.factors),
        "together": row.together,
        "in_force": row.in_force,
    }


def _tiers(operation: str, currency: str) -> QuerySet[VerificationRule]:
    """Return the rows in force for an operation, those of the currency first, highest first."""
    return VerificationRule.objects.filter(
        Q(currency=currency) | Q(currency=""), operation=operation, in_force=True
    ).order_by("-currency", "-from_amount_minor")


ACTION: Final = ApprovalAction(
    CHANGE,
    _apply,
    _describe,
    permission="merchants.approve_verificationrule",
    title=gettext_lazy("Verification rule"),
    risk=Risk.HIGH,
)

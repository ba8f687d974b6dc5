"""The tiers of approvals, which only an approval changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import Malformed
from foundation import actor, registries
from foundation.models import Approval, ApprovalPolicy, User
from foundation.money import Money, exponent
from foundation.registries import ApprovalAction, Risk
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import audit

ACTION: Final = "foundation.approval_policy"
MOST_CHECKERS: Final = 5
DECIDE_WITHIN: Final = timedelta(days=7)


class TierRefused(Malformed):
    """The tier names no action, no amount, or a number of checkers that is none."""

    code = "approval_tier_refused"


def propose(
    *,
    action: str,
    currency: str,
    from_amount_minor: int,
    checkers_needed: int,
    reason: str,
    maker: User,
    at: datetime,
) -> Approval:
    """
    Propose that an action needs so many checkers from an amount on; 0 takes the tier away.

    As many persons must agree as the strictest tier of the action asks for, before or after: three
    checkers are not made one by one. Minor units; currency "" means every currency.
    Raises TierRefused, CurrencyUnknown, AlreadyProposed. Rule: AP-11.
    """
    if action not in registries.approval_actions:
        raise TierRefused(_("There is no such kind of proposal."), field="action")
    if currency:
        exponent(currency)  # refuses what is no currency
    if from_amount_minor < 0 or from_amount_minor > 10**15:
        raise TierRefused(_("The amount is none that a tier can have."), field="from_amount")
    if not 0 <= checkers_needed <= MOST_CHECKERS:
        raise TierRefused(
            _("Between 0 and %(most)s checkers.") % {"most": MOST_CHECKERS},
            field="checkers_needed",
        )
    known = _tier(action, currency, from_amount_minor)
    if (0 if known is None else known.checkers_needed) == checkers_needed:
        raise TierRefused(_("The tier says this already."), field="checkers_needed")
    strictest = ApprovalPolicy.objects.filter(action=action).aggregate(most=Max("checkers_needed"))
    return approvals.propose(
        action=ACTION,
        merchant_id=house_id(),
        subject=f"{action}:{currency}:{from_amount_minor}",
        before={"checkers_needed": 0 if known is None else known.checkers_needed},
        after={
            "action": action,
            "currency": currency,
            "from_amount_minor": from_amount_minor,
            "checkers_needed": checkers_needed,
        },
        money_effect=None,
        reason=reason,
        maker=maker,
        at=at,
        expires_at=at + DECIDE_WITHIN,
        checkers_at_least=max(strictest["most"] or 1, checkers_needed, 1),
    )


def _tier(action: str, currency: str, from_amount_minor: int) -> ApprovalPolicy | None:
    found = ApprovalPolicy.objects.filter(
        action=action, currency=currency, from_amount_minor=from_amount_minor
    )
    return found.first()


def _apply(approval: Approval, at: datetime) -> None:
    """Write, change or take away the tier; the database compares it with the approval."""
    after = approval.after
    key = {name: after[name] for name in ("action", "currency", "from_amount_minor")}
    actor.stamp_transaction()
    if after["checkers_needed"] == 0:
        ApprovalPolicy.objects.filter(**key).delete()
    else:
        ApprovalPolicy.objects.update_or_create(
            **key,
            defaults={
                "checkers_needed": after["checkers_needed"],
                "approval_id": approval.id,
            },
        )
    audit.record(
        merchant_id=approval.merchant_id,
        action="approval_policy.change",
        object_kind="approval_policy",
        object_id=approval.subject,
        before=approval.before,
        after=after,
        note=approval.reason,
    )


def _describe(approval: Approval) -> str:
    after = approval.after
    amount = after["from_amount_minor"]
    shown = str(Money(amount, after["currency"])) if after["currency"] else f"{amount:,}"
    words = {
        "action": registries.title_of(after["action"]),
        "amount": shown,
        "checkers": after["checkers_needed"],
    }
    if after["checkers_needed"] == 0:
        return _("%(action)s from %(amount)s: no tier any more") % words
    return _("%(action)s from %(amount)s: %(checkers)s checkers") % words


APPROVAL_ACTION: Final = ApprovalAction(
    ACTION,
    _apply,
    _describe,
    permission="foundation.approve_approvalpolicy",
    title=gettext_lazy("Change of an approval tier"),
    risk=Risk.HIGH,
)

"""Approval tiers, made the only way there is: proposed by one person, approved by others."""

from __future__ import annotations

from datetime import UTC, datetime

from foundation.models import Approval, ApprovalPolicy
from foundation.services import approval as approvals
from foundation.services import approval_policy
from tests.factories.foundation import UserFactory

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def tier(
    action: str, *, from_amount_minor: int = 0, currency: str = "", checkers_needed: int = 1
) -> None:
    """Put a tier in force, if it is not yet."""
    key = {"action": action, "currency": currency, "from_amount_minor": from_amount_minor}
    if ApprovalPolicy.objects.filter(**key, checkers_needed=checkers_needed).exists():
        return
    approval = approval_policy.propose(
        action=action,
        currency=currency,
        from_amount_minor=from_amount_minor,
        checkers_needed=checkers_needed,
        reason="a test",
        maker=UserFactory(),
        at=_AT,
    )
    approve(approval, at=_AT)


def approve(approval: Approval, *, at: datetime) -> Approval:
    """Approve a proposal by as many persons as it needs."""
    for _ in range(approval.checkers_needed):
        approval = approvals.decide(
            approval_id=approval.id,
            merchant_id=approval.merchant_id,
            checker=UserFactory(is_superuser=True),
            approve=True,
            reason="",
            seen_sha256=approval.content_sha256,
            at=at,
        )
    return approval

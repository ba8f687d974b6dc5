"""What `verify` asks of proposals: that each is what was decided on."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q

from foundation.models import Approval, ApprovalDecision
from foundation.registries import Finding
from foundation.services import approval_stamp as stamps
from foundation.services.approval import content_sha256


def standing_proposals() -> Iterable[Finding]:
    """
    A1: a proposal has the content of its hash, ended as its checkers decided (I11), and neither it
    nor a decision on it was written by anything but the product (AP-16).
    """
    found = Approval.objects.annotate(
        yes=Count("decisions", filter=Q(decisions__approves=True)),
        no=Count("decisions", filter=Q(decisions__approves=False)),
    )
    for approval in found.iterator(chunk_size=2000):
        if content_sha256(approval) != approval.content_sha256:
            yield _proposal(approval, "the content of its hash", "another")
        if not stamps.is_proposal(approval):
            yield _proposal(approval, "written by the product", "written by something else")
        decided = {
            Approval.State.APPROVED: approval.yes >= approval.checkers_needed and not approval.no,
            Approval.State.REJECTED: approval.no > 0,
            Approval.State.PROPOSED: approval.yes < approval.checkers_needed and not approval.no,
        }
        if not decided.get(Approval.State(approval.state), True):
            words = f"{approval.state}, {approval.yes} for it, {approval.no} against"
            yield _proposal(approval, f"decided by {approval.checkers_needed}", words)
    for made in ApprovalDecision.objects.select_related("approval").iterator(chunk_size=2000):
        if not stamps.is_decision(made):
            words = f"that of {made.checker_id} was written by something else"
            yield _proposal(made.approval, "decisions by the product", words)


def _proposal(approval: Approval, expected: str, found: str) -> Finding:
    return Finding(
        check="A1",
        merchant_id=approval.merchant_id,
        currency=approval.effect_currency,
        subject=f"approval {approval.id}",
        expected=expected,
        found=found,
        message="A proposal is not what was decided on.",
    )

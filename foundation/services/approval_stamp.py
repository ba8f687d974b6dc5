"""
The stamps by which proposals and decisions that the product wrote are told from rows that somebody
wrote with SQL in a colleague's name. LOOKUP_KEY, which makes them, is not in the database.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC
from typing import Any, Final

from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import canonical, crypto
from foundation.models import Approval, ApprovalDecision

_PROPOSAL: Final = b"approval"
_DECISION: Final = b"decision"
_NONCE_BYTES: Final = 16


class NotOurs(DomainError):
    """A proposal, or a decision on it, was not written by the product; nothing comes of it."""

    code = "approval_not_ours"


def proposal(approval: Approval) -> str:
    """
    Return a new stamp for a proposal that is about to be stored. It has a nonce and is unique, so a
    copied row is refused by the database. Rule: AP-16 (docs/rules/approvals.md).
    """
    return _proposal(approval, secrets.token_hex(_NONCE_BYTES))


def decision(made: ApprovalDecision) -> str:
    """Return the stamp of a decision; there is one of each person on each proposal. Rule: AP-16."""
    said = {
        "merchant": made.merchant_id,
        "approval": made.approval_id,
        "content": made.content_sha256,
        "checker": made.checker_id,
        "checker_person": made.checker_person_id,
        "delegation": made.delegation_id,
        "delegator_person": made.delegator_person_id,
        "approves": made.approves,
        "reason": made.reason,
        "decided_at": made.decided_at.astimezone(UTC),
        "actor": made.actor,
        "request_id": made.request_id,
    }
    return crypto.stamp(canonical.encode(said), _DECISION)


def is_proposal(approval: Approval) -> bool:
    """Return whether the product wrote this proposal, as it stands."""
    nonce = approval.stamp.partition(":")[0]
    return hmac.compare_digest(approval.stamp.encode(), _proposal(approval, nonce).encode())


def is_decision(made: ApprovalDecision) -> bool:
    """Return whether the product wrote this decision, as it stands."""
    return hmac.compare_digest(made.stamp.encode(), decision(made).encode())


def require(approval: Approval) -> None:
    """Raise NotOurs unless the product wrote the proposal and every decision on it so far."""
    decisions = ApprovalDecision.objects.filter(
        merchant_id=approval.merchant_id, approval_id=approval.id
    )
    if not (is_proposal(approval) and all(is_decision(made) for made in decisions)):
        raise NotOurs(
            _(
                "This proposal, or a decision on it, was not written by this program:"
                " tell whoever runs it. Nothing comes of it."
            )
        )


def _proposal(approval: Approval, nonce: str) -> str:
    said: dict[str, Any] = {
        "nonce": nonce,
        "merchant": approval.merchant_id,
        "content": approval.content_sha256,
        "maker_person": approval.maker_person_id,
        "permission": approval.permission,
        "checkers_needed": approval.checkers_needed,
        "actor": approval.actor,
        "request_id": approval.request_id,
    }
    return f"{nonce}:{crypto.stamp(canonical.encode(said), _PROPOSAL)}"

"""A kind of proposal that only carries papers, for the tests of attachments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from foundation.models import Approval
from foundation.services import approval as approvals
from foundation.services.attachment import NewAttachment
from tests.factories.foundation import UserFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def propose(merchant_id: int, *papers: NewAttachment) -> Approval:
    """Propose it with these papers."""
    return approvals.propose(
        action="tests.paper", merchant_id=merchant_id, subject="s:1", before={}, after={},
        money_effect=None, reason="r", maker=UserFactory(), at=NOON,
        expires_at=NOON + timedelta(days=1), attachments=papers,
    )  # fmt: skip

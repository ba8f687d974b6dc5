"""What ends by the clock: one proposal that cannot be undone keeps no other from its end."""

from datetime import UTC, datetime, timedelta

import pytest

from config.errors import DomainError
from foundation import registries
from foundation.models import Approval
from foundation.registries import ApprovalAction
from foundation.services import approval as approvals
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


class ThingGone(DomainError):
    """What the proposal was about is not there any more."""


def stuck(_approval: Approval, _at: datetime) -> None:
    raise ThingGone("the thing is gone")


def propose(merchant_id: int, action: str, hours: int) -> Approval:
    return approvals.propose(
        action=action, merchant_id=merchant_id, subject="thing:1", before={}, after={},
        money_effect=None, reason="r", maker=UserFactory(), at=NOON,
        expires_at=NOON + timedelta(hours=hours),
    )  # fmt: skip


def test_expires_the_others_when_one_cannot_be_undone(merchant_id, monkeypatch):
    registry = registries.Registry("approval_actions")
    registry.register("tests.a_stuck", ApprovalAction("tests.a_stuck", stuck, str, refuse=stuck))
    registry.register("tests.b_fine", ApprovalAction("tests.b_fine", stuck, str))
    monkeypatch.setattr(registries, "approval_actions", registry)
    first = propose(merchant_id, "tests.a_stuck", hours=1)
    second = propose(merchant_id, "tests.b_fine", hours=2)

    with pytest.raises(ThingGone):
        approvals.expire_due(at=NOON + timedelta(hours=3))

    assert Approval.objects.get(id=first.id).state == "PROPOSED"
    assert Approval.objects.get(id=second.id).state == "EXPIRED"

"""A merchant that came by an approved application, so that its telephone number is on file."""

from __future__ import annotations

from foundation.services import approval as approvals
from merchants.models import Merchant
from merchants.services import application_review as reviews
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory


def merchant_with_phone() -> Merchant:
    """Return a merchant whose approved application names a contact with a telephone."""
    application = factory.submitted(UserFactory(is_staff=True))
    reviewer = UserFactory(is_staff=True)
    reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
    proposal = reviews.propose(
        application_id=application.id, reviewer=reviewer, risk_grade=1, reason="", at=AT
    )
    approvals.decide(
        approval_id=proposal.id,
        merchant_id=proposal.merchant_id,
        checker=UserFactory(is_staff=True, is_superuser=True),
        approve=True,
        reason="",
        seen_sha256=proposal.content_sha256,
        at=AT,
    )
    application.refresh_from_db()
    assert application.became is not None
    return application.became

"""Merchants with papers, the only way there is: applications that were approved."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from foundation.models import Approval, User
from foundation.services import approval as approvals
from merchants.models import Application, Merchant
from merchants.services import application_review as reviews
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory


def staff() -> User:
    """Return a new person who may do everything but what his own hand was in."""
    user: User = UserFactory(is_staff=True, is_superuser=True)
    return user


def approved(
    *, at: datetime = AT, risk_grade: int = 1, identity_until: date | None = None, **profile: Any
) -> Merchant:
    """Return a merchant taken on at that moment, with the ends of papers given."""
    owner = factory.OWNER | {"identity_until": identity_until or factory.OWNER["identity_until"]}
    application = factory.submitted(staff(), owners=[owner], **profile)
    agree(propose(application, risk_grade=risk_grade, at=at), at=at)
    application.refresh_from_db()
    assert application.became is not None
    return application.became


def propose(application: Application, *, risk_grade: int = 1, at: datetime = AT) -> Approval:
    """Pass the first review of an application, by another person."""
    reviewer = staff()
    reviews.begin(application_id=application.id, reviewer=reviewer, at=at)
    return reviews.propose(
        application_id=application.id, reviewer=reviewer, risk_grade=risk_grade, reason="fine",
        at=at,
    )  # fmt: skip


def agree(approval: Approval, *, at: datetime, approve: bool = True) -> None:
    """Decide on a proposal as a new person."""
    approvals.decide(
        approval_id=approval.id, merchant_id=approval.merchant_id, checker=staff(),
        approve=approve, reason="seen", seen_sha256=approval.content_sha256, at=at,
    )  # fmt: skip

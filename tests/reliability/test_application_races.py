"""Two at once on one application: one wins, the other is told why, nothing is half done."""

from __future__ import annotations

import pytest

from foundation.models import User
from foundation.services import approval as approvals
from merchants.models import (
    Application,
    ApplicationEvidence,
    ApplicationVersion,
    BankAccount,
    Merchant,
)
from merchants.services import application as applications
from merchants.services import application_review as reviews
from merchants.services.application_step import IllegalStep
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory
from tests.racing import at_once


@pytest.fixture
def people(cloned_db: str) -> list[User]:
    return [UserFactory(is_staff=True, is_superuser=True) for _ in range(5)]


class TestTwoAtOnce:
    def test_submit_one_version(self, people):
        application = factory.draft(people[0])

        ended = at_once(
            *[
                lambda: applications.submit(
                    application_id=application.id, revision=application.revision,
                    maker=people[0], at=AT,
                )
            ] * 4
        )  # fmt: skip

        assert ended == {"done": 1, applications.NotOpen.__name__: 3}
        assert ApplicationVersion.objects.count() == 1

    def test_save_one_revision(self, people):
        application = applications.begin(maker=people[0], at=AT)

        ended = at_once(
            *[
                lambda name=name: applications.save(
                    application_id=application.id, revision=0, maker=people[0],
                    profile={"name": name},
                )
                for name in ("a", "b", "c", "d")
            ]
        )  # fmt: skip

        assert ended == {"done": 1, applications.ChangedMeanwhile.__name__: 3}

    def test_begin_one_review(self, people):
        application = factory.submitted(people[0])

        ended = at_once(
            *[
                lambda who=who: reviews.begin(application_id=application.id, reviewer=who, at=AT)
                for who in people[1:]
            ]
        )

        assert ended == {"done": 1, IllegalStep.__name__: 3}
        assert Application.objects.get().transitions.count() == 3

    def test_make_one_merchant(self, people):
        application = factory.submitted(people[0])
        reviews.begin(application_id=application.id, reviewer=people[1], at=AT)
        proposal = reviews.propose(
            application_id=application.id, reviewer=people[1], risk_grade=1, reason="", at=AT
        )

        ended = at_once(
            *[
                lambda who=who: approvals.decide(
                    approval_id=proposal.id, merchant_id=proposal.merchant_id, checker=who,
                    approve=True, reason="", seen_sha256=proposal.content_sha256, at=AT,
                )
                for who in people[2:]
            ]
        )  # fmt: skip

        assert ended["done"] == 1
        assert Merchant.objects.filter(kind="MERCHANT").count() == 1
        assert BankAccount.objects.count() == 1
        assert ApplicationEvidence.objects.count() == 1

"""Two pairs of eyes: the first review, the second person's approval, and what becomes of it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foundation import registries
from foundation.models import Approval, AuditEvent, User
from foundation.services import approval as approvals
from ledger.models import Account
from merchants.models import (
    Application,
    ApplicationEvidence,
    BankAccount,
    Invitation,
    Merchant,
)
from merchants.selectors import application as selectors
from merchants.services import application as applications
from merchants.services import application_review as reviews
from merchants.services.application_step import HadAHand, IllegalStep
from settlement.models import Schedule
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory


@pytest.fixture
def maker(cloned_db: str) -> User:
    return somebody()


@pytest.fixture
def reviewer(cloned_db: str) -> User:
    return somebody()


@pytest.fixture
def checker(cloned_db: str) -> User:
    return somebody()


def somebody(**more: Any) -> User:
    user: User = UserFactory(is_staff=True, is_superuser=True, **more)
    return user


def in_review(maker: User, reviewer: User, **profile: Any) -> Application:
    application = factory.submitted(maker, **profile)
    return reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)


def proposed(application: Application, reviewer: User, **more: Any) -> Approval:
    sent = {"risk_grade": 1, "reason": "fine", "at": AT} | more
    return reviews.propose(application_id=application.id, reviewer=reviewer, **sent)


def decide(approval: Approval, checker: User, *, approve: bool = True, at: datetime = AT) -> None:
    approvals.decide(
        approval_id=approval.id, merchant_id=approval.merchant_id, checker=checker,
        approve=approve, reason="seen", seen_sha256=approval.content_sha256, at=at,
    )  # fmt: skip


class TestFirstReview:
    def test_is_not_done_by_who_had_a_hand(self, maker):
        application = factory.submitted(maker)

        for person in (maker, somebody(person=maker.person)):
            with pytest.raises(HadAHand):
                reviews.begin(application_id=application.id, reviewer=person, at=AT)

    def test_is_not_done_by_who_is_a_contact_of_the_applicant(self, maker):
        application = factory.submitted(maker)
        owner = somebody(email="Chen.Li+work@Example.com")

        for person in (owner, somebody(person=owner.person, email="other@example.com")):
            with pytest.raises(HadAHand):
                reviews.begin(application_id=application.id, reviewer=person, at=AT)

    def test_returns_with_comments_which_the_maker_sees_and_answers(self, maker, reviewer):
        application = in_review(maker, reviewer)

        reviews.give_back(
            application_id=application.id, reviewer=reviewer, at=AT, reason="",
            comments={"address": "the street is missing", "name": "  "},
        )  # fmt: skip

        application.refresh_from_db()
        assert application.state == "RETURNED"
        assert str(application.due_date) == "2026-03-16"
        said = selectors.comments(application)
        assert {path: [c.text for c in found] for path, found in said.items()} == {
            "address": ["the street is missing"]
        }
        applications.save(
            application_id=application.id, revision=application.revision, maker=maker,
            profile={"address": "龙井路 2 号"}, owners=[factory.OWNER],
            contacts=[factory.CONTACT], sites=[factory.SITE],
        )  # fmt: skip
        application.refresh_from_db()
        again = applications.submit(
            application_id=application.id, revision=application.revision, maker=maker, at=AT
        )
        assert (again.state, again.version_no, again.due_date) == ("SUBMITTED", 2, None)
        assert [v.number for v in application.versions.order_by("number")] == [1, 2]
        assert selectors.comments(again) == {}

    def test_says_something_when_it_returns_or_refuses(self, maker, reviewer):
        application = in_review(maker, reviewer)

        with pytest.raises(reviews.SayWhy):
            reviews.give_back(
                application_id=application.id, reviewer=reviewer, comments={"name": ""},
                reason=" ", at=AT,
            )  # fmt: skip
        with pytest.raises(reviews.SayWhy):
            reviews.refuse(application_id=application.id, reviewer=reviewer, reason="", at=AT)

    def test_refuses_for_good(self, maker, reviewer):
        application = in_review(maker, reviewer)

        reviews.refuse(application_id=application.id, reviewer=reviewer, reason="no", at=AT)

        application.refresh_from_db()
        assert application.state == "REJECTED"
        with pytest.raises(IllegalStep):
            reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
        with pytest.raises(applications.NotOpen):
            applications.save(
                application_id=application.id, revision=application.revision, maker=maker,
                profile={},
            )  # fmt: skip

    def test_proposes_only_what_the_risk_grade_allows(self, maker, reviewer):
        application = in_review(maker, reviewer, products=["t0"])

        with pytest.raises(applications.Incomplete):
            proposed(application, reviewer, risk_grade=2)

        assert not Approval.objects.exists()
        assert proposed(application, reviewer, risk_grade=1).state == "PROPOSED"

    def test_is_proposed_by_who_did_it_and_waits(self, maker, reviewer):
        application = in_review(maker, reviewer)
        with pytest.raises(IllegalStep):
            proposed(application, somebody())
        proposed(application, reviewer)

        with pytest.raises(IllegalStep, match=r"withdraw|撤回"):
            reviews.refuse(application_id=application.id, reviewer=reviewer, reason="no", at=AT)


class TestApproval:
    def test_makes_a_merchant_with_account_schedule_and_evidence(self, maker, reviewer, checker):
        application = in_review(maker, reviewer, schedule="D2")
        heard: list[dict[str, Any]] = []
        registries.lifecycle_listeners.register("test", lambda **said: heard.append(said))
        try:
            decide(proposed(application, reviewer), checker)
        finally:
            del registries.lifecycle_listeners._items["test"]

        application.refresh_from_db()
        merchant = Merchant.objects.get(kind="MERCHANT")
        assert (application.state, application.became) == ("APPROVED", merchant)
        assert application.second_reviewer == checker
        assert merchant.merchant_no == f"M2603{merchant.id:07d}"
        assert (merchant.status, merchant.name) == ("ACTIVE", factory.PROFILE["name"])
        account = BankAccount.objects.get(merchant=merchant)
        assert (account.status, account.approved_payee) == ("UNVERIFIED", False)
        assert account.number == factory.CARD
        assert Schedule.objects.get(merchant=merchant).code == "D2"
        kinds = Account.objects.filter(merchant=merchant).values_list("kind_id", flat=True)
        assert set(kinds) == {"merchant_pending", "merchant_available"}
        (said,) = heard
        assert said["event"] == "merchant.approved"
        assert said["payload"]["owner"].email == factory.CONTACT["email"]
        assert factory.CONTACT["email"] not in repr(said)
        invitation = Invitation.objects.get(merchant=merchant)
        assert (invitation.email, invitation.role) == (factory.CONTACT["email"], "OWNER")

    def test_keeps_evidence_of_exactly_what_was_approved(self, maker, reviewer, checker):
        application = in_review(maker, reviewer)
        decide(proposed(application, reviewer), checker)

        evidence = ApplicationEvidence.objects.get()
        kept = json.loads(evidence.content)
        assert evidence.sha256 == hashlib.sha256(evidence.content.encode()).hexdigest()
        assert kept["version"]["sha256"] == applications.latest_version(application).sha256
        documents = {one["sha256"] for one in kept["version"]["content"]["documents"]}
        assert documents == set(application.documents.values_list("sha256", flat=True))
        assert [step["to"] for step in kept["steps"]] == [
            "DRAFT", "SUBMITTED", "FIRST_REVIEW", "APPROVED",
        ]  # fmt: skip
        assert kept["approval"]["decisions"][0]["by"] == str(checker.id)
        for secret in (factory.CARD, factory.IDENTITY, factory.PHONE):
            assert secret not in evidence.content
        assert AuditEvent.objects.filter(action="application.approve").count() == 2

    def test_is_not_by_a_maker_nor_by_the_first_reviewer(self, maker, reviewer):
        application = in_review(maker, reviewer)
        approval = proposed(application, reviewer)

        for person in (maker, somebody(person=maker.person)):
            with pytest.raises(HadAHand):
                decide(approval, person)
        for person in (reviewer, somebody(person=reviewer.person)):
            with pytest.raises(approvals.SelfApprovalForbidden):
                decide(approval, person)
        assert not Merchant.objects.filter(kind="MERCHANT").exists()

    def test_is_not_by_who_is_a_contact_of_the_applicant(self, maker, reviewer):
        approval = proposed(in_review(maker, reviewer), reviewer)

        with pytest.raises(approvals.CheckerGains):
            decide(approval, somebody(email=factory.CONTACT["email"]))

        approval.refresh_from_db()
        assert approval.state == "PROPOSED"

    def test_is_refused_when_the_licence_has_run_out_meanwhile(self, maker, reviewer, checker):
        until = (AT + timedelta(days=2)).date()
        approval = proposed(in_review(maker, reviewer, licence_until=until), reviewer)

        with pytest.raises(applications.Incomplete):
            decide(approval, checker, at=datetime(2026, 3, 6, tzinfo=UTC))

        approval.refresh_from_db()
        assert approval.state == "PROPOSED"

    @pytest.mark.parametrize(
        "swapped",
        [{"account_number": "4111111111111111"}, {"risk_grade": 2}],
        ids=["account", "risk grade"],
    )
    def test_is_refused_when_something_else_was_put_in_its_place(
        self, maker, reviewer, checker, swapped
    ):
        application = in_review(maker, reviewer)
        approval = proposed(application, reviewer)
        application.refresh_from_db()
        for name, value in swapped.items():
            setattr(application, name, value)
        application.save(update_fields=list(swapped))  # the database lets it: keys rotate

        with pytest.raises(IllegalStep):
            decide(approval, checker)

        assert not Merchant.objects.filter(kind="MERCHANT").exists()

    def test_refused_by_the_second_person_leads_back_to_the_first(self, maker, reviewer, checker):
        application = in_review(maker, reviewer)

        decide(proposed(application, reviewer), checker, approve=False)

        application.refresh_from_db()
        assert (application.state, application.approval) == ("FIRST_REVIEW", None)
        decide(proposed(application, reviewer), checker)
        application.refresh_from_db()
        assert application.state == "APPROVED"

    def test_of_a_technical_service_opens_no_accounts(self, maker, reviewer, checker):
        application = in_review(maker, reviewer, contract_type="TECHNICAL")

        decide(proposed(application, reviewer), checker)

        merchant = Merchant.objects.get(kind="MERCHANT")
        assert merchant.status == "ACTIVE"
        assert not Account.objects.filter(merchant=merchant).exists()
        assert not BankAccount.objects.exists()

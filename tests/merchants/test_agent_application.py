"""By whom an applicant comes: chosen in the form, shown to the reviewer, frozen, then in force."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group
from django.db import Error
from django.test import Client
from django.urls import reverse

from foundation.models import Approval, User
from foundation.services import approval as approvals
from merchants.models import ApplicationEvidence, ApplicationVersion, MerchantAgent
from merchants.services import application as applications
from merchants.services import application_review as reviews
from tests.factories import agent as make
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db


def somebody(role: str) -> User:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name=role))
    return user


def passed(agent_no: str) -> Approval:
    application = factory.submitted(somebody("operator"), agent_no=agent_no)
    reviewer = somebody("reviewer")
    reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
    return reviews.propose(
        application_id=application.id, reviewer=reviewer, risk_grade=1, reason="", at=AT
    )


def decide(proposal: Approval) -> None:
    approvals.decide(
        approval_id=proposal.id, merchant_id=proposal.merchant_id, checker=somebody("checker"),
        approve=True, reason="", seen_sha256=proposal.content_sha256, at=AT,
    )  # fmt: skip


class TestAnApplicant:
    def test_becomes_a_merchant_of_its_agent_with_the_chain_in_the_evidence(self):
        top = make.agent("TOP")
        make.agent("LOW", below=top)
        proposal = passed("LOW")
        version = ApplicationVersion.objects.get()
        assert json.loads(version.content)["agent_no"] == "LOW"

        decide(proposal)

        line = MerchantAgent.objects.get()
        assert (line.agent.number, line.sequence, line.approval_id) == ("LOW", 1, None)
        assert line.merchant.agent == line.agent
        evidence = json.loads(ApplicationEvidence.objects.get().content)
        assert evidence["agent"] == ["LOW", "TOP"]

    def test_is_not_taken_on_by_an_agent_that_was_stopped_meanwhile(self):
        one = make.agent()
        proposal = passed(one.number)
        make.change(one, state="STOPPED")

        with pytest.raises(applications.Incomplete) as refusal:
            decide(proposal)

        assert [due.path for due in refusal.value.due] == ["agent_no"]
        assert not MerchantAgent.objects.exists()

    @pytest.mark.parametrize("brought_by", ["other", None])
    def test_is_taken_on_by_no_agent_but_the_one_that_was_shown(self, monkeypatch, brought_by):
        """Whatever the service does, the database compares merchant and application."""
        one, other = make.agent(), make.agent()
        proposal = passed(one.number)
        monkeypatch.setattr(
            "merchants.services.agent.bringing",
            lambda number, **_: other if brought_by else None,
        )
        with pytest.raises(Error, match="merchant_not_agreed"):
            decide(proposal)
        assert not MerchantAgent.objects.exists()

    def test_names_an_agent_that_is_there_and_brings_merchants(self):
        stopped = make.change(make.agent(), state="STOPPED")
        maker = somebody("operator")
        for number in ("nobody", stopped.number, "a\0"):
            application = factory.draft(maker)
            saved = applications.save(
                application_id=application.id, revision=application.revision, maker=maker,
                profile={"agent_no": number},
            )  # fmt: skip
            assert list(saved.problems) == ["agent_no"]
            assert saved.application.agent_no == ""

    def test_is_shown_with_the_chain_and_what_became_of_its_merchants(self):
        top = make.agent()
        low = make.agent(below=top)
        application = factory.submitted(somebody("operator"), agent_no=low.number)
        client = Client()
        client.force_login(somebody("reviewer"))

        page = client.get(reverse("admin:merchants_application_change", args=[application.pk]))

        text = page.content.decode()
        assert text.index(top.name) < text.index(low.name)
        assert page.context["agent_record"].merchants == 0

    def test_is_entered_by_a_field_that_offers_the_active_agents(self):
        one, other = make.agent(), make.agent()
        make.change(other, state="STOPPED")
        maker = somebody("operator")
        application = factory.draft(maker)
        client = Client()
        client.force_login(maker)

        form = client.get(reverse("admin:application_form", args=[application.pk]))

        text = form.content.decode()
        assert f'<option value="{one.number}">' in text
        assert f'<option value="{other.number}">' not in text

"""Who is answerable for merchants that were frozen later, and what waits for whom."""

from __future__ import annotations

import hashlib

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import User
from foundation.services import approval as approvals
from merchants.models import Application, Merchant
from merchants.services import application_review as reviews
from tests.factories import application as factory
from tests.factories import merchant_state
from tests.factories.application import AT
from tests.factories.foundation import UserFactory


def somebody(role: str) -> User:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name=role))
    return user


def door(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def taken_on(maker: User, reviewer: User, checker: User) -> Merchant:
    application = factory.submitted(maker)
    reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
    proposal = reviews.propose(
        application_id=application.id, reviewer=reviewer, risk_grade=1, reason="", at=AT
    )
    approvals.decide(
        approval_id=proposal.id, merchant_id=proposal.merchant_id, checker=checker, approve=True,
        reason="", seen_sha256=proposal.content_sha256, at=AT,
    )  # fmt: skip
    application.refresh_from_db()
    assert application.became is not None
    return application.became


@pytest.mark.django_db
class TestMerchantsByPerson:
    def test_count_each_part_and_those_that_were_frozen_later(self):
        maker, reviewer, checker = (somebody(r) for r in ("operator", "reviewer", "checker"))
        second = UserFactory(is_staff=True, person=reviewer.person, language="en")
        frozen = taken_on(maker, reviewer, checker)
        restored = taken_on(maker, second, checker)
        taken_on(maker, second, checker)
        merchant_state.stand(frozen.pk, "FROZEN")
        merchant_state.stand(restored.pk, "FROZEN")
        merchant_state.stand(restored.pk, "ACTIVE")

        client = door(somebody("auditor"))
        page = client.get(reverse("admin:application_people"), {"person": reviewer.person_id})

        found = {(one.part, one.name): (one.merchants, one.frozen, one.frozen_now) for _l, one in
                 page.context["rows"]}  # fmt: skip
        assert found == {
            ("brought_by", maker.person.name): (3, 2, 1),
            ("first_reviewer", reviewer.person.name): (3, 2, 1),
            ("second_reviewer", checker.person.name): (3, 2, 1),
        }
        assert [row.became for row in page.context["frozen"]] == [restored, frozen]
        assert f"<td>{reviewer.person.name}</td>" in page.content.decode()

    def test_name_the_person_in_the_list_and_where_somebody_is_chosen(self):
        maker = somebody("operator")
        application = factory.draft(maker)

        listed = door(maker).get(reverse("admin:merchants_application_changelist"))
        form = door(maker).get(reverse("admin:application_form", args=[application.pk]))

        assert maker.person.name in listed.content.decode()
        assert f"{maker.person.name} ({maker.username})" in form.content.decode()

    def test_are_for_who_may_see_applications(self):
        nobody = UserFactory(is_staff=True)

        assert door(nobody).get(reverse("admin:application_people")).status_code == 403


@pytest.mark.django_db
class TestTheMerchantsPage:
    def test_says_what_was_agreed_and_leads_to_the_application(self):
        merchant = taken_on(*(somebody(r) for r in ("operator", "reviewer", "checker")))

        page = door(somebody("auditor")).get(
            reverse("admin:merchants_merchant_change", args=[merchant.pk])
        )

        text = page.content.decode()
        assert "funds held by us" in text
        assert "who bears losses" in text
        application = Application.objects.get()
        assert reverse("admin:merchants_application_change", args=[application.pk]) in text


@pytest.mark.django_db
class TestEvidence:
    def test_is_given_out_as_the_bytes_its_hash_is_of(self):
        taken_on(*(somebody(r) for r in ("operator", "reviewer", "checker")))
        application = Application.objects.get()
        address = reverse("admin:application_evidence", args=[application.pk])

        answer = door(somebody("auditor")).get(address)

        kept = application.evidence.get()
        assert hashlib.sha256(answer.content).hexdigest() == kept.sha256
        assert answer["Content-Disposition"].startswith("attachment")
        assert door(somebody("auditor")).post(address).status_code == 405
        assert door(UserFactory(is_staff=True)).get(address).status_code == 403


@pytest.mark.django_db
class TestTheOverview:
    def test_tells_reviewers_of_applications_they_may_review(self):
        maker = somebody("operator")
        maker.groups.add(Group.objects.get(name="reviewer"))
        application = factory.submitted(maker)

        def waits(user: User) -> list[str]:
            page = door(User.objects.get(pk=user.pk)).get(reverse("admin:index"))
            return [queue.title for queue in page.context["work"]]

        title = "Applications wait for their first review"
        assert title in waits(somebody("reviewer"))
        assert title not in waits(maker)
        assert title not in waits(somebody("checker"))
        reviewer = somebody("reviewer")
        reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
        assert "Applications are in your first review" in waits(reviewer)
        assert "Applications are in your first review" not in waits(somebody("reviewer"))
        reviews.give_back(
            application_id=application.id, reviewer=reviewer, comments={}, reason="more", at=AT
        )
        assert "Returned applications are past their day" in waits(somebody("operator"))

    def test_tells_who_had_a_hand_that_it_was_returned(self):
        maker, reviewer, at = somebody("operator"), somebody("reviewer"), clock.now()
        application = factory.submitted(maker)
        reviews.begin(application_id=application.id, reviewer=reviewer, at=at)
        reviews.give_back(
            application_id=application.id, reviewer=reviewer, comments={}, reason="more", at=at
        )

        def waits(user: User) -> list[str]:
            page = door(user).get(reverse("admin:index"))
            return [queue.title for queue in page.context["work"]]

        title = "Applications you had a hand in were returned for completion"
        assert title in waits(maker)
        assert title not in waits(somebody("operator"))

    def test_finds_an_application_by_its_number(self):
        application = factory.draft(somebody("operator"))

        page = door(somebody("auditor")).get(reverse("admin:find"), {"q": application.number})

        assert [hit.detail for hit in page.context["hits"]] == [str(application)]

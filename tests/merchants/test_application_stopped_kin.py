"""An application that shares a number with what was stopped is put before people's eyes (LNK-8)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from merchants.admin import work_items
from merchants.models import Application
from merchants.selectors import application_twin as twins
from merchants.services import application_review as reviews
from tests.factories import application as factory
from tests.factories import merchant_state, paper
from tests.factories.application import AT
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db


def refused() -> Application:
    application = factory.submitted(paper.staff())
    reviewer = paper.staff()
    reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
    reviews.refuse(application_id=application.id, reviewer=reviewer, reason="no", at=AT)
    return application


def test_a_refused_ones_numbers_come_back():
    refused()
    assert twins.with_stopped_kin() == []

    again = factory.submitted(paper.staff())

    assert twins.with_stopped_kin() == [again.id]
    (said,) = work_items.shares_with_stopped(UserFactory())
    assert (said.count, said.urgent) == (1, True)
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    rows = client.get(said.url).context["cl"].result_list
    assert [row.pk for row in rows] == [again.id]
    assert said.url.startswith(reverse("admin:merchants_application_changelist"))


def test_a_frozen_merchants_numbers_come_back_until_it_is_restored():
    merchant = paper.approved()
    again = factory.submitted(paper.staff())
    assert twins.with_stopped_kin() == []

    merchant_state.stand(merchant.pk, "FROZEN")
    assert twins.with_stopped_kin() == [again.id]
    merchant_state.stand(merchant.pk, "ACTIVE")
    assert twins.with_stopped_kin() == []


def test_nothing_shared_is_nothing_to_look_at(django_assert_num_queries):
    refused()
    factory.draft(paper.staff())  # not sent in yet

    with django_assert_num_queries(2):
        assert twins.with_stopped_kin() == []
    assert list(work_items.shares_with_stopped(UserFactory())) == []

"""The demo has applications to look at: one to review, one to complete; made once."""

from __future__ import annotations

import pytest

from merchants.models import Application
from settlement.demo import applications
from tests.factories.application import AT
from tests.factories.foundation import UserFactory


@pytest.mark.django_db
def test_one_waits_for_its_first_review_and_one_is_a_draft() -> None:
    operator = UserFactory(username="operator", is_staff=True)

    for _twice in range(2):
        applications.make(entered_by=operator, at=AT)

    found = Application.objects.order_by("id").values_list("state", "version_no")
    assert list(found) == [("DRAFT", 0), ("SUBMITTED", 1)]
    assert Application.objects.get(state="SUBMITTED").documents.count() == 5

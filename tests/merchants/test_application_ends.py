"""Papers of an application end: each says when, or that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.utils import translation
from stdnum.cn import ric

from foundation.models import User
from merchants.models import Application
from merchants.selectors import application as selectors
from merchants.selectors import application_requirement
from merchants.services import application as applications
from tests.factories import application as factory
from tests.factories.application import AT
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 2)


@pytest.fixture
def maker() -> User:
    user: User = UserFactory(is_staff=True)
    return user


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def due(application: Application) -> dict[str, bool]:
    found = application_requirement.requirements(selectors.whole(application), today=TODAY)
    return {one.path: one.blocking for one in found}


def owner(**more: Any) -> list[dict[str, Any]]:
    return [factory.OWNER | more]


class TestALastDay:
    def test_or_no_end_is_asked_of_licence_and_identity_paper(self, maker):
        application = factory.draft(maker, licence_until=None, owners=owner(identity_until=None))

        assert due(application) == {"licence_until": True, "owners.1.identity_until": True}

    def test_is_not_needed_of_what_has_no_end(self, maker):
        application = factory.draft(
            maker,
            licence_until=None,
            licence_long_term=True,
            owners=owner(identity_until=None, identity_long_term=True),
        )

        assert due(application) == {}

    def test_is_not_asked_of_a_small_owner(self, maker):
        small = factory.OWNER | {
            "line_no": 2, "share_percent": 5, "legal_representative": False,
            "identity_until": None,
        }  # fmt: skip
        application = factory.draft(maker, owners=[factory.OWNER | {"share_percent": 95}, small])

        assert due(application) == {}

    @pytest.mark.parametrize(
        ("day", "blocking"), [(date(2026, 3, 1), True), (date(2026, 5, 1), False)]
    )
    def test_that_is_past_keeps_it_back_and_one_that_is_near_warns(self, maker, day, blocking):
        application = factory.draft(
            maker,
            contract_until=day,
            filing_until=day,
            licence_until=day,
            owners=owner(identity_until=day),
        )

        assert due(application) == {
            "licence_until": blocking,
            "contract_until": blocking,
            "filing_until": blocking,
            "owners.1.identity_until": blocking,
        }

    def test_and_no_end_at_once_are_refused_beside_the_field(self, maker):
        application = applications.begin(maker=maker, at=AT)

        saved = applications.save(
            application_id=application.id,
            revision=0,
            maker=maker,
            profile={"licence_until": date(2030, 1, 1), "licence_long_term": True},
            owners=owner(identity_long_term=True),
        )

        assert set(saved.problems) == {"licence_until", "owners.1.identity_until"}
        assert saved.application.licence_until is None

    def test_is_frozen_with_what_is_submitted(self, maker):
        content = selectors.content(selectors.whole(factory.submitted(maker)))

        assert content["licence_long_term"] is False
        assert content["filing_until"] is None
        assert content["owners"][0]["identity_until"] == date(2033, 5, 31)


class TestADayOfBirth:
    @pytest.mark.parametrize(
        ("born", "blocks"), [("20260302", False), ("20260303", True), ("20991231", True)]
    )
    def test_that_is_yet_to_come_is_refused(self, maker, born: str, blocks: bool) -> None:
        body = f"110105{born}0010"
        number = body[:-1] + ric.calc_check_digit(body)
        application = factory.draft(maker, owners=owner(identity_no=number))

        assert due(application) == ({"owners.1.identity_no": True} if blocks else {})

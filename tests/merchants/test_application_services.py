"""Entering an application: whatever is right is kept, whatever is due is said, then it freezes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import translation

from foundation.models import History, User
from merchants.models import Application, ApplicationOwner, ApplicationVersion
from merchants.selectors import application as selectors
from merchants.selectors import application_requirement
from merchants.services import application as applications
from merchants.services.application_step import IllegalStep, move
from tests.factories import application as factory
from tests.factories.application import AT, CARD, IDENTITY, PHONE, REGISTRATION
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker() -> User:
    user: User = UserFactory(is_staff=True)
    return user


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def save(application: Application, maker: User, **parts: Any) -> applications.Saved:
    application.refresh_from_db()
    sent = {"profile": {}, "owners": [], "contacts": [], "sites": []} | parts
    return applications.save(
        application_id=application.id, revision=application.revision, maker=maker, **sent
    )


def due(application: Application) -> set[str]:
    found = application_requirement.requirements(
        selectors.whole(application), today=date(2026, 3, 2)
    )
    return {one.path for one in found}


class TestBegin:
    def test_makes_an_empty_draft_in_the_houses_book(self, maker):
        application = applications.begin(maker=maker, at=AT)

        assert application.state == "DRAFT"
        assert application.merchant.kind == "HOUSE"
        assert application.number == f"A2603{application.merchant_id:07d}-{application.id:06d}"
        assert application.makers == [maker.person_id]


class TestSave:
    @pytest.mark.parametrize(
        ("field", "wrong", "said"),
        [
            ("registration_no", "911100006000373410", "check digit"),
            ("registration_no", "91110000600037341", "18"),
            ("account_number", "6222021234567890", "check digit"),
            ("account_number", "622202", "13 to 19"),
            ("bank_code", "102100099997", "check digit"),
            ("bank_code", "10210009999", "12 digits"),
            ("schedule", "T99", "schedule"),
            ("products", ["gold"], "product"),
        ],
    )
    def test_keeps_what_is_right_and_names_what_is_wrong(self, maker, field, wrong, said):
        application = applications.begin(maker=maker, at=AT)
        right = {"name": "Tea", "account_kind": "CARD", field: wrong}

        saved = save(application, maker, profile=right)

        assert list(saved.problems) == [field]
        assert said in saved.problems[field]
        application.refresh_from_db()
        assert application.name == "Tea"
        assert getattr(application, field) in ("", None, [], "T1")

    @pytest.mark.parametrize(
        ("kind", "number", "said"),
        [
            ("RESIDENT", "360426199101010072", "check digit"),
            ("RESIDENT", "36042619910101007", "18 characters"),
            ("PASSPORT", "E1", "passport"),
            ("REGISTRATION", "911100006000373410", "check digit"),
        ],
    )
    def test_checks_identity_numbers(self, maker, kind, number, said):
        application = applications.begin(maker=maker, at=AT)
        owner = factory.OWNER | {"identity_kind": kind, "identity_no": number}

        saved = save(application, maker, owners=[owner])

        assert said in saved.problems["owners.1.identity_no"]
        assert ApplicationOwner.objects.get().identity_hash is None

    def test_takes_an_identity_of_a_place_no_table_knows(self, maker):
        application = applications.begin(maker=maker, at=AT)
        owner = factory.OWNER | {"identity_no": "999999199101010013"}

        assert save(application, maker, owners=[owner]).problems == {}

    def test_hides_secret_numbers_everywhere(self, maker):
        application = factory.draft(maker)

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT a::text || coalesce(o::text, '') || coalesce(c::text, '')"
                " FROM merchants_application a LEFT JOIN merchants_application_owner o"
                " ON o.application_id = a.id LEFT JOIN merchants_application_contact c"
                " ON c.application_id = a.id"
            )
            stored = str(cursor.fetchall())
        kept = stored + str(list(History.objects.values_list("before", "after")))
        for number in (IDENTITY, CARD, PHONE):
            assert number not in kept
        assert application.account_number == CARD
        assert application.account_masked == "622202******7894"

    def test_keeps_a_secret_number_that_is_not_typed_again(self, maker):
        application = factory.draft(maker)

        save(application, maker, profile={"account_number": ""},
             owners=[factory.OWNER | {"identity_no": "", "name": "陈力"}])  # fmt: skip

        application.refresh_from_db()
        assert application.account_number == CARD
        owner = ApplicationOwner.objects.get()
        assert (owner.name, owner.identity_no) == ("陈力", IDENTITY)

    def test_refuses_a_form_that_is_older_than_what_is_stored(self, maker):
        application = factory.draft(maker)

        with pytest.raises(applications.ChangedMeanwhile):
            applications.save(
                application_id=application.id, revision=0, maker=maker, profile={"name": "x"}
            )

    def test_counts_everybody_who_had_a_hand(self, maker):
        application, other = factory.draft(maker), UserFactory()

        save(application, other)

        application.refresh_from_db()
        assert set(application.makers) == {maker.person_id, other.person_id}


class TestOwners:
    def test_form_a_tree_with_effective_shares(self, maker):
        company = factory.OWNER | {
            "kind": "COMPANY", "name": "湖畔控股", "share_percent": Decimal("60"),
            "identity_kind": "REGISTRATION", "identity_no": REGISTRATION,
            "legal_representative": False, "source_of_funds": "",
        }  # fmt: skip
        person = factory.OWNER | {
            "line_no": 2, "through_no": 1, "share_percent": Decimal("50"), "source_of_funds": "",
        }  # fmt: skip
        other = factory.OWNER | {
            "line_no": 3, "name": "林", "share_percent": Decimal("40"),
            "legal_representative": False,
        }  # fmt: skip
        application = factory.draft(maker, owners=[company, person, other])

        owners = {owner.line_no: owner for owner in selectors.whole(application).owners}

        assert application_requirement.effective_share(owners[2], owners) == 30
        # Whoever owns the other half of the company holds 30 % of the applicant, too.
        assert due(application) == {"owners.2.source_of_funds", "owners.1.name"}

    @pytest.mark.parametrize(
        ("second", "path"),
        [
            ({"share_percent": Decimal("0.01")}, "owners.2.share_percent"),
            ({"share_percent": None, "through_no": 1}, "owners.2.through_no"),
            ({"share_percent": None, "through_no": 3}, "owners.2.through_no"),
        ],
    )
    def test_of_more_than_a_hundred_percent_or_in_a_circle_are_refused(self, maker, second, path):
        application = applications.begin(maker=maker, at=AT)
        rows = [factory.OWNER, factory.OWNER | {"line_no": 2} | second]

        assert list(save(application, maker, owners=rows).problems) == [path]
        first, wrong = ApplicationOwner.objects.order_by("line_no")
        assert (first.share_percent, wrong.share_percent, wrong.through_no) == (100, None, None)
        assert wrong.name == factory.OWNER["name"]  # what is right of the line is kept

    @pytest.mark.parametrize(("named", "missing"), [("58.34", False), ("58.33", True)])
    def test_are_known_to_a_quarter_behind_companies_too(self, maker, named, missing):
        company = factory.OWNER | {
            "kind": "COMPANY", "name": "湖畔控股", "share_percent": Decimal("60"),
            "identity_kind": "REGISTRATION", "identity_no": REGISTRATION,
            "legal_representative": False,
        }  # fmt: skip
        person = factory.OWNER | {"line_no": 2, "through_no": 1, "share_percent": Decimal(named)}
        other = factory.OWNER | {
            "line_no": 3, "share_percent": Decimal("40"), "legal_representative": False,
        }  # fmt: skip

        of = selectors.whole(factory.draft(maker, owners=[company, person, other]))

        found = application_requirement.requirements(of, today=AT.date())
        assert [one.path for one in found] == (["owners.1.name"] if missing else [])
        assert all("25 %" in one.title and "湖畔控股" in one.title for one in found)


class TestRequirements:
    def test_are_none_for_a_whole_application(self, maker):
        assert due(factory.draft(maker)) == set()

    def test_name_everything_that_an_empty_draft_lacks(self, maker):
        found = due(applications.begin(maker=maker, at=AT))

        assert found >= {
            "name", "registration_no", "industry", "licence_until", "contract_type", "products",
            "owners", "contacts", "sites", "documents.LICENCE", "loss_borne_by",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("profile", "path"),
        [
            ({"industry_id": "7995"}, "industry"),
            ({"industry_id": "4722", "products": ["online"]}, "products"),
            ({"industry_id": "5732", "products": ["t0"]}, "products"),
            ({"schedule": "T0"}, "schedule"),
            ({"schedule": "D0", "products": ["qr"]}, "schedule"),
            ({"contract_type": "TECHNICAL", "products": ["deposit"]}, "products"),
            ({"licence_until": date(2026, 3, 1)}, "licence_until"),
        ],
    )
    def test_hold_industry_risk_contract_and_licence(self, maker, profile, path):
        application = factory.draft(maker, **profile)

        assert path in due(application)
        with pytest.raises(applications.Incomplete) as refused:
            applications.submit(
                application_id=application.id, revision=application.revision, maker=maker, at=AT
            )
        assert path in [one.path for one in refused.value.due]

    def test_ask_for_the_licence_of_a_prepaid_product(self, maker):
        application = factory.draft(maker, products=["prepaid"])

        assert due(application) == {"filing_no", "documents.FILING"}

    def test_warn_of_a_licence_that_ends_soon(self, maker):
        application = factory.draft(maker, licence_until=date(2026, 4, 1))

        assert due(application) == {"licence_until"}
        assert factory.submitted(maker, licence_until=date(2026, 4, 1)).state == "SUBMITTED"


class TestSubmit:
    def test_freezes_exactly_what_stands_in_the_form(self, maker):
        application = factory.submitted(maker)

        version = ApplicationVersion.objects.get(application=application)
        kept = json.loads(version.content)
        assert version.sha256 == hashlib.sha256(version.content.encode()).hexdigest()
        assert kept["name"] == factory.PROFILE["name"]
        assert kept["owners"][0]["identity_no"]["masked"] == "360426********0071"
        assert {one["kind"] for one in kept["documents"]} == set(factory.PAPERS)
        for number in (IDENTITY, CARD, PHONE):
            assert number not in version.content

    def test_closes_the_form(self, maker):
        application = factory.submitted(maker)

        with pytest.raises(applications.NotOpen):
            save(application, maker, profile={"name": "x"})
        with pytest.raises(applications.NotOpen):
            applications.submit(
                application_id=application.id, revision=application.revision, maker=maker, at=AT
            )

    @pytest.mark.parametrize("to", ["APPROVED", "REJECTED", "RETURNED", "DRAFT", "SUBMITTED"])
    def test_leads_nowhere_but_to_the_first_review(self, maker, to):
        application = factory.submitted(maker)

        with pytest.raises(IllegalStep), transaction.atomic():
            move(application, Application.State(to), by=maker, at=AT)

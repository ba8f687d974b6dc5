"""A merchant that is there changes: begun from what is in force, reviewed, put in force."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation

from merchants.models import (
    Application,
    Document,
    Merchant,
)
from merchants.selectors import application as selectors
from merchants.selectors import application_change as change_selectors
from merchants.selectors import application_requirement as requirements
from merchants.selectors import application_twin as twins
from merchants.services import application as applications
from merchants.services import application_change as changes
from merchants.services import application_review as reviews
from merchants.services import document as documents
from merchants.services import merchant_contact as merchant_contacts
from merchants.services.application_step import IllegalStep
from tests.factories import application as factory
from tests.factories import application_change as make
from tests.factories.application import AT
from tests.factories.application_change import NEW_NAME
from tests.factories.merchant_state import stand
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
ANOTHER = "110101199003070337"


def due(application: Application) -> dict[str, str]:
    found = requirements.requirements(selectors.whole(application), today=date(2026, 3, 2))
    return {one.path: one.title for one in found if one.blocking}


class TestBegin:
    def test_copies_what_is_in_force_and_changes_nothing(self, shop, maker):
        base = make.in_force(shop)

        draft = make.begun(shop, maker)

        assert (draft.state, draft.kind, draft.concerns, draft.base) == (
            "DRAFT", "CHANGE", shop, base,
        )  # fmt: skip
        of = selectors.whole(draft)
        assert (draft.name, draft.industry_id, draft.products) == (
            factory.PROFILE["name"], "5499", ["qr", "card"],
        )  # fmt: skip
        assert [owner.identity_no for owner in of.owners] == [factory.IDENTITY]
        assert [contact.phone for contact in of.contacts] == [factory.PHONE]
        assert [site.name for site in of.sites] == [factory.SITE["name"]]
        assert change_selectors.changes(of) == []

    def test_keeps_valid_papers_by_reference_without_the_accounts(self, shop, maker):
        before = Document.objects.count()

        of = selectors.whole(make.begun(shop, maker))

        assert Document.objects.count() == before
        assert {paper.kind for paper in of.documents} == {
            "LICENCE", "IDENTITY_FRONT", "IDENTITY_BACK", "SITE_PHOTO",
        }  # fmt: skip
        assert (of.application.account_hash, of.application.account_holder) == (None, "")

    def test_leaves_out_papers_that_have_expired(self, maker):
        shop = make.merchant()
        later = AT.replace(year=2031)

        of = selectors.whole(
            changes.begin(merchant_id=shop.id, kind="REVIEW", maker=maker, at=later)
        )

        assert "LICENCE" not in {paper.kind for paper in of.documents}

    def test_is_refused_while_another_is_under_way(self, shop, maker):
        first = make.begun(shop, maker)

        with pytest.raises(changes.AlreadyChanging, match=first.number):
            make.begun(shop, maker, "REVIEW")

    @pytest.mark.parametrize("status", ["FROZEN", "RESTRICTED"])
    def test_is_possible_for_who_is_stopped(self, shop, maker, status):
        stand(shop.id, status)

        assert make.begun(shop, maker).state == "DRAFT"

    def test_is_refused_for_who_leaves(self, shop, maker):
        stand(shop.id, "CLOSING")

        with pytest.raises(changes.TakesNoChange, match=shop.merchant_no):
            make.begun(shop, maker)

    def test_knows_no_other_kind_and_not_the_house(self, shop, maker):
        with pytest.raises(ValueError, match="OPENING"):
            make.begun(shop, maker, "OPENING")
        house = Merchant.objects.get(kind="HOUSE")
        with pytest.raises(changes.NotFound):
            make.begun(house, maker)

    def test_of_a_merchant_from_a_file_begins_with_its_row_and_names_what_is_missing(self, maker):
        shop = MerchantFactory(name="老店", city="绍兴", country="CN")
        merchant_contacts.put(
            [merchant_contacts.NewContact(shop.id, "OWNER", "张三", "z@x.cn", factory.PHONE)], at=AT
        )

        draft = make.begun(shop, maker)

        assert (draft.name, draft.city, draft.base) == ("老店", "绍兴", None)
        assert [c.phone for c in selectors.whole(draft).contacts] == [factory.PHONE]
        missing = due(draft)
        assert {
            "industry", "licence_until", "owners", "sites", "documents.LICENCE", "contract_type",
        } <= set(missing)  # fmt: skip
        assert "contacts" not in missing
        assert [one.path for one in change_selectors.changes(selectors.whole(draft))] == [
            "contacts.1.name", "contacts.1.role", "contacts.1.email", "contacts.1.phone",
        ]  # fmt: skip


class TestTheContent:
    def test_of_a_change_must_change_and_of_a_re_review_need_not(self, shop, maker):
        untouched = make.filled(make.begun(shop, maker), maker)

        with pytest.raises(applications.Incomplete):
            applications.submit(
                application_id=untouched.id, revision=untouched.revision, maker=maker, at=AT
            )
        applications.give_up(application_id=untouched.id, maker=maker, reason="no", at=AT)
        assert make.submitted(shop, maker, "REVIEW").state == "SUBMITTED"

    def test_says_each_difference_from_what_is_in_force(self, shop, maker):
        owners = [
            factory.OWNER | {"share_percent": Decimal(60)},
            factory.OWNER
            | {"line_no": 2, "name": "林晓", "share_percent": Decimal(40), "identity_no": ANOTHER,
               "legal_representative": False},
        ]  # fmt: skip

        draft = make.filled(make.begun(shop, maker), maker, owners=owners, industry_id="5732")

        with translation.override("en"):
            said = {
                one.path: (one.before, one.after)
                for one in change_selectors.changes(selectors.whole(draft))
            }
        assert said["industry"] == ("5499 Tea and special food", "5732 Electronics")
        assert said["owners.1.share_percent"] == ("100.00", "60.00")
        assert said["owners.2.name"] == ("", "林晓")
        assert said["owners.2.identity_no"][1].startswith("110101")
        assert ANOTHER not in str(said)
        assert "name" not in said

    def test_leaves_account_and_schedule_to_their_own_flows(self, shop, maker):
        draft = make.begun(shop, maker)

        saved = applications.save(
            application_id=draft.id, revision=0, maker=maker,
            profile={"account_number": factory.CARD, "bank_name": "x", "schedule": "D0"},
        )  # fmt: skip

        row = saved.application
        assert (row.account_number, row.bank_name, row.schedule) == (None, "", "T1")
        assert not {"account_number", "account_holder", "bank_name"} & set(due(row))

    @pytest.mark.parametrize(
        ("profile", "papers"),
        [
            ({"name": NEW_NAME}, {"LICENCE"}),
            ({"licence_until": date(2040, 1, 1)}, {"LICENCE"}),
            ({"contract_until": date(2040, 1, 1)}, {"CONTRACT"}),
            ({"contract_type": "TECHNICAL"}, {"CONTRACT"}),
            ({"filing_no": "沪ICP1"}, {"FILING"}),
            ({"address": "龙井路 2 号"}, set()),
        ],
    )
    def test_that_is_sensitive_needs_a_new_paper(self, shop, maker, profile, papers):
        draft = make.filled(make.begun(shop, maker), maker, **profile)

        assert set(due(draft)) == {f"documents.{kind}" for kind in papers}
        for kind in papers:
            factory.paper(draft, kind, maker, factory.picture())  # the very same picture as before
        assert set(due(draft)) == {f"documents.{kind}" for kind in papers & {"LICENCE"}}
        for kind in papers:
            factory.paper(draft, kind, maker, factory.picture(colour="navy"))
        assert due(draft) == {}

    def test_with_another_legal_representative_needs_his_identity_card(self, shop, maker):
        other = factory.OWNER | {"name": "林晓", "identity_no": ANOTHER}

        draft = make.filled(make.begun(shop, maker), maker, owners=[other])

        assert set(due(draft)) == {"documents.IDENTITY_FRONT", "documents.IDENTITY_BACK"}

    def test_shares_nothing_with_its_own_merchant(self, shop, maker):
        draft = make.begun(shop, maker)
        assert twins.twins(selectors.whole(draft)) == []

        other = factory.submitted(maker)

        assert {twin.other for twin in twins.twins(selectors.whole(draft))} == {other}

    def test_can_leave_a_carried_paper_out(self, shop, maker):
        draft = make.begun(shop, maker)
        (licence,) = [d for d in selectors.whole(draft).documents if d.kind == "LICENCE"]

        documents.remove(application_id=draft.id, document_id=licence.id, maker=maker, at=AT)

        assert "documents.LICENCE" in due(draft)
        licence.refresh_from_db()
        assert licence.removed_at is None  # it stays with the application it came in with


class TestGivingUp:
    def test_ends_a_draft_or_a_returned_one_for_good(self, shop, maker, reviewer):
        draft = make.begun(shop, maker)

        applications.give_up(application_id=draft.id, maker=maker, reason="not needed", at=AT)

        draft.refresh_from_db()
        assert draft.state == "WITHDRAWN"
        assert draft.transitions.latest("sequence").reason == "not needed"
        with pytest.raises(applications.NotOpen):
            applications.submit(application_id=draft.id, revision=0, maker=maker, at=AT)
        with pytest.raises(IllegalStep):
            reviews.begin(application_id=draft.id, reviewer=reviewer, at=AT)

    def test_says_why_and_never_takes_back_what_is_under_review(self, shop, maker):
        with pytest.raises(applications.GivenUpWithoutReason):
            applications.give_up(
                application_id=make.begun(shop, maker).id, maker=maker, reason=" ", at=AT
            )
        application = factory.submitted(maker)
        with pytest.raises(applications.NotOpen):
            applications.give_up(application_id=application.id, maker=maker, reason="x", at=AT)

"""What raw SQL as the product's role cannot do to a merchant, nor to a change of it."""

from __future__ import annotations

import pytest
from django.db import Error

from foundation.models import Approval, User
from merchants.models import Application, Merchant
from merchants.services import application_change as changes
from tests.factories import application as factory
from tests.factories import application_change as make
from tests.factories import portal
from tests.factories.application_change import NEW_NAME
from tests.factories.foundation import UserFactory
from tests.factories.merchant_state import stand
from tests.factories.merchants import MerchantFactory
from tests.raw_sql import checked, refused

pytestmark = pytest.mark.django_db


def copy(application: Application, **other: object) -> None:
    """Insert an application like this one, with other values in some columns."""
    pairs = "".join(f", '{name}', %s" for name in other)
    checked(
        "INSERT INTO merchants_application SELECT (jsonb_populate_record(a, jsonb_build_object("
        f"'id', nextval('merchants_application_id_seq'), 'uuid', gen_random_uuid(){pairs}))).*"
        " FROM merchants_application a WHERE id = %s",
        *other.values(),
        application.id,
    )


def approve(application: Application, approval: Approval, second: User) -> None:
    """Decide on the proposal and take the last step, by SQL alone; the merchant is left alone."""
    checked(
        "INSERT INTO foundation_approval_decision (merchant_id, approval_id, checker_id,"
        " checker_person_id, approves, reason, maker_person_id, content_sha256, decided_at,"
        " actor, request_id) SELECT merchant_id, id, %s, %s, true, '', maker_person_id,"
        " content_sha256, proposed_at, 'x', 'x' FROM foundation_approval WHERE id = %s",
        second.id, second.person_id, approval.id,
    )  # fmt: skip
    checked("UPDATE foundation_approval SET state = 'APPROVED', closed_at = now() WHERE id = %s",
        approval.id)  # fmt: skip
    checked(
        "WITH step AS (INSERT INTO merchants_application_transition (merchant_id, application_id,"
        " sequence, from_state, to_state, reason, user_id, at, actor, request_id)"
        " VALUES (%s, %s, %s, 'FIRST_REVIEW', 'APPROVED', '', %s, now(), 'x', 'x'))"
        " UPDATE merchants_application SET state = 'APPROVED', sequence = %s,"
        " second_reviewer_id = %s, second_reviewer_person_id = %s WHERE id = %s",
        application.merchant_id, application.id, application.sequence + 1, second.id,
        application.sequence + 1, second.id, second.person_id, application.id,
    )  # fmt: skip


class TestAMerchant:
    @pytest.mark.parametrize("column", ["name", "registration_no", "city", "region", "country"])
    def test_is_called_what_an_approved_application_says(self, shop, column):
        imported = MerchantFactory()

        for one in (shop, imported):
            with refused("merchant_not_agreed"):
                checked(f"UPDATE merchants_merchant SET {column} = 'XX' WHERE id = %s", one.id)

    @pytest.mark.parametrize(
        "change", ["merchant_no = 'X1'", "declared_schedule = 'T0'", "created_at = now()"]
    )
    def test_keeps_what_it_began_with(self, shop, change):
        with refused("merchant_fixed"):
            checked(f"UPDATE merchants_merchant SET {change} WHERE id = %s", shop.id)

    def test_stands_on_its_own_application_alone(self, shop):
        foreign = make.in_force(make.merchant())
        imported = MerchantFactory()
        draft = make.begun(shop, make.somebody())

        for one, application_id in (
            (shop, None), (shop, foreign.id), (shop, draft.id), (imported, foreign.id),
            (imported, 999999999),
        ):  # fmt: skip
            with refused("merchant_not_agreed"):
                checked("UPDATE merchants_merchant SET stands_on = %s WHERE id = %s",
                    application_id, one.id)  # fmt: skip

    def test_does_not_go_back_to_what_it_stood_on_before(self, shop, maker, reviewer):
        base = make.in_force(shop)
        _application, approval = make.proposed(shop, maker, reviewer)
        make.decide(approval, make.somebody())

        with refused("merchant_not_agreed"):
            checked("UPDATE merchants_merchant SET stands_on = %s, name = %s WHERE id = %s",
                base.id, base.name, shop.id)  # fmt: skip

    def test_begins_with_no_application(self, shop):
        with refused("merchant_not_agreed"):
            checked(
                "INSERT INTO merchants_merchant SELECT (jsonb_populate_record(m, jsonb_build_object"
                "('id', nextval('merchants_merchant_id_seq'), 'merchant_no', 'X1',"
                " 'status_sequence', NULL))).* FROM merchants_merchant m WHERE id = %s",
                shop.id,
            )


class TestAChange:
    def test_is_one_at_a_time(self, shop, maker):
        draft = make.begun(shop, maker)

        with refused("application_one_open"):
            copy(draft, number="x")

    def test_begins_from_what_is_in_force_of_who_may_change(self, shop, maker):
        foreign = make.in_force(make.merchant())
        leaving = make.merchant()
        stand(leaving.id, "CLOSING")
        draft = make.begun(shop, maker)
        imported, opening = MerchantFactory(), factory.draft(maker)

        with refused("application_change_stale"):
            copy(draft, number="x", concerns_id=imported.id, base_id=foreign.id)
        with refused("application_change_closed"):
            copy(draft, number="x", concerns_id=leaving.id)
        with refused("application_change_closed"):
            copy(draft, number="x", concerns_id=draft.merchant_id)
        with refused("application_concerns_merchant"):
            copy(draft, number="x", kind="OPENING")
        with refused("application_change_closed"):
            copy(opening, number="x", kind="CHANGE")

    @pytest.mark.parametrize(
        "change", ["kind = 'REVIEW'", "concerns_id = NULL", "base_id = NULL", "base_id = id"]
    )
    def test_stays_about_what_it_is_about(self, shop, maker, change):
        draft = make.begun(shop, maker)

        with refused("application_frozen"):
            checked(f"UPDATE merchants_application SET {change} WHERE id = %s", draft.id)

    def test_holds_no_account(self, shop, maker):
        draft = make.begun(shop, maker)

        with refused("application_change_no_account"):
            checked("UPDATE merchants_application SET bank_name = 'x' WHERE id = %s", draft.id)

    def test_takes_over_no_paper_of_somebody_else(self, shop, maker):
        draft = make.begun(shop, maker)
        statement = (
            "INSERT INTO merchants_carried_document (merchant_id, application_id, document_id)"
            " SELECT d.merchant_id, %s, d.id FROM merchants_document d WHERE d.application_id = %s"
            " LIMIT 1"
        )

        foreign, unseen = make.in_force(make.merchant()), factory.draft(maker)

        with refused("carried_document_foreign"):
            checked(statement, draft.id, foreign.id)
        with refused("carried_document_foreign"):
            checked(statement, draft.id, unseen.id)

    def test_keeps_its_papers_once_it_was_submitted(self, shop, maker):
        application = make.submitted(shop, maker)

        with refused("application_frozen"):
            checked(
                "DELETE FROM merchants_carried_document WHERE application_id = %s", application.id
            )

    def test_that_is_approved_is_in_force_in_the_same_transaction(self, shop, maker, reviewer):
        application, approval = make.proposed(shop, maker, reviewer)

        with refused("application_without_effect"):
            approve(application, approval, UserFactory(is_superuser=True))

    def test_is_not_approved_by_who_acts_for_the_merchant(self, shop, maker, reviewer):
        inside = portal.member(shop)
        application, approval = make.proposed(shop, maker, reviewer)

        with refused("approval_insider"):
            approve(application, approval, make.somebody(person=inside.person))

    def test_is_not_approved_once_its_merchant_leaves(self, shop, maker, reviewer):
        application, approval = make.proposed(shop, maker, reviewer)
        stand(shop.id, "CLOSING")

        with refused("application_change_closed"):
            approve(application, approval, UserFactory(is_superuser=True))

    def test_is_approved_only_as_it_was_shown(self, shop, maker, reviewer, monkeypatch):
        monkeypatch.setattr(
            changes,
            "proposal",
            lambda of: ({"name": "somebody", "registration_no": "x"},
                        {"name": NEW_NAME, "registration_no": factory.REGISTRATION}),
        )  # fmt: skip
        application, approval = make.proposed(shop, maker, reviewer)

        with refused("application_unapproved"):
            approve(application, approval, UserFactory(is_superuser=True))

    def test_is_put_in_force_exactly_as_it_was_approved(self, shop, maker, reviewer, monkeypatch):
        application, approval = make.proposed(shop, maker, reviewer)

        def other(row: Application, merchant: Merchant) -> None:
            checked("UPDATE merchants_merchant SET stands_on = %s, name = 'other' WHERE id = %s",
                row.id, merchant.id)  # fmt: skip

        monkeypatch.setattr(changes, "put_in_force", other)
        with pytest.raises(Error, match="merchant_not_agreed"):
            make.decide(approval, make.somebody())

        application.refresh_from_db()
        assert application.state == "FIRST_REVIEW"

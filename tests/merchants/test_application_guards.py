"""What raw SQL as the product's role cannot do to an application."""

from __future__ import annotations

import pytest

from foundation.models import User
from merchants.models import Application
from tests.factories import application as factory
from tests.factories.foundation import UserFactory
from tests.raw_sql import checked, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker() -> User:
    user: User = UserFactory(is_staff=True)
    return user


def step(application: Application, to: str, more: str = "") -> None:
    """Take a step by SQL alone, with its line in the history as the key asks."""
    person = UserFactory()
    checked(
        "WITH step AS (INSERT INTO merchants_application_transition (merchant_id, application_id,"
        " sequence, from_state, to_state, reason, user_id, at, actor, request_id)"
        " VALUES (%s, %s, %s, %s, %s, '', %s, now(), 'x', 'x'))"
        f" UPDATE merchants_application SET state = %s, sequence = %s {more} WHERE id = %s",
        application.merchant_id, application.id, application.sequence + 1, application.state, to,
        person.id, to, application.sequence + 1, application.id,
    )  # fmt: skip


class TestTheState:
    def test_moves_only_along_the_table(self, maker):
        application = factory.submitted(maker)

        with refused("application_illegal_step"):
            step(application, "APPROVED")
        with refused("application_illegal_step"):
            step(application, "DRAFT")

    def test_has_its_line_in_the_history(self, maker):
        application, person = factory.submitted(maker), UserFactory()

        with refused("application_has_history"):
            checked(
                "UPDATE merchants_application SET state = 'FIRST_REVIEW', sequence = 3,"
                " first_reviewer_id = %s, first_reviewer_person_id = %s WHERE id = %s",
                person.id, person.person_id, application.id,
            )  # fmt: skip

    def test_is_reviewed_by_nobody_that_it_names_as_a_contact(self, maker):
        application = factory.submitted(maker)
        person, other = UserFactory(email="Chen.Li+staff@example.com"), UserFactory()
        reviewer = ", first_reviewer_id = '{0.id}', first_reviewer_person_id = '{0.person_id}'"

        with refused("approval_insider"):
            step(application, "FIRST_REVIEW", reviewer.format(person))
        step(application, "FIRST_REVIEW", reviewer.format(other))

    def test_begins_as_a_draft(self, maker):
        application = factory.draft(maker)

        with refused("application_begins"):
            checked(
                "INSERT INTO merchants_application SELECT (jsonb_populate_record(a, jsonb_build_"
                "object('id', 9999999, 'number', 'x', 'uuid', gen_random_uuid(), 'state',"
                " 'SUBMITTED'))).* FROM merchants_application a WHERE id = %s",
                application.id,
            )

    def test_of_a_submitted_one_has_its_version(self, maker):
        with refused("application_version_missing"):
            step(factory.draft(maker), "SUBMITTED", ", version_no = 1")

    @pytest.mark.parametrize(
        "profile",
        [
            {"industry_id": "7995"},
            {"industry_id": None},
            {"industry_id": "4722", "products": ["online"]},
            {"contract_type": "TECHNICAL", "products": ["deposit"]},
            {"products": ["prepaid"]},
            {"schedule": "T0"},  # same-day money without its product
            {"schedule": "D0"},
        ],
    )
    def test_stops_at_the_gate_of_industry_and_products(self, maker, profile):
        application = factory.draft(maker, **profile)
        checked(
            "INSERT INTO merchants_application_version (merchant_id, application_id, number,"
            " content, sha256, submitted_by_id, submitted_at) VALUES (%s, %s, 1, 'x',"
            " encode(sha256('x'), 'hex'), %s, now())",
            application.merchant_id, application.id, maker.id,
        )  # fmt: skip

        with refused("application_gate"):
            step(application, "SUBMITTED", ", version_no = 1")

    def test_of_an_approved_one_needs_the_approval_of_another(self, maker):
        application, first, second = factory.submitted(maker), UserFactory(), UserFactory()
        reviewed = f", first_reviewer_id = '{first.id}', first_reviewer_person_id = "
        step(application, "FIRST_REVIEW", f"{reviewed}'{first.person_id}'")
        application.refresh_from_db()
        became = f", second_reviewer_id = '{second.id}', second_reviewer_person_id = "

        with refused("application_unapproved"):
            step(
                application,
                "APPROVED",
                f"{became}'{second.person_id}', became_id = {application.merchant_id}",
            )


class TestTwoPairsOfEyes:
    def test_are_never_the_makers(self, maker):
        application = factory.submitted(maker)
        again = UserFactory(person=maker.person)  # the same person under another account
        reviewed = f", first_reviewer_id = '{again.id}', first_reviewer_person_id = "

        with refused("application_makers_review_nothing"):
            step(application, "FIRST_REVIEW", f"{reviewed}'{again.person_id}'")

    def test_cannot_be_somebody_elses(self, maker):
        application = factory.submitted(maker)
        reviewed = f", first_reviewer_id = '{maker.id}', first_reviewer_person_id = "

        with refused("application_first_is_person"):
            step(application, "FIRST_REVIEW", f"{reviewed}'{UserFactory().person_id}'")

    def test_makers_are_never_forgotten(self, maker):
        application = factory.draft(maker)

        with refused("application_frozen"):
            checked("UPDATE merchants_application SET makers = '{}' WHERE id = %s", application.id)


class TestWhatWasSubmitted:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE merchants_application SET name = 'x' WHERE id = %s",
            "UPDATE merchants_application SET account_hash = '\\x00' WHERE id = %s",
            "UPDATE merchants_application_owner SET share_percent = 1 WHERE application_id = %s",
            "DELETE FROM merchants_application_owner WHERE application_id = %s",
            "UPDATE merchants_application_contact SET email = 'x' WHERE application_id = %s",
            "DELETE FROM merchants_application_site WHERE application_id = %s",
            "UPDATE merchants_document SET removed_at = now() WHERE application_id = %s",
        ],
    )
    def test_is_frozen(self, maker, statement):
        application = factory.submitted(maker)

        with refused("application_frozen"):
            checked(statement, application.id)

    @pytest.mark.parametrize(
        "table", ["application_version", "application_transition", "document", "application"]
    )
    def test_is_never_deleted(self, maker, table):
        factory.submitted(maker)

        with refused("append_only|permission denied"):
            checked(f"DELETE FROM merchants_{table}")

    def test_is_what_its_hash_says(self, maker):
        application = factory.draft(maker)

        with refused("application_version_hash"):
            checked(
                "INSERT INTO merchants_application_version (merchant_id, application_id, number,"
                " content, sha256, submitted_by_id, submitted_at) VALUES (%s, %s, 1, 'x', 'x', %s,"
                " now())",
                application.merchant_id, application.id, maker.id,
            )  # fmt: skip

    def test_can_be_written_with_another_key(self, maker):
        application = factory.submitted(maker)

        checked("UPDATE merchants_application SET account_number = 'k2:x' WHERE id = %s",
            application.id)  # fmt: skip
        checked("UPDATE merchants_application_owner SET identity_no = 'k2:x'")


class TestADraft:
    def test_keeps_the_bytes_of_its_documents(self, maker):
        factory.draft(maker)

        with refused("document_fixed|document_hash"):
            checked("UPDATE merchants_document SET content = 'x'")
        with refused("document_fixed"):
            checked("UPDATE merchants_document SET kind = 'OTHER' WHERE kind = 'LICENCE'")

    def test_shares_out_no_more_than_everything(self, maker):
        application = factory.draft(maker)
        more = (
            "INSERT INTO merchants_application_owner (merchant_id, application_id, uuid, line_no,"
            " through_no, kind, name, share_percent, identity_kind, identity_masked,"
            " legal_representative, source_of_funds) SELECT merchant_id, application_id,"
            " gen_random_uuid(), 2, %s, kind, name, 1, identity_kind, '', false, ''"
            " FROM merchants_application_owner WHERE application_id = %s"
        )

        with refused("application_owner_shares"):
            checked(more, None, application.id)
        with refused("application_owner_through_company"):
            checked(more, 1, application.id)
        with refused("application_owner_tree"):
            checked(more, 2, application.id)

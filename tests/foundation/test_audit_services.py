from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.db.transaction import TransactionManagementError

from foundation import actor, clock, sql
from foundation.canonical import NotCanonical
from foundation.models import AuditEvent, History, User
from foundation.services import audit
from tests.factories.foundation import UserFactory


class TestRecord:
    def test_says_who_did_what_from_where_to_what(self, merchant_id):
        with actor.acting("user:1", "request-1", origin="192.0.2.7"):
            audit.record(
                merchant_id=merchant_id,
                action="bank_account.verify",
                object_kind="bank_account",
                object_id="7",
                before={"status": "UNVERIFIED"},
                after={"status": "VERIFIED"},
            )

        event = AuditEvent.objects.get()
        assert (event.actor, event.request_id, event.origin) == ("user:1", "request-1", "192.0.2.7")
        assert (event.before, event.after) == ({"status": "UNVERIFIED"}, {"status": "VERIFIED"})

    def test_is_dated_by_the_database_whatever_the_writer_says(self, merchant_id):
        before = clock.now() - timedelta(minutes=1)

        event = AuditEvent.objects.create(
            merchant_id=merchant_id,
            action="merchant.freeze",
            object_kind="merchant",
            object_id="M1",
            occurred_at=datetime(2020, 1, 1, tzinfo=UTC),
            actor="somebody",
            request_id="r",
        )

        event.refresh_from_db()
        assert before < event.occurred_at

    def test_refuses_a_binary_fraction(self, merchant_id):
        with pytest.raises(NotCanonical):
            audit.record(merchant_id=merchant_id, action="x", object_kind="x", object_id="1",
                         after={"amount": 0.1})  # fmt: skip

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE foundation_audit_event SET actor = 'nobody'",
            "DELETE FROM foundation_audit_event",
            "TRUNCATE foundation_audit_event",
        ],
    )
    def test_is_never_taken_back(self, cloned_db, merchant_id, statement):
        audit.record(merchant_id=merchant_id, action="x", object_kind="x", object_id="1")

        with pytest.raises(DatabaseError, match="permission denied"):
            sql.execute(statement)
        with pytest.raises(DatabaseError, match="append_only"):
            sql.execute(statement, using="owner")


def changes(user: User) -> list[History]:
    found = History.objects.filter(table="foundation_user", row_id=str(user.pk))
    return list(found.order_by("id"))


@pytest.mark.django_db
class TestHistory:
    def test_names_the_actor_of_the_transaction(self):
        with actor.acting("user:1", "request-1", origin="192.0.2.7"), transaction.atomic():
            actor.stamp_transaction()
            user = UserFactory(email="a@example.com")
            user.email = "b@example.com"
            user.save()

        made, changed = changes(user)
        assert (made.operation, changed.operation) == ("INSERT", "UPDATE")
        assert {(row.actor, row.request_id, row.origin) for row in (made, changed)} == {
            ("user:1", "request-1", "192.0.2.7")
        }
        assert changed.before["email"] == "a@example.com"
        assert changed.after["email"] == "b@example.com"

    def test_catches_update_bulk_create_sql_and_delete(self):
        user = UserFactory.build(person=UserFactory().person)
        User.objects.bulk_create([user])
        User.objects.filter(pk=user.pk).update(language="en")
        sql.execute("UPDATE foundation_user SET zone = 'UTC' WHERE id = %s", [user.pk])
        sql.execute("DELETE FROM foundation_user WHERE id = %s", [user.pk])

        assert [change.operation for change in changes(user)] == [
            "INSERT",
            "UPDATE",
            "UPDATE",
            "DELETE",
        ]

    def test_says_that_a_password_changed_and_never_which(self):
        user = UserFactory(password="argon2$secret")
        User.objects.filter(pk=user.pk).update(password="argon2$other")
        User.objects.filter(pk=user.pk).update(language="en")

        made, changed, other = changes(user)
        assert made.after["password"] == "*** (new)"
        assert (changed.before["password"], changed.after["password"]) == ("***", "*** (new)")
        assert "password" not in other.after

    def test_a_log_in_is_no_change(self):
        user = UserFactory()
        sql.execute("UPDATE foundation_user SET last_login = now() WHERE id = %s", [user.pk])

        assert len(changes(user)) == 1

    @pytest.mark.parametrize(
        "statement",
        [
            'INSERT INTO foundation_history ("table", row_id, operation, actor, request_id)'
            " VALUES ('x', '1', 'INSERT', 'forged', '')",
            "UPDATE foundation_history SET actor = 'nobody'",
            "DELETE FROM foundation_history",
        ],
    )
    def test_the_product_can_only_read_it(self, statement):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            sql.execute(statement)


class TestStamp:
    def test_an_unstamped_change_names_the_database_role(self, cloned_db):
        user = UserFactory()

        (made,) = changes(user)
        assert made.actor.startswith("database:")

    def test_a_stamp_ends_with_its_transaction(self, cloned_db):
        with actor.acting("user:1"), transaction.atomic():
            actor.stamp_transaction()
        user = UserFactory()

        assert changes(user)[0].actor.startswith("database:")
        with pytest.raises(TransactionManagementError):
            actor.stamp_transaction()

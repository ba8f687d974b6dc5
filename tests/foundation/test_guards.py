import pytest
from django.db import DatabaseError, transaction

from foundation import guards, sql
from foundation.services import outbox
from merchants.models import Merchant


@pytest.mark.django_db
class TestKeepMerchants:
    def test_every_table_of_facts_has_the_guard(self):
        guarded = {
            row["name"]
            for row in sql.rows(
                "SELECT tgrelid::regclass::text AS name FROM pg_trigger"
                " WHERE tgname = 'keep_merchant' AND tgenabled = 'O'"
            )
        }

        assert sorted(guards.fact_tables() - guarded) == []

    def test_a_fact_stays_in_its_book(self, merchant_id):
        outbox.add("tests.note", merchant_id=merchant_id, payload={})
        house = Merchant.objects.get(kind="HOUSE")

        with pytest.raises(DatabaseError, match="merchant_never_changes"), transaction.atomic():
            sql.execute("UPDATE foundation_outbox SET merchant_id = %s", [house.id])

        assert sql.execute("UPDATE foundation_outbox SET merchant_id = merchant_id") == 1

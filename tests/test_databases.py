"""The test databases themselves."""

from __future__ import annotations

import os

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from merchants.models import Merchant


class TestAClone:
    def test_commits_and_forgets(self, cloned_db: str) -> None:
        with transaction.atomic(durable=True):
            Merchant.objects.filter(kind="HOUSE").update(name="changed")

        with psycopg.connect(os.environ["DATABASE_URL"]) as other:
            name = other.execute("SELECT name FROM merchants_merchant WHERE kind = 'HOUSE'")
            assert name.fetchone() == ("changed",)

    def test_does_not_see_another_clone(self, cloned_db: str) -> None:
        assert Merchant.objects.get(kind="HOUSE").name != "changed"

    def test_is_used_by_the_applications_role(self, cloned_db: str) -> None:
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            connection.cursor() as cursor,
        ):
            cursor.execute("UPDATE ledger_account SET balance = 1")

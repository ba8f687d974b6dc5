"""The test databases themselves."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from merchants.models import Merchant
from tests import databases


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

    def test_is_seen_by_a_process_of_the_test(self, cloned_db: str) -> None:
        Merchant.objects.filter(kind="HOUSE").update(name="changed")
        program = "from merchants.models import Merchant; print(Merchant.objects.get().name)"

        told = subprocess.run(
            [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", program],
            cwd=databases.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )

        assert told.stdout == "changed\n"

    def test_is_dropped_under_whoever_is_connected(self, cloned_db: str) -> None:
        name = databases.clone(databases.template())

        with psycopg.connect(databases.url("DATABASE_URL", name)) as left_open:
            left_open.execute("SELECT 1")
            databases.drop(name)

            with pytest.raises(psycopg.OperationalError):
                left_open.execute("SELECT 1")

    def test_lies_where_clones_are_put(self, cloned_db: str) -> None:
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
            row = owner.execute(
                "SELECT t.spcname FROM pg_database d JOIN pg_tablespace t"
                " ON t.oid = d.dattablespace WHERE d.datname = current_database()"
            ).fetchone()

        assert row == (databases._tablespace() or "pg_default",)

    def test_is_what_a_live_server_shows(self, live_server, cloned_db: str) -> None:
        assert connection.settings_dict["NAME"] == cloned_db


class TestATemplate:
    def test_is_made_once_for_one_state_of_the_code(self, template_db: str) -> None:
        assert databases.template() == template_db

    def test_takes_no_connection_that_could_hinder_a_clone(self, template_db: str) -> None:
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            psycopg.connect(databases.url("DATABASE_OWNER_URL", template_db))


class TestASuperuser:
    def test_plants_what_every_guard_would_refuse(
        self, cloned_db: str, superuser: psycopg.Connection
    ) -> None:
        superuser.execute("DELETE FROM ledger_account_kind")  # abilities refer to it

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM ledger_account_kind")
            assert cursor.fetchone() == (0,)

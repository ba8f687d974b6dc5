"""I4: roles that could go around the guards, and the list of what is append-only."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from foundation import sql
from foundation.registries import append_only_tables
from ledger.selectors import guard_invariants


class TestRolesThatGoAroundTheGuards:
    """Roles belong to the server, so they are made and asked about inside one transaction."""

    @pytest.mark.parametrize(
        ("way", "found"),
        [
            ("GRANT countinghouse_writer TO {role}", "a member of countinghouse_writer"),
            ("ALTER ROLE {role} SUPERUSER", "a superuser"),
            ("ALTER ROLE countinghouse_writer LOGIN", "may log in"),
        ],
    )
    def test_are_found(self, way: str, found: str, superuser: psycopg.Connection) -> None:
        role = f"attacker_{uuid.uuid4().hex[:8]}"
        with superuser.transaction(force_rollback=True):
            superuser.execute(f"CREATE ROLE {role} LOGIN IN ROLE countinghouse_product")  # type: ignore[arg-type]
            before = superuser.execute(guard_invariants._RIGHTS).fetchall()

            superuser.execute(way.format(role=role))  # type: ignore[arg-type]

            after = superuser.execute(guard_invariants._RIGHTS).fetchall()
        assert before == []
        assert found in [row[4] for row in after]


class TestTheListOfAppendOnlyTables:
    @pytest.mark.django_db
    def test_is_what_the_migrations_guard(self) -> None:
        guarded = sql.rows(
            "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'refuse_change'"
        )

        listed = [table for tables in append_only_tables for table in tables]

        assert sorted(listed) == sorted(row["name"] for row in guarded)

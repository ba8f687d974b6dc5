"""The two addresses a load balancer asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from config import health
from foundation import sql


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_complete", False)


@pytest.fixture
def gone_database(cloned_db: str) -> Iterator[None]:
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "no_such_database"
    yield
    connection.settings_dict["NAME"] = name


class TestAlive:
    def test_asks_no_database(self, client: Client) -> None:
        assert client.get("/healthz").json() == {"status": "alive"}

    def test_needs_neither_the_name_nor_tls(self, client: Client, settings: Any) -> None:
        settings.ALLOWED_HOSTS = ["house.example.com"]
        settings.SECURE_SSL_REDIRECT = True

        assert client.get("/healthz", HTTP_HOST="10.0.0.7:8000").status_code == 200
        assert client.get("/", HTTP_HOST="10.0.0.7:8000").status_code in {301, 400}

    def test_takes_no_post(self, client: Client) -> None:
        assert client.post("/healthz").status_code == 405


class TestReady:
    @pytest.mark.django_db
    def test_is_ready_when_every_migration_is_applied(self, client: Client) -> None:
        for _ in range(2):
            answer = client.get("/readyz")

            assert (answer.status_code, answer.json()) == (200, {"status": "ready"})

    def test_counts_the_migrations_that_are_missing(self, client: Client, cloned_db: str) -> None:
        last = "(SELECT max(id) FROM django_migrations WHERE app = 'ledger')"
        sql.execute(f"DELETE FROM django_migrations WHERE id = {last}", using="owner")

        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["status"] == "migrations missing"
        assert answer.json()["count"] >= 1

    def test_says_when_the_database_does_not_answer(
        self, client: Client, gone_database: None
    ) -> None:
        answer = client.get("/readyz")

        assert (answer.status_code, answer.json()) == (503, {"status": "database unreachable"})

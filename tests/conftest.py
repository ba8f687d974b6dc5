"""Fixtures that every test may use: databases, and a superuser who plants faults."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests import databases


def pytest_configure() -> None:
    """Without two roles the one role does both, as in the settings."""
    os.environ.setdefault("DATABASE_OWNER_URL", os.environ["DATABASE_URL"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that would flush the database, or wants a transaction around its own clone."""
    for item in items:
        mark = item.get_closest_marker("django_db")
        own = {"cloned_db", "transactional_db", "live_server"} & set(
            getattr(item, "fixturenames", ())
        )
        if mark and (own or mark.kwargs.get("transaction")):
            raise pytest.UsageError(
                f"{item.nodeid}: take `cloned_db` for a test that commits, without django_db."
            )


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """Forget the language of a test's last request, which stays with the thread."""
    yield
    from django.utils import translation

    translation.deactivate()


@pytest.fixture(scope="session")
def template_db() -> str:
    """The migrated template of this state of the code."""
    return databases.template()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, template_db: str, django_db_blocker: pytest.FixtureRequest
) -> Iterator[None]:
    """One clone per process for tests that stay inside a transaction."""
    name = databases.clone(template_db)
    databases.use(name)
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        from django.db import connections

        connections.close_all()
    databases.drop(name)


@pytest.fixture
def cloned_db(
    django_db_setup: None, template_db: str, django_db_blocker: pytest.FixtureRequest
) -> Iterator[str]:
    """A database of the test's own: commits happen, threads and processes may join."""
    from django.db import connections

    before = connections["default"].settings_dict["NAME"]
    name = databases.clone(template_db)
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        databases.use(name)
        try:
            yield name
        finally:
            connections.close_all()
            databases.use(before)
            databases.drop(name)


@pytest.fixture
def transactional_db(cloned_db: str) -> None:
    """What `live_server` asks for: a clone, where pytest-django would flush."""


@pytest.fixture
def superuser(cloned_db: str) -> Iterator[psycopg.Connection]:
    """
    A superuser's connection to the clone with every trigger and foreign key off: it plants faults.

    DATABASE_SUPERUSER_URL names the server's superuser; `./run test` sets it.
    """
    url = os.environ.get("DATABASE_SUPERUSER_URL")
    if not url:
        pytest.skip("DATABASE_SUPERUSER_URL is not set: faults can only be planted by a superuser.")
    conninfo = make_conninfo(url, dbname=cloned_db)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection

"""What the tests of `foundation` share: a merchant, and threads that start together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from foundation import owner, registries, sql
from foundation.models import User
from foundation.registries import ApprovalAction
from merchants.models import Merchant
from tests import databases
from tests.foundation.colleagues import one_of
from tests.foundation.refusals import HAND


@pytest.fixture
def merchant_id(request) -> int:
    """A merchant's id, in whichever database the test uses."""
    database = "cloned_db" if "cloned_db" in request.fixturenames else "db"
    request.getfixturevalue(database)
    return Merchant.objects.create(
        merchant_no="M-1", name="一号商户", created_at=datetime(2026, 1, 5, tzinfo=UTC)
    ).id


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Run `work(n)` in so many threads that start at the same moment; return what each one got."""

    def run(count: int, work: Callable[[int], Any]) -> list[Any]:
        start = threading.Barrier(count)

        def one(number: int) -> Any:
            try:
                start.wait(10)
                return work(number)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return run


@pytest.fixture
def ann(request: pytest.FixtureRequest) -> User:
    """An operator."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    return one_of("operator", username="ann")


@pytest.fixture
def bo(request: pytest.FixtureRequest) -> User:
    """A checker."""
    request.getfixturevalue("cloned_db" if "cloned_db" in request.fixturenames else "db")
    return one_of("checker", username="bo")


@pytest.fixture(scope="module")
def guarded(
    django_db_setup: None, template_db: str, django_db_blocker: Any
) -> Iterator[tuple[User, User]]:
    """
    A database in which the product's role makes no staff, as every other one is; and Ann, an
    operator, and Bo, a checker, made on the server. One for all tests here: they commit.
    """
    before = connections["default"].settings_dict["NAME"]
    role = connections["default"].settings_dict["USER"]
    if role == connections["owner"].settings_dict["USER"]:
        pytest.skip("One role owns and runs all: the role guard is off.")
    name = databases.clone(template_db)
    with django_db_blocker.unblock():
        databases.use(name)
        try:
            with owner.connected():
                sql.execute(f'REVOKE {HAND} FROM "{role}"')
                ann, bo = one_of("operator", username="ann"), one_of("checker", username="bo")
                one_of("checker")  # so that Bo is not the last who decides
            yield ann, bo
        finally:
            connections.close_all()
            databases.use(before)
            databases.drop(name)


@pytest.fixture
def papers_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one kind of proposal that there is, during a test."""
    registry: registries.Registry[ApprovalAction] = registries.Registry("approval_actions")
    registry.register(
        "tests.paper", ApprovalAction("tests.paper", lambda one, at: None, lambda one: "a paper")
    )
    monkeypatch.setattr(registries, "approval_actions", registry)

"""What the tests of `foundation` share: a merchant, and threads that start together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from foundation.models import User
from merchants.models import Merchant
from tests.foundation.colleagues import one_of


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

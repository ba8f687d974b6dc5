"""What the tests of changes share: a merchant that came by an application, and three of staff."""

from __future__ import annotations

import pytest

from foundation.models import User
from merchants.models import Merchant
from tests.factories import application_change as make


@pytest.fixture
def shop() -> Merchant:
    return make.merchant()


@pytest.fixture
def maker() -> User:
    return make.somebody()


@pytest.fixture
def reviewer() -> User:
    return make.somebody()


@pytest.fixture
def checker() -> User:
    return make.somebody()

"""The doors while the database does not answer: 503 and "come back", and never for a bug."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from tests.api.caller import Caller
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory


@pytest.mark.django_db
class TestADatabaseThatDoesNotAnswer:
    @pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
    def test_is_nobodys_bug_and_the_caller_comes_back(self, kind: type[Exception]) -> None:
        caller = Caller(MerchantFactory())

        with connection.execute_wrapper(_away(kind)):
            answer = caller.get("balances")

        assert answer.status_code == 503, answer.content
        assert answer.json()["code"] == "try_again"
        assert answer["Retry-After"] == "5"

    def test_is_no_bug_of_a_page_either(self) -> None:
        client = Client(raise_request_exception=False)
        client.force_login(UserFactory())

        with connection.execute_wrapper(_away(OperationalError)):
            answer = client.get("/portal/")

        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "出错了" in answer.content.decode()

    def test_and_a_bug_stays_one(self) -> None:
        client = Client(raise_request_exception=False)
        client.force_login(UserFactory())

        with connection.execute_wrapper(_away(ValueError)):
            answer = client.get("/portal/")

        assert answer.status_code == 500


def _away(kind: type[Exception]) -> Any:
    def execute(*_: Any) -> None:
        raise kind("the connection is lost")

    return execute

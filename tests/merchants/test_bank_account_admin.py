"""What the pages of a settlement account ask of the database: never its number in clear."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", ["change", "timeline"])
def test_no_statement_of_its_pages_holds_the_number(page: str) -> None:
    """Statements that are slow stand in the logs of the database, whole."""
    account = BankAccountFactory()
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
    address = reverse(f"admin:merchants_bankaccount_{page}", args=[account.pk])

    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address)

    assert answer.status_code == 200
    assert account.number not in answer.content.decode()
    assert not [one for one in asked if account.number in one["sql"]]


def test_its_page_stands_when_its_key_is_gone(settings) -> None:
    account = BankAccountFactory()
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE merchants_bank_account SET number = replace(number, 'test:', 'lost:')"
            " WHERE id = %s",
            [account.pk],
        )

    answer = client.get(reverse("admin:merchants_bankaccount_change", args=[account.pk]))

    assert answer.status_code == 200
    assert account.number_masked in answer.content.decode()

"""The page of an account: what it is, whose it is, in whose books."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from ledger import chart
from ledger.models import Account, AccountKind
from merchants.services import house
from tests.factories.ledger import book

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "owner"),
    [("merchant_pending", ()), ("channel_receivable", ("the house", "本机构"))],
)
def test_says_owner_and_accounting_entity(
    admin_client: Client, kind: str, owner: tuple[str, ...]
) -> None:
    """Account, owner and accounting entity are three things (S2-38, LG-14)."""
    merchant = book()
    merchant.clear(100_00)
    account = Account.objects.select_related("merchant", "kind__subject").get(
        merchant_id=merchant.merchant_id, kind=kind
    )
    address = reverse("admin:ledger_account_change", args=[account.pk])
    page = admin_client.get(address).content.decode()

    shown = re.findall(r'<div class="readonly[^"]*">([^<]*)</div>', page)
    assert shown[-2] in (owner or (str(account.merchant),))
    assert not {"CR", "DR", "True", "False"} & set(shown)
    assert {"credit", "debit", "贷", "借"} & set(shown)
    assert shown[-1] == f"{house.house()} · {account.kind.subject}"


def test_what_the_house_owes_belongs_to_somebody_else() -> None:
    owed = AccountKind.objects.filter(subject__code__in=["2202", "2203", "2221", "2241"])

    assert {kind.owner for kind in owed}.isdisjoint({"HOUSE"})
    assert set(chart.OWNERS) == set(owed.values_list("kind", flat=True))

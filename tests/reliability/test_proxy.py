"""The proxy that the crash tests stand on: it sees every commit, and cuts where it says it does."""

from __future__ import annotations

import os

import pytest
from django.db import OperationalError, connection, transaction

from foundation import sql
from merchants.models import Merchant
from settlement.models import Run
from tests.factories import settlement as make
from tests.reliability.proxy import Proxy, Strike, between, writing_functions


def proxy(how: Strike = Strike.DIES_BEFORE, at: int | None = None) -> Proxy:
    return Proxy(os.environ["DATABASE_URL"], writing_functions(), how, at)


def rename(name: str) -> None:
    Merchant.objects.filter(kind="HOUSE").update(name=name)


def test_counts_transactions_and_writing_statements_and_nothing_else(cloned_db):
    merchant = make.merchant()
    with between(proxy()) as seen:
        assert not Run.objects.exists()
        sql.rows("SELECT 1 -- and an update of nothing")
        assert seen.sites == []

        rename("one")
        with transaction.atomic():
            rename("two")
            sql.rows("SELECT id FROM settlement_run FOR UPDATE")
        make.account(merchant, "fee_income")  # one prepared call of a function, by itself

        assert seen.sites == ["merchants_merchant", "merchants_merchant", "ledger_open_accounts"]

        with transaction.atomic():
            rename("three")
            transaction.set_rollback(True)
        assert len(seen.sites) == 3
    assert Merchant.objects.get(kind="HOUSE").name == "two"


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("how", "name"),
    [(Strike.DIES_BEFORE, "before"), (Strike.DIES_AFTER, "after"), (Strike.LOST_AFTER, "after")],
)
def test_cuts_before_or_after_the_server_has_committed(cloned_db, how, name, alone):
    merchant = make.merchant()
    rename("before")

    with between(proxy(how, at=2)) as struck:
        make.account(merchant, "fee_income")
        way = rename if alone else transaction.atomic(rename)
        with pytest.raises(OperationalError):
            way("after")

        assert struck.struck
        connection.close()
        if how == Strike.LOST_AFTER:
            assert Merchant.objects.get(kind="HOUSE").name == "after"
        else:
            with pytest.raises(OperationalError):
                connection.ensure_connection()

    assert Merchant.objects.get(kind="HOUSE").name == name


def test_lets_a_client_sleep_after_the_commit(cloned_db):
    with between(proxy(Strike.LATE, at=1)) as late:
        seen: list[str] = []
        late.meanwhile = lambda: seen.append(Merchant.objects.get(kind="HOUSE").name)

        rename("committed")

    assert seen == ["committed"]

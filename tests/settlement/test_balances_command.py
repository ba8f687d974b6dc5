"""`balances`: what adds up for every merchant at every moment."""

from __future__ import annotations

import io
import json
from datetime import date

import pytest
from django.core.management import call_command

from channels.adapters.base import Kind
from merchants.models import Merchant
from settlement.services import run as runs
from tests.factories import payout as payouts
from tests.factories import settlement as make
from tests.factories.merchants import BankAccountFactory

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def balances() -> list[dict[str, object]]:
    out = io.StringIO()
    call_command("balances", "--json", stdout=out)
    found: list[dict[str, object]] = json.loads(out.getvalue())
    return found


@pytest.mark.django_db
class TestBalances:
    def test_are_an_empty_list_without_merchants_with_money(self):
        assert balances() == []

    def test_name_every_part_of_a_merchants_money(self, settings):
        payouts.address()
        merchant = make.merchant("M-1")
        make.payment(merchant, 100_00, MONDAY)
        make.payment(merchant, 30_00, TUESDAY)
        started = runs.start(run_date=TUESDAY)
        assert started is not None
        runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)
        account = BankAccountFactory(merchant=Merchant.objects.get(id=merchant))
        payouts.fee(1_00)
        attempt = payouts.attempt("SUCCEEDED", account)
        payouts.request(account, 19_00)

        assert balances() == [
            {
                "merchant_no": "M-1", "currency": "CNY", "pending": 30_00, "available": 29_00,
                "held": 20_00, "reserve": 0, "debt": 0, "waiting_refunds": 0,
                "paid_out": 50_00, "payout_fees": 1_00,
            }
        ]  # fmt: skip

        payouts.news(attempt, Kind.RETURNED)

        row = balances()[0]
        assert (row["available"], row["paid_out"], row["payout_fees"]) == (79_00, 0, 1_00)

    def test_write_a_table_for_people(self, capsys):
        make.payment(make.merchant("M-7"), 100_00, MONDAY)

        call_command("balances")

        assert "M-7" in capsys.readouterr().out

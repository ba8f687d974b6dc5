"""A merchant's own programs are told where its withdrawals stand."""

from __future__ import annotations

import pytest

from merchants.models import WebhookDelivery
from settlement.models import Withdrawal
from tests.factories import payout, webhook
from tests.factories.webhook import Ear, endpoint, send

pytestmark = pytest.mark.django_db


class TestAWithdrawal:
    def test_tells_who_wants_it_of_every_move_with_its_amount(self) -> None:
        account = payout.payee(500_00)
        one = endpoint(account.merchant, events=["withdrawal.changed"])
        endpoint(account.merchant, events=[webhook.MERCHANT])
        endpoint(events=["withdrawal.changed"])  # another merchant's

        made = payout.request(account)

        moves = made.transitions.exclude(from_status="").order_by("sequence")
        told = WebhookDelivery.objects.order_by("id")
        assert [(one.id, made.number, move.to_status) for move in moves] == [
            (row.endpoint_id, row.object_number, row.object_state) for row in told
        ]
        assert {row.amount for row in told} == {made.amount}
        assert told.count() > 0
        ear = Ear()
        send(ear)
        assert made.status.encode() in ear.heard[-1]["body"]
        for private in (account.number, account.holder):
            assert private.encode() not in ear.heard[-1]["body"]

    def test_writes_nothing_where_nobody_wants_it(self) -> None:
        payout.request(payout.payee(500_00))

        assert Withdrawal.objects.exists()
        assert not WebhookDelivery.objects.exists()

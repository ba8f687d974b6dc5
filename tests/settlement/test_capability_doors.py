"""What was taken from a merchant is refused wherever its money would move by it."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from foundation.money import Money
from merchants.models import Capability
from merchants.selectors import capability as selectors
from merchants.selectors.capability import CapabilityTaken
from settlement.models import Batch, Schedule, Withdrawal
from settlement.selectors import schedule as schedules
from settlement.services import batch as batches
from settlement.services import run as runs
from settlement.services import schedule
from settlement.services import standing_instruction as instructions
from tests.factories import capability, portal
from tests.factories import payout as make
from tests.factories import settlement as dues
from tests.factories.payout import NOON

pytestmark = pytest.mark.django_db
MONDAY, TUESDAY, LATER = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 20)


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()


@pytest.fixture
def blind(monkeypatch):
    """Python looks away: what is refused now is refused by the database."""
    monkeypatch.setattr(selectors, "require", lambda *_what, **_who: None)


class TestWithdraw:
    def test_is_refused_and_nothing_is_held(self):
        account = make.payee(100_00)
        before = make.request(account, 20_00)
        capability.leave(account.merchant_id, Capability.WITHDRAW)

        with pytest.raises(CapabilityTaken, match="under review"):
            make.request(account, 30_00)

        assert [one.id for one in Withdrawal.objects.all()] == [before.id]
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 20_00)
        assert make.broken() == []

    def test_is_refused_by_the_database_too(self, blind):
        account = make.payee(100_00)
        capability.leave(account.merchant_id, Capability.WITHDRAW)

        with pytest.raises(DatabaseError, match="may not withdraw"):
            make.request(account)

    def test_is_not_offered_in_the_portal_which_says_why(self):
        made = portal.shop(NOON)
        make.fund(made.merchant, 100_00)
        reader = Client()
        reader.force_login(made.owner)
        home = reverse("portal:home", args=[made.merchant.id])
        door = reverse("portal:withdraw", args=[made.merchant.id]).encode()
        assert door in reader.get(home).content

        capability.leave(made.merchant.id, Capability.WITHDRAW)

        shown = reader.get(home).content
        assert door not in shown
        assert b"under review" in shown

    def test_comes_back(self):
        account = make.payee(100_00)
        capability.leave(account.merchant_id, Capability.WITHDRAW)
        capability.leave(account.merchant_id)

        assert make.request(account).status == "HELD"


class TestAutomatic:
    def settled(self, *taken: Capability) -> int:
        """Settle 40.00 of a merchant with an instruction; return how many withdrawals it made."""
        account = make.payee(0)
        instructions.create_by_operator(
            merchant_id=account.merchant_id, bank_account_id=account.id, keep=Money(0, "CNY"),
            minimum=Money(1, "CNY"), at=NOON,
        )  # fmt: skip
        capability.leave(account.merchant_id, *taken)
        dues.payment(account.merchant_id, 40_00, MONDAY)
        started = runs.start(run_date=TUESDAY)
        assert started is not None
        batches.freeze_and_post(run=started.run, part=1, at=NOON)
        return instructions.pay_out_items(Batch.objects.get(run=started.run).id, NOON).created

    def test_pays_by_the_instruction(self):
        assert self.settled(Capability.WITHDRAW) == 1

    def test_leaves_it_on_the_balance_when_it_was_taken(self):
        assert self.settled(Capability.AUTOMATIC) == 0
        assert not Withdrawal.objects.exists()
        assert make.broken() == []


class TestSameDay:
    def test_becomes_t1_on_the_day_it_is_taken_and_on_agreed_days(self):
        merchant_id = dues.merchant()
        schedule.change(merchant_id=merchant_id, code="T0", effective_from=date(2026, 1, 5))
        schedule.change(merchant_id=merchant_id, code="D0", effective_from=LATER)

        capability.leave(merchant_id, Capability.SAME_DAY)  # decided on Monday

        days = {date(2026, 3, 1): "T0", MONDAY: "T1", TUESDAY: "T1", LATER: "T1"}
        found = {day: schedules.in_force(merchant_id=merchant_id, day=day) for day in days}
        assert found == days

    def test_leaves_other_schedules_alone(self):
        merchant_id = dues.merchant()
        schedule.change(merchant_id=merchant_id, code="T2", effective_from=date(2026, 1, 5))

        capability.leave(merchant_id, Capability.SAME_DAY)

        assert Schedule.objects.filter(merchant_id=merchant_id).count() == 1

    def test_cannot_be_agreed_on_while_it_is_taken(self):
        merchant_id = dues.merchant()
        capability.leave(merchant_id, Capability.SAME_DAY)

        with pytest.raises(CapabilityTaken):
            schedule.change(merchant_id=merchant_id, code="T0", effective_from=TUESDAY)
        schedule.change(merchant_id=merchant_id, code="T2", effective_from=TUESDAY)

    def test_is_refused_by_the_database_too(self, blind):
        merchant_id = dues.merchant()
        capability.leave(merchant_id, Capability.SAME_DAY)

        with pytest.raises(DatabaseError, match="settled the same day"), transaction.atomic():
            schedule.change(merchant_id=merchant_id, code="D0", effective_from=TUESDAY)

"""Freezing, posting, closing: what a run does to items, holds, entries and balances."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ledger.models import Hold
from settlement.models import Batch, Exposure, Item, Position, Run
from settlement.selectors import run as runs_seen
from settlement.services import due as dues
from settlement.services import schedule
from tests.factories import settlement as make
from tests.settlement.runs import assert_proved, postings, settle

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)


@pytest.mark.django_db
class TestSettling:
    def test_moves_what_is_due_from_pending_to_available(self):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        make.payment(merchant, 50_00, TUESDAY)  # due on Wednesday

        settle(TUESDAY)

        assert make.balance(merchant, "merchant_pending") == 50_00
        assert make.balance(merchant, "merchant_available") == 100_00
        assert postings(merchant) == [
            ("merchant_available", "settle", "CR", 100_00),
            ("merchant_pending", "settle", "DR", 100_00),
        ]
        item = Item.objects.get(merchant_id=merchant)
        assert (item.state, item.net_minor, item.line_count) == ("CLOSED", 100_00, 1)
        assert item.batch.state == "CLOSED"
        assert Run.objects.get().state == "DONE"
        assert Hold.objects.get(merchant_id=merchant).state == "CAPTURED"
        assert_proved()

    def test_with_nothing_due_leaves_no_run_and_no_batch(self):
        make.payment(make.merchant(), 100_00, MONDAY)

        assert settle(MONDAY) is None

        assert not Run.objects.exists()
        assert not Batch.objects.exists()

    def test_again_settles_only_what_came_since_as_the_next_cycle(self):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        settle(TUESDAY)

        assert settle(TUESDAY) is None
        make.payment(merchant, 7_00, MONDAY)  # a late fact
        settle(TUESDAY)

        found = Item.objects.filter(merchant_id=merchant).order_by("cycle")
        assert [(item.cycle, item.net_minor) for item in found] == [(1, 100_00), (2, 7_00)]
        assert make.balance(merchant, "merchant_available") == 107_00
        assert_proved()

    def test_of_an_earlier_date_after_a_later_one_takes_late_facts_only(self):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        make.payment(merchant, 20_00, TUESDAY)
        settle(WEDNESDAY)
        make.payment(merchant, 5_00, MONDAY)

        settle(TUESDAY)

        assert make.balance(merchant, "merchant_available") == 125_00
        assert settle(WEDNESDAY) is None
        assert_proved()

    def test_keeps_currencies_apart(self):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        make.payment(merchant, 3000, MONDAY, currency="JPY")

        settle(TUESDAY)

        found = Item.objects.filter(merchant_id=merchant).order_by("currency")
        assert [(item.currency, item.net_minor) for item in found] == [
            ("CNY", 100_00),
            ("JPY", 3000),
        ]
        assert Batch.objects.count() == 2
        assert_proved()

    def test_of_many_merchants_is_cut_into_parts_of_the_size_asked_for(self):
        for _ in range(7):
            make.payment(make.merchant(), 1_00, MONDAY)

        settle(TUESDAY, part_size=3)

        parts = Batch.objects.order_by("part")
        assert [batch.items.count() for batch in parts] == [3, 2, 2]

    def test_never_makes_more_parts_than_tasks_allowed(self):
        for _ in range(70):
            make.payment(make.merchant(), 1_00, MONDAY)

        run = settle(TUESDAY, part_size=1)

        assert run is not None
        assert runs_seen.parts(run_id=run.id) == (60, 60)

    def test_of_a_payment_of_which_the_fee_took_all_closes_without_entry(self):
        merchant = make.merchant()
        make.account(merchant, "merchant_pending")
        make.payment(merchant, 0, MONDAY)

        settle(TUESDAY)

        item = Item.objects.get(merchant_id=merchant)
        assert (item.state, item.net_minor, item.line_count, item.entry_id) == (
            "CLOSED",
            0,
            1,
            None,
        )
        assert_proved()


@pytest.mark.django_db
class TestDebt:
    def test_is_repaid_before_anything_becomes_available(self):
        merchant = make.merchant()
        make.owe(merchant, 30_00)
        make.payment(merchant, 100_00, MONDAY)

        settle(TUESDAY)

        assert postings(merchant) == [
            ("merchant_available", "settle", "CR", 70_00),
            ("merchant_debt", "repay", "CR", 30_00),
            ("merchant_pending", "settle", "DR", 100_00),
        ]
        assert make.balance(merchant, "merchant_debt") == 0

    def test_larger_than_the_net_takes_all_of_it(self):
        merchant = make.merchant()
        make.owe(merchant, 130_00)
        make.payment(merchant, 100_00, MONDAY)

        settle(TUESDAY)

        assert make.balance(merchant, "merchant_debt") == 30_00
        assert make.balance(merchant, "merchant_available") == 0

    def test_grows_by_a_negative_net_and_is_repaid_by_the_next(self):
        merchant = make.merchant()
        make.payment(merchant, 100_00, TUESDAY)  # due on Wednesday
        make.refund_rest(merchant, 40_00, MONDAY)

        settle(TUESDAY)

        assert postings(merchant) == [
            ("merchant_debt", "owe", "DR", 40_00),
            ("merchant_pending", "settle", "CR", 40_00),
        ]
        assert make.balance(merchant, "merchant_pending") == 100_00
        assert_proved()

        settle(WEDNESDAY)

        assert make.balance(merchant, "merchant_debt") == 0
        assert make.balance(merchant, "merchant_pending") == 0
        assert make.balance(merchant, "merchant_available") == 60_00
        assert_proved()


@pytest.mark.django_db
class TestDueAtOnce:
    def test_goes_with_the_very_next_batch_whatever_its_date(self):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        make.payment(merchant, 50_00, WEDNESDAY)
        make.refund_rest(merchant, 10_00, WEDNESDAY)

        settle(TUESDAY)

        assert make.balance(merchant, "merchant_available") == 90_00
        assert not Position.objects.get(merchant_id=merchant).has_at_once
        assert_proved()


@pytest.mark.django_db
class TestSameDayMoney:
    def test_costs_the_surcharge_and_leaves_an_unfunded_exposure(self):
        merchant = make.merchant()
        schedule.change(
            merchant_id=merchant,
            code="T0",
            effective_from=MONDAY,
            surcharge_percent=Decimal("0.05"),
            surcharge_fixed_minor=10,
        )
        make.payment(merchant, 99_40, MONDAY)

        settle(MONDAY)

        assert postings(merchant) == [
            ("fee_income", "earn", "CR", 15),  # 0.05 % of 99.40 is 0.0497, and 0.10
            ("merchant_available", "settle", "CR", 99_25),
            ("merchant_pending", "settle", "DR", 99_40),
        ]
        exposure = Exposure.objects.get(merchant_id=merchant)
        assert (exposure.amount_minor, exposure.state) == (99_40, "UNFUNDED")
        assert_proved()

    def test_pays_its_debt_before_the_surcharge(self):
        merchant = make.merchant()
        schedule.change(
            merchant_id=merchant, code="D0", effective_from=MONDAY, surcharge_fixed_minor=5_00
        )
        make.owe(merchant, 98_00)
        make.payment(merchant, 100_00, MONDAY)

        settle(MONDAY)

        item = Item.objects.get(merchant_id=merchant)
        assert (item.to_debt_minor, item.surcharge_minor, item.to_available_minor) == (
            98_00,
            2_00,
            0,
        )
        assert_proved()


@pytest.mark.django_db
class TestManualMoney:
    def test_waits_until_it_is_released(self):
        merchant = make.merchant()
        schedule.change(merchant_id=merchant, code="MANUAL", effective_from=MONDAY)
        make.payment(merchant, 100_00, MONDAY)
        assert settle(WEDNESDAY) is None

        assert dues.release_manual(merchant_id=merchant, due_date=WEDNESDAY, at=make.NOON) == 1
        settle(WEDNESDAY)

        assert make.balance(merchant, "merchant_available") == 100_00
        assert_proved()

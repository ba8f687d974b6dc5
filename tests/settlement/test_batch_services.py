"""Freezing, posting, closing: what a run does to items, holds, entries and balances."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from foundation import registries, sql
from foundation.money import Money
from ledger.models import Hold, Posting
from settlement.models import Batch, Due, Exposure, Item, Line, Position, Run, Withdrawal
from settlement.models import batch as batch_model
from settlement.models import item as item_model
from settlement.selectors import preview
from settlement.selectors import run as runs_seen
from settlement.services import batch as batches
from settlement.services import due as dues
from settlement.services import item as items
from settlement.services import run as runs
from settlement.services import schedule
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal as withdrawals
from tests.factories import payout as payouts
from tests.factories import settlement as make

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)


def settle(run_date: date, **options: int) -> Run | None:
    started = runs.start(run_date=run_date, **options)
    if started is None:
        return None
    runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)
    return started.run


def assert_proved() -> None:
    found = [finding for check in registries.invariant_checks for finding in check()]
    assert found == []


def postings(merchant_id: int) -> list[tuple[str, str, str, int]]:
    return list(
        Posting.objects.filter(merchant_id=merchant_id, entry__source_kind="settlement")
        .order_by("account_kind", "side")
        .values_list("account_kind", "operation", "side", "amount_minor")
    )


def book_something_else(merchant: int, source_kind: str, source_id: str) -> None:
    """Book another entry under the cause of a settlement entry."""
    debit = make.account(merchant, "channel_receivable", channel="wx")
    credit = make.account(merchant, "fee_income")
    make.journal.post(
        merchant_id=merchant,
        source_kind=source_kind,
        source_id=source_id,
        postings=[make.journal.debit(debit, "clear", 1), make.journal.credit(credit, "earn", 1)],
    )


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

        assert dues.release_manual(merchant_id=merchant, due_date=WEDNESDAY) == 1
        settle(WEDNESDAY)

        assert make.balance(merchant, "merchant_available") == 100_00
        assert_proved()


@pytest.mark.django_db
class TestHeldBack:
    def blocked(self) -> tuple[int, int]:
        """Two merchants; another entry stands where the second one's is to be booked."""
        good, bad = make.merchant(), make.merchant()
        for merchant in (good, bad):
            make.payment(merchant, 100_00, MONDAY)
        book_something_else(bad, "settlement", "2026-03-03:1:CNY")
        return good, bad

    def test_holds_back_the_merchant_that_cannot_be_booked_and_settles_the_others(self):
        good, bad = self.blocked()

        settle(TUESDAY)

        assert make.balance(good, "merchant_available") == 100_00
        item = Item.objects.get(merchant_id=bad)
        assert item.state == "HELD_BACK"
        assert "booked before" in item.reason
        assert Hold.objects.get(id=item.hold_id).state == "OPEN"
        assert Batch.objects.get().state == "POSTED"
        assert Run.objects.get().state == "DONE"
        held = runs_seen.held_back()
        assert [(row.net_minor, row.currency) for row in held] == [(100_00, "CNY")]

    def test_tries_again_with_the_next_run_and_closes_then(self, monkeypatch):
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        real = items.journal.post_bulk

        def refuse(**_: object) -> int:
            raise batches.errors.EntryConflict("not today")

        monkeypatch.setattr(items.journal, "post_bulk", refuse)
        settle(TUESDAY)
        assert Item.objects.get().state == "HELD_BACK"
        assert runs.retry_held_back(at=make.NOON) == 0
        monkeypatch.setattr(items.journal, "post_bulk", real)

        assert runs.retry_held_back(at=make.NOON) == 1

        item = Item.objects.get()
        assert (item.state, item.reason, item.batch.state) == ("CLOSED", "", "CLOSED")
        assert make.balance(merchant, "merchant_available") == 100_00
        assert_proved()

    def test_names_the_merchant_whose_lines_cannot_be_frozen_and_takes_him_next_time(
        self, monkeypatch
    ):
        good, bad = make.merchant(), make.merchant()
        for merchant in (good, bad):
            make.payment(merchant, 100_00, MONDAY)
        real = batches.holds.open_bulk

        def refuse(**call: object) -> int:
            if sql.rows(
                "SELECT 1 AS one FROM ledger_intake_hold WHERE call_id = %s AND merchant_id = %s",
                [call["call_id"], bad],
            ):
                raise batches.errors.HoldConflict("no hold today")
            return real(**call)

        monkeypatch.setattr(batches.holds, "open_bulk", refuse)
        settle(TUESDAY)
        assert make.balance(good, "merchant_available") == 100_00
        assert [(i.state, i.reason) for i in Item.objects.filter(merchant_id=bad)] == [
            ("HELD_BACK", "no hold today")
        ]
        assert not Line.objects.filter(merchant_id=bad).exists()
        monkeypatch.setattr(batches.holds, "open_bulk", real)

        runs.retry_held_back(at=make.NOON)
        settle(TUESDAY)

        assert make.balance(bad, "merchant_available") == 100_00
        assert {item.state for item in Item.objects.all()} == {"CLOSED"}
        assert_proved()


@pytest.mark.django_db
class TestStandingInstruction:
    def test_pays_out_what_was_settled_and_closes_when_that_has_ended(self):
        account = payouts.payee(0)
        instructions.create_by_operator(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            keep=Money(0, "CNY"),
            minimum=Money(1, "CNY"),
            at=make.NOON,
        )
        make.payment(account.merchant_id, 100_00, MONDAY)
        make.payment(make.merchant(), 50_00, MONDAY)

        settle(TUESDAY)

        withdrawal = Withdrawal.objects.get(merchant_id=account.merchant_id)
        item = Item.objects.get(merchant_id=account.merchant_id)
        assert (withdrawal.amount_minor, withdrawal.item_id) == (100_00, item.id)
        assert (item.state, item.batch.state) == ("PAYING", "PAYING")
        assert Item.objects.exclude(id=item.id).get().state == "CLOSED"
        assert Run.objects.get().state == "DONE"

        withdrawals.cancel(
            merchant_id=account.merchant_id, withdrawal_id=withdrawal.id, reason="not now",
            at=make.NOON,
        )  # fmt: skip
        instructions.withdrawal_ended(
            merchant_id=account.merchant_id, withdrawal_id=withdrawal.id, at=make.NOON
        )

        item.refresh_from_db()
        assert (item.state, Batch.objects.get().state) == ("CLOSED", "CLOSED")
        assert_proved()


@pytest.mark.django_db
class TestDryRun:
    def test_writes_nothing_and_equals_the_later_run(self):
        for number in range(4):
            merchant = make.merchant()
            make.payment(merchant, 100_00 + number, MONDAY)
            make.payment(merchant, 10_00, TUESDAY)
            make.refund_rest(merchant, 30_00 * number, MONDAY) if number else None
            if number == 2:
                make.owe(merchant, 25_00)
            if number == 1:
                schedule.change(
                    merchant_id=merchant, code="T0", effective_from=TUESDAY,
                    surcharge_percent=Decimal(1),
                )  # fmt: skip
                make.payment(merchant, 40_00, TUESDAY)

        seen = preview.items(run_date=TUESDAY)
        assert not Item.objects.exists()
        settle(TUESDAY)

        assert len(seen) == 4
        real = Item.objects.order_by("merchant_id").select_related("merchant")
        assert [
            (i.merchant.merchant_no, i.currency, i.net_minor, i.line_count, i.to_debt_minor,
             i.surcharge_minor, i.to_available_minor) for i in real
        ] == [
            (p.merchant_no, p.currency, p.net_minor, p.line_count, p.to_debt_minor,
             p.surcharge_minor, p.to_available_minor) for p in seen
        ]  # fmt: skip
        assert_proved()


@pytest.mark.django_db
class TestGuards:
    @pytest.fixture
    def settled(self) -> int:
        merchant = make.merchant()
        make.payment(merchant, 100_00, MONDAY)
        settle(TUESDAY)
        return merchant

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE settlement_line SET amount_minor = 1",
            "DELETE FROM settlement_line",
            "UPDATE settlement_due SET amount_minor = 1",
            "UPDATE settlement_due SET due_date = due_date + 1",
            "DELETE FROM settlement_due",
            "UPDATE settlement_item SET net_minor = net_minor + 1",
            "UPDATE settlement_item SET to_available_minor = 0, to_debt_minor = net_minor",
            "UPDATE settlement_item SET state = 'FROZEN'",
            "UPDATE settlement_item SET state = 'POSTED'",
            "DELETE FROM settlement_item",
            "UPDATE settlement_batch SET state = 'POSTED'",
            "UPDATE settlement_batch SET merchant_to = merchant_to + 1",
            "DELETE FROM settlement_batch",
            "UPDATE settlement_run SET state = 'RUNNING', finished_at = NULL",
            "TRUNCATE settlement_line",
        ],
    )
    def test_refuse_what_would_change_history(self, settled, statement):
        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute(statement)

    def test_refuse_a_second_line_of_a_payment(self, settled):
        line = Line.objects.get(merchant_id=settled)

        with pytest.raises(DatabaseError), transaction.atomic():
            Line.objects.create(
                id=line.id + 1, merchant_id=settled, item_id=line.item_id,
                source_kind=line.source_kind, source_id=line.source_id, amount_minor=1,
            )  # fmt: skip

    def test_refuse_lines_that_are_not_their_items_net(self, settled):
        item = Item.objects.get(merchant_id=settled)

        with pytest.raises(DatabaseError, match="lines_do_not_sum"), transaction.atomic():
            Line.objects.create(
                id=1, merchant_id=settled, item_id=item.id, source_kind="payment",
                source_id=999_999, amount_minor=100_00,
            )  # fmt: skip

    def test_allow_every_step_of_the_tables_and_no_other(self):
        for states, text in (
            (item_model.TRANSITIONS, sql.load("settlement", "item")),
            (batch_model.TRANSITIONS, sql.load("settlement", "batch")),
        ):
            for before, allowed in states.items():
                for after in states:
                    assert (f"('{before}', '{after}')" in text) == (after in allowed)

    def test_let_an_empty_due_date_be_filled_once(self):
        merchant = make.merchant()
        schedule.change(merchant_id=merchant, code="MANUAL", effective_from=MONDAY)
        make.payment(merchant, 1_00, MONDAY)

        Due.objects.filter(merchant_id=merchant).update(due_date=TUESDAY)

        with pytest.raises(DatabaseError), transaction.atomic():
            Due.objects.filter(merchant_id=merchant).update(due_date=WEDNESDAY)

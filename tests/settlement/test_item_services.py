"""Items that are held back, follow an instruction, or are guarded by the database."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from foundation import sql
from foundation.money import Money
from ledger.models import Hold
from settlement.models import Batch, Due, Item, Line, Run, Withdrawal
from settlement.models import batch as batch_model
from settlement.models import item as item_model
from settlement.selectors import preview
from settlement.selectors import run as runs_seen
from settlement.services import batch as batches
from settlement.services import item as items
from settlement.services import run as runs
from settlement.services import schedule
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal as withdrawals
from tests.factories import payout as payouts
from tests.factories import settlement as make
from tests.settlement.runs import assert_proved, book_something_else, settle

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)


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
        assert item.reason.startswith("settlement 2026-03-03:1:CNY ")
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

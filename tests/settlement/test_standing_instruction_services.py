"""Automatic payout: two persons or an operator, each item once, the rest stays on the balance."""

from __future__ import annotations

import io
import json
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from foundation import sql
from foundation.models import Approval
from foundation.money import Money
from foundation.services import approval as approvals
from foundation.services import outbox
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts
from settlement.models import Batch, Item, Run, StandingInstruction, Withdrawal
from settlement.models.standing_instruction import TRANSITIONS
from settlement.services import batch as batches
from settlement.services import item as items
from settlement.services import run as runs
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal as withdrawals
from settlement.services.payee import PayeeRefused
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories import settlement as dues
from tests.factories import simulator as simulators
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory
from tests.factories.payout import NOON

Status = StandingInstruction.Status
MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()


def create(account: BankAccount, keep: int = 0, minimum: int = 0) -> StandingInstruction:
    instruction, _new = instructions.create_by_operator(
        merchant_id=account.merchant_id,
        bank_account_id=account.id,
        keep=Money(keep, "CNY"),
        minimum=Money(minimum, "CNY"),
        at=NOON,
    )
    return instruction


def posted(merchant_id: int, minor: int, day: date = MONDAY) -> Batch:
    """Settle one payment to the point where its batch is POSTED, and return the batch."""
    dues.payment(merchant_id, minor, day)
    started = runs.start(run_date=TUESDAY if day == MONDAY else WEDNESDAY)
    assert started is not None
    batches.freeze_and_post(run=started.run, part=1, at=NOON)
    return Batch.objects.get(run=started.run)


@pytest.mark.django_db
class TestApproval:
    def propose(self, account: BankAccount, maker=None) -> StandingInstruction:
        return instructions.propose(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            keep=Money(0, "CNY"),
            minimum=Money(1, "CNY"),
            maker=maker or UserFactory(),
            reason="asked for by letter",
            at=NOON,
        )

    def decide(self, checker, approve: bool = True) -> None:
        approval = Approval.objects.get(state="PROPOSED")
        approvals.decide(
            approval_id=approval.id,
            merchant_id=approval.merchant_id,
            checker=checker,
            approve=approve,
            reason="",
            seen_sha256=approval.content_sha256,
            at=NOON,
        )

    def test_by_a_second_person_puts_it_in_force_and_ends_the_former(self):
        account = make.payee(0)
        former = create(account, keep=5_00)

        instruction = self.propose(account)
        assert (instruction.status, instruction.version) == ("PROPOSED", 2)
        self.decide(UserFactory(is_superuser=True))

        instruction.refresh_from_db()
        former.refresh_from_db()
        assert (instruction.status, former.status) == ("ACTIVE", "ENDED")

    def test_by_the_person_who_proposed_is_refused(self):
        account, maker = make.payee(0), UserFactory(is_superuser=True)
        instruction = self.propose(account, maker)

        with pytest.raises(approvals.SelfApprovalForbidden):
            self.decide(maker)

        instruction.refresh_from_db()
        assert instruction.status == "PROPOSED"

    def test_refused_is_refused(self):
        instruction = self.propose(make.payee(0))

        self.decide(UserFactory(is_superuser=True), approve=False)

        instruction.refresh_from_db()
        assert instruction.status == "REFUSED"

    def test_is_void_when_the_account_was_switched_off_meanwhile(self):
        account = make.payee(0)
        self.propose(account)
        bank_accounts.disable(
            merchant_id=account.merchant_id, bank_account_id=account.id, note="stolen", at=NOON
        )

        with pytest.raises(PayeeRefused):
            self.decide(UserFactory(is_superuser=True))


@pytest.mark.django_db
class TestContent:
    @pytest.mark.parametrize("before", list(Status))
    def test_never_changes_and_the_status_moves_along_the_table(self, before):
        account = make.payee(0)
        instruction = create(account)
        moves = {"PROPOSED": [], "ACTIVE": [], "ENDED": ["ENDED"], "REFUSED": []}
        if before in ("PROPOSED", "REFUSED"):
            instruction = TestApproval().propose(account)
        if before == "REFUSED":
            TestApproval().decide(UserFactory(is_superuser=True), approve=False)
        for status in moves[before]:
            StandingInstruction.objects.filter(id=instruction.id).update(status=status)

        for after in set(Status) - TRANSITIONS[before] - {before}:
            with pytest.raises(DatabaseError, match="illegal_transition"), transaction.atomic():
                StandingInstruction.objects.filter(id=instruction.id).update(status=after)
        with pytest.raises(DatabaseError, match="illegal_transition"), transaction.atomic():
            StandingInstruction.objects.filter(id=instruction.id).update(keep_minor=7)
        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute("DELETE FROM settlement_standing_instruction")

    def test_names_a_verified_approved_account_of_that_currency(self):
        foreign = make.payee(0, currency="USD")
        unverified = make.payee(0, status="UNVERIFIED", approved_payee=False, verified_at=None)

        for account in (foreign, unverified):
            with pytest.raises(PayeeRefused):
                create(account)


@pytest.mark.django_db
class TestPayOutItems:
    def test_pays_what_the_item_brought_less_the_fee_and_once(self):
        make.fee(1_00)
        account = make.payee(30_00)  # other money, which stays
        instruction = create(account)
        batch = posted(account.merchant_id, 100_00)

        done = [instructions.pay_out_items(batch.id, NOON) for _ in range(3)]

        assert [(one.created, one.skipped) for one in done] == [(1, 0), (0, 0), (0, 0)]
        made = Withdrawal.objects.get()
        assert (made.amount_minor, made.fee_minor, made.status) == (99_00, 1_00, "HELD")
        assert (made.authority, made.authority_reference) == (
            "STANDING_INSTRUCTION",
            instruction.number,
        )
        assert made.order_no == "item-20260303-1-CNY"
        assert Item.objects.get().state == "PAYING"
        assert make.balances(account.merchant_id)["merchant_available"] == (130_00, 100_00)

    def test_leaves_other_merchants_and_ended_instructions_alone(self):
        ended, without = make.payee(0), make.payee(0)
        create(ended)
        instructions.end(merchant_id=ended.merchant_id, currency="CNY", at=NOON)
        dues.payment(without.merchant_id, 10_00, MONDAY)
        batch = posted(ended.merchant_id, 10_00)

        assert instructions.pay_out_items(batch.id, NOON) == instructions.PaidOut(0, 0)
        assert not Withdrawal.objects.exists()

    @pytest.mark.parametrize(
        ("keep", "minimum", "paid"), [(20_00, 0, 80_00), (0, 100_00, 100_00), (0, 100_01, None)]
    )
    def test_keeps_what_is_to_stay_and_skips_what_is_not_worth_it(self, keep, minimum, paid):
        account = make.payee(0)
        create(account, keep, minimum)
        batch = posted(account.merchant_id, 100_00)

        instructions.pay_out_items(batch.id, NOON)

        made = Withdrawal.objects.first()
        assert (made.amount_minor if made else None) == paid

    def test_leaves_on_the_balance_what_cannot_be_paid(self):
        account = make.payee(0)
        create(account)
        batch = posted(account.merchant_id, 100_00)
        merchant_state.stand(account.merchant_id, "FROZEN")

        assert instructions.pay_out_items(batch.id, NOON).skipped == 1
        assert Item.objects.get().state == "POSTED"
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 0)

    def test_pays_nothing_out_for_an_item_that_was_closed_meanwhile(self):
        account = make.payee(0)
        instruction = create(account)
        posted(account.merchant_id, 100_00)
        seen = Item.objects.get()  # by a worker that sleeps while another one closes the item
        batches.close(run=seen.batch.run, part=1, at=NOON)

        assert not instructions._pay_out_item(seen, instruction, NOON)
        assert not Withdrawal.objects.exists()
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 0)

    def test_closes_the_batch_though_the_item_was_closed_by_a_worker_that_died_then(self):
        account = make.payee(0)
        create(account)
        batch = posted(account.merchant_id, 100_00)
        instructions.pay_out_items(batch.id, NOON)
        batches.close(run=batch.run, part=1, at=NOON)
        made = Withdrawal.objects.get()
        withdrawals.cancel(**made.key, at=NOON)
        items.end_paying(merchant_id=made.merchant_id, item_id=made.item_id, at=NOON)

        instructions.withdrawal_ended(**made.key, at=NOON)

        batch.refresh_from_db()
        assert batch.state == "CLOSED"


class TestWholeWay:
    def test_from_settling_to_the_closed_batch(self, cloned_db, tmp_path, settings):
        with simulators.running(tmp_path) as channel:
            make.address(channel.url)
            account = make.payee(0)
            create(account)
            dues.payment(account.merchant_id, 100_00, MONDAY)

            started = runs.start(run_date=TUESDAY)
            assert started is not None
            runs.work_inline(run=started.run, at=NOON, notify=lambda done, total: None)
            outbox.drain(inline=True)

            assert channel.paid() == [f"{Withdrawal.objects.get().number}-1"]
            assert Withdrawal.objects.get().status == "PAID"
            assert (Item.objects.get().state, Batch.objects.get().state) == ("CLOSED", "CLOSED")
            assert Run.objects.get().state == "DONE"
            assert make.broken() == []


@pytest.mark.django_db
class TestCommand:
    def call(self, *arguments: str) -> dict[str, object]:
        out = io.StringIO()
        call_command("create_standing_instruction", *arguments, "--json", stdout=out)
        said: dict[str, object] = json.loads(out.getvalue())
        return said

    def test_makes_it_once_and_says_so(self):
        account = make.payee(0)
        number = account.merchant.merchant_no

        first, second = self.call(number), self.call(number)
        other = self.call(number, "--keep", "10.00")

        assert [one["created"] for one in (first, second, other)] == [True, False, True]
        assert first["number"] == f"SI{account.merchant_id}-CNY-1" == second["number"]
        assert StandingInstruction.objects.filter(status="ACTIVE").count() == 1
        assert account.number not in json.dumps(first)

    def test_wants_one_account_named_where_there_are_two(self):
        account = make.payee(0)
        second = BankAccountFactory(merchant=account.merchant)
        number = account.merchant.merchant_no

        with pytest.raises(CommandError):
            self.call(number)
        assert self.call(number, "--bank-account", str(second.id))["created"]

    def test_refuses_a_merchant_without_an_approved_account(self):
        account = make.payee(0, approved_payee=False)

        with pytest.raises(CommandError):
            self.call(account.merchant.merchant_no)
        with pytest.raises(CommandError):
            self.call("nobody")

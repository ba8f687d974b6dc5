"""Closing a merchant: what stands against it, what ends with it, what comes late."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import DatabaseError, connection, transaction

from channels.adapters.base import Kind
from foundation.money import Money
from foundation.services import approval as approvals
from merchants.models import Ability, ApiKey, Invitation, Merchant, MerchantTransition
from merchants.services import api_key as api_keys
from merchants.services import invitation as invitations
from merchants.services import membership as memberships
from merchants.services import merchant_state as states
from settlement.models import PayoutCase, StandingInstruction
from settlement.selectors import closing as selectors
from settlement.services import closing
from settlement.services import payout as payouts
from settlement.services import payout_case as cases
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal as withdrawals
from tests.factories import channels, merchant_state
from tests.factories import payout as make
from tests.factories import settlement as dues
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.factories.payout import NOON
from tests.settlement.attempts import channel, nobody
from tests.settlement.attempts import states as paying
from tests.settlement.runs import assert_proved, book_something_else, settle
from tests.settlement.test_merchant_state_services import Gate
from tests.settlement.test_payout_races import together
from tests.settlement.test_payout_statement_services import fetch, pay
from tests.settlement.test_standing_instruction_services import create

__all__ = ["channel", "nobody"]  # fixtures
MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
SAID = {"reason": "it leaves", "document": "application to leave"}


def leaving(account=None) -> Merchant:
    """Return a merchant that is being closed."""
    merchant = account.merchant if account else MerchantFactory()
    merchant_state.stand(merchant.id, "CLOSING")
    merchant.refresh_from_db()
    return merchant


def end(merchant: Merchant):
    return closing.propose_end(merchant=merchant, maker=UserFactory(), at=NOON, **SAID)


def close(merchant: Merchant) -> None:
    approve(end(merchant), at=NOON)


def status(merchant: Merchant) -> str:
    return Merchant.objects.get(id=merchant.id).status


def against(merchant: Merchant) -> set[str]:
    return {reason.code for reason in selectors.reasons(merchant_id=merchant.id)}


def book(merchant: Merchant, kind: str, debit: tuple[str, str], credit: tuple[str, str]) -> None:
    """Book 5.00 between two accounts of the merchant."""
    (from_kind, from_operation), (to_kind, to_operation) = debit, credit
    dues.journal.post(
        merchant_id=merchant.id,
        source_kind="test",
        source_id=f"{kind}:{merchant.id}",
        postings=[
            dues.journal.debit(dues.account(merchant.id, from_kind), from_operation, 5_00),
            dues.journal.credit(dues.account(merchant.id, to_kind), to_operation, 5_00),
        ],
    )


@pytest.mark.django_db
class TestWhileItCloses:
    def test_begins_by_two_persons_and_can_be_taken_back(self):
        merchant = MerchantFactory()
        approval = merchant_state.propose(states.CLOSE, merchant.merchant_no)
        assert status(merchant) == "ACTIVE"
        approve(approval, at=merchant_state.AT)
        assert status(merchant) == "CLOSING"

        merchant_state.stand(merchant.id, "ACTIVE")

        assert status(merchant) == "ACTIVE"

    @pytest.mark.parametrize("stands", ["FROZEN", "RESTRICTED"])
    def test_does_not_begin_while_it_is_stopped(self, stands):
        merchant = MerchantFactory()
        merchant_state.stand(merchant.id, stands)

        with pytest.raises(states.ListRefused):
            merchant_state.propose(states.CLOSE, merchant.merchant_no)

    def test_goes_back_to_closing_from_a_freeze_and_nothing_leaves_meanwhile(self, channel):
        account = make.payee()
        merchant = leaving(account)
        made = make.request(account)
        merchant_state.stand(merchant.id, "FROZEN")
        assert payouts.send(**made.key, at=NOON) is None

        merchant_state.stand(merchant.id, "ACTIVE")

        assert status(merchant) == "CLOSING"
        payouts.send(**made.key, at=NOON)
        assert paying(made) == ("SUCCEEDED", "PAID")

    def test_is_settled_and_paid_out_to_the_last_cent_and_closed(self, channel):
        account = make.payee(0)
        merchant = account.merchant
        dues.payment(merchant.id, 80_00, MONDAY)
        key = make.key(merchant)
        create(account)
        user = make.owner(merchant)
        invited = invitations.invite(
            merchant_id=merchant.id, email="late@example.com", name="Late", role="VIEWER",
            invited_by=user, at=NOON,
        )  # fmt: skip
        leaving(account)
        with pytest.raises(closing.NotClosable, match=r"\(80\.00 CNY\)"):
            end(merchant)

        settle(TUESDAY)
        made = withdrawals.Withdrawal.objects.get()
        payouts.send(**made.key, at=NOON)
        assert against(merchant) == {"item", "balance:payout_in_transit"}
        instructions.withdrawal_ended(**made.key, at=NOON)
        fetch()
        close(Merchant.objects.get(id=merchant.id))

        assert status(merchant) == "CLOSED"
        assert not ApiKey.objects.get(id=key.id).active
        assert StandingInstruction.objects.get().status == "ENDED"
        assert Invitation.objects.get(id=invited.id).withdrawn_at == NOON
        assert memberships.abilities_now(merchant_id=merchant.id, user=user) == {
            Ability.SEE_BALANCES, Ability.SEE_PAYMENTS,
        }  # fmt: skip
        assert make.broken() == []
        with pytest.raises(api_keys.KeyMalformed, match=r"closed|已注销"):
            make.key(Merchant.objects.get(id=merchant.id))
        with pytest.raises(DatabaseError, match="not active"), transaction.atomic():
            dues.sql.execute("SELECT settlement_require_merchant(%s)", [merchant.id])


def stored(merchant_id: int) -> None:
    """Take in a payment that nobody has booked yet."""
    number = Merchant.objects.get(id=merchant_id).merchant_no
    channels.payments(channels.payment_row("P-late", number, "9.00"))


REASONS = {
    "balance:merchant_pending": lambda a: dues.payment(a.merchant_id, 1_00, MONDAY),
    "balance:merchant_available": lambda a: make.fund(a.merchant, 1_00),
    "balance:merchant_debt": lambda a: dues.owe(a.merchant_id, 1_00),
    "balance:merchant_reserve": lambda a: (
        dues.book(a.merchant_id, "CNY", "reserve", clear=5_00),
        book(a.merchant, "r", ("merchant_pending", "reserve"), ("merchant_reserve", "reserve")),
    ),
    "balance:customer_deposit": lambda a: book(
        a.merchant, "d", ("channel_receivable", "clear"), ("customer_deposit", "take")
    ),
    "balance:prepaid_card": lambda a: book(
        a.merchant, "c", ("channel_receivable", "clear"), ("prepaid_card", "top_up")
    ),
    "balance:suspense": lambda a: book(
        a.merchant, "s", ("channel_receivable", "clear"), ("suspense", "park")
    ),
    "hold": lambda a: (make.fund(a.merchant, 100_00), make.request(a)),
    "withdrawal": lambda a: (make.fund(a.merchant, 100_00), make.request(a)),
    "unknown": lambda a: (make.fund(a.merchant, 100_00), make.attempt("UNKNOWN", a)),
    "disputed": lambda a: (make.fund(a.merchant, 100_00), make.attempt("DISPUTED", a)),
    "balance:payout_in_transit": lambda a: (
        make.fund(a.merchant, 50_00), make.attempt("SUCCEEDED", a),
    ),
    "item": lambda a: (
        dues.payment(a.merchant_id, 1_00, MONDAY),
        book_something_else(a.merchant_id, "settlement", "2026-03-03:1:CNY"),
        settle(TUESDAY),
    ),
    "case": lambda a: cases.open_case(
        merchant_id=a.merchant_id, kind=PayoutCase.Kind.MISMATCH, subject="x", detail="x", at=NOON
    ),
    "approval": lambda a: instructions.propose(
        merchant_id=a.merchant_id, bank_account_id=a.id, keep=Money(0, "CNY"),
        minimum=Money(0, "CNY"), maker=UserFactory(), reason="x", at=NOON,
    ),
    "unpriced": lambda a: dues.sql.execute(
        "INSERT INTO channels_unpriced (merchant_id, fact_kind, fact_id, since)"
        " VALUES (%s, 'PAYMENT', 1, now())", [a.merchant_id],
    ),
    "uncleared": lambda a: stored(a.merchant_id),
}  # fmt: skip


@pytest.mark.django_db
class TestReasons:
    @pytest.mark.parametrize("code", REASONS)
    def test_each_stands_against_it_by_service_decision_and_database(self, nobody, code):
        account = make.payee(0)
        merchant = leaving(account)
        waiting = end(merchant)  # nothing stood against it then

        REASONS[code](account)

        assert code in against(merchant)
        with pytest.raises(closing.NotClosable):
            closing.propose_end(merchant=merchant, maker=UserFactory(), at=NOON, **SAID)
        with pytest.raises(closing.NotClosable):
            approve(waiting, at=NOON)
        waiting.refresh_from_db()
        assert (waiting.state, status(merchant)) == ("PROPOSED", "CLOSING")

    def test_the_database_closes_nobody_of_whom_something_is_left(self, nobody, monkeypatch):
        account = make.payee(0)
        merchant = leaving(account)
        waiting = end(merchant)
        make.fund(merchant, 1)
        monkeypatch.setattr(closing, "_require_nothing_left", lambda merchant_id: None)

        with pytest.raises(DatabaseError, match=r"not_closable.*balance:merchant_available"):
            approve(waiting, at=NOON)

    def test_their_number_does_not_change_the_number_of_questions(
        self, nobody, django_assert_num_queries
    ):
        account = make.payee(0)
        for code in ("balance:merchant_pending", "case", "approval"):
            REASONS[code](account)

        with django_assert_num_queries(2):
            assert len(selectors.reasons(merchant_id=account.merchant_id)) == 3
        for _more in range(3):
            leaving()
        with django_assert_num_queries(1):
            assert len(selectors.leaving()) == 3


@pytest.mark.django_db
class TestWhatComesLate:
    def closed(self, channel) -> Merchant:
        """Return a closed merchant whose last payout was seen at the bank."""
        self.attempt = pay(100_00)
        fetch()
        merchant = leaving(self.attempt.withdrawal.bank_account)
        close(merchant)
        return merchant

    def test_a_returned_payout_is_booked_and_paid_out_when_closing_is_taken_up(self, channel):
        merchant = self.closed(channel)
        channel.control("return", {"order_no": self.attempt.number})
        fetch()

        assert make.balances(merchant.id)["merchant_available"] == (100_00, 0)
        ((row),) = selectors.leaving()
        assert (row.merchant_no, row.status, row.reasons) == (merchant.merchant_no, "CLOSED", 1)
        account = self.attempt.withdrawal.bank_account
        with pytest.raises(withdrawals.payees.MerchantNotActive):
            make.request(account, 100_00)
        merchant_state.stand(merchant.id, "CLOSING")
        user = make.owner(merchant)  # its keys ended with it, its people did not
        made = make.request(account, 100_00, authority=make.token(account, user, 100_00))
        payouts.send(**made.key, at=NOON)
        fetch()
        close(Merchant.objects.get(id=merchant.id))

        assert status(merchant) == "CLOSED"
        assert selectors.leaving() == []
        assert make.broken() == []

    def test_a_late_refund_becomes_debt_and_a_late_payment_repays_it(self, channel):
        merchant = self.closed(channel)
        dues.owe(merchant.id, 30_00)
        assert against(merchant) == {"balance:merchant_debt"}
        dues.payment(merchant.id, 40_00, MONDAY)

        settle(TUESDAY)

        found = make.balances(merchant.id)
        assert (found["merchant_available"], "merchant_debt" in found) == ((10_00, 0), False)
        assert_proved()

    def test_a_contradiction_opens_its_case_and_stays_booked(self, channel):
        merchant = self.closed(channel)

        make.news(make.fresh(self.attempt), Kind.FAILED_CODE)

        assert make.fresh(self.attempt).status == "DISPUTED"
        assert {"disputed", "case"} <= against(merchant)

    def test_never_becomes_active_again(self, channel):
        merchant = self.closed(channel)
        merchant_state.stand(merchant.id, "CLOSING")

        with pytest.raises(states.ListRefused):
            merchant_state.propose(states.RESTORE, merchant.merchant_no)
        merchant_state.stand(merchant.id, "FROZEN")
        merchant_state.stand(merchant.id, "ACTIVE")
        assert status(merchant) == "CLOSING"

    def test_raw_sql_does_not_make_it_active_either(self, channel):
        merchant = self.closed(channel)
        merchant_state.stand(merchant.id, "CLOSING")
        with connection.cursor() as cursor:
            for to in ("ACTIVE", "RESTRICTED"):
                with (
                    pytest.raises(DatabaseError, match="merchant_illegal_step"),
                    transaction.atomic(),
                ):
                    cursor.execute(
                        "UPDATE merchants_merchant SET status = %s,"
                        " status_sequence = status_sequence + 1 WHERE id = %s",
                        [to, merchant.id],
                    )
        assert MerchantTransition.objects.filter(merchant_id=merchant.id).count() == 3


class TestRaces:
    """A request for money and the last decision stand in one order."""

    def test_a_request_behind_the_last_decision_is_refused(self, cloned_db, nobody, monkeypatch):
        account = make.payee(0)
        merchant = leaving(account)
        approval, authority, gate = end(merchant), authority_of(account), Gate()
        real = closing._require_nothing_left

        def slow(merchant_id: int) -> None:
            real(merchant_id)
            gate.stop()

        monkeypatch.setattr(closing, "_require_nothing_left", slow)
        results = together(
            lambda: approve(approval, at=NOON),
            gate.behind(lambda: make.request(account, authority=authority)),
        )

        assert type(results[1]).__name__ == "MerchantNotActive"
        assert status(merchant) == "CLOSED"

    def test_the_last_decision_behind_a_settling_is_refused(self, cloned_db, monkeypatch):
        merchant = leaving()
        approval, gate = end(merchant), Gate()
        dues.payment(merchant.id, 10_00, MONDAY)
        from settlement.services import batch as batches

        real = batches.holds.open_bulk

        def slow(**call: object) -> int:
            gate.stop()
            return real(**call)

        monkeypatch.setattr(batches.holds, "open_bulk", slow)
        results = together(lambda: settle(TUESDAY), gate.behind(lambda: approve(approval, at=NOON)))

        assert type(results[1]).__name__ == "NotClosable"
        assert status(merchant) == "CLOSING"

    def test_two_persons_decide_at_once_and_one_does(self, cloned_db):
        merchant = leaving()
        approval = end(merchant)

        results = together(*[lambda: approve(approval, at=NOON)] * 2)

        assert sum(isinstance(one, approvals.ApprovalClosed) for one in results) == 1
        assert status(merchant) == "CLOSED"


def authority_of(account):
    return withdrawals.SignedRequest(make.key(account.merchant))

"""The table of states in Python and in the database, the fee, and who wins a race."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from django.db import DatabaseError, close_old_connections, connection, transaction

from foundation import sql
from foundation.money import Money
from foundation.services import approval as approvals
from ledger.errors import InsufficientAvailableBalance
from ledger.models import Hold
from settlement.models import Withdrawal
from settlement.models.withdrawal import TRANSITIONS
from settlement.selectors import withdrawal as seen
from settlement.services import payout as payouts
from settlement.services import payout_fee, withdrawal_review
from settlement.services import withdrawal as withdrawals
from settlement.services.transition import IllegalTransition, move_withdrawal
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories.approval import tier
from tests.factories.foundation import UserFactory
from tests.factories.payout import NOON

Status = Withdrawal.Status


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()


def checker():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.mark.django_db
class TestTransitions:
    # How a withdrawal comes to each status, by services only.
    def bring(self, status: str) -> Withdrawal:
        if status in ("PAYING", "PAID", "FAILED", "RETURNED", "DISPUTED"):
            ways = {"PAYING": "SENDING", "PAID": "SUCCEEDED"}
            return make.attempt(ways.get(status, status)).withdrawal
        if status in ("REVIEW", "REJECTED", "EXPIRED"):
            tier(withdrawal_review.REVIEW)
        made = make.request(make.payee())
        if status == "REJECTED":
            withdrawal_review.reject(**made.key, checker=checker(), reason="no", at=NOON)
        if status == "EXPIRED":
            approvals.expire_due(at=NOON + withdrawal_review.LASTS)
        if status == "CANCELLED":
            withdrawals.cancel(**made.key, at=NOON)
        made.refresh_from_db()
        assert made.status == status
        return made

    @pytest.mark.parametrize("before", [status for status in Status if status != "CREATED"])
    def test_outside_of_the_table_are_refused_by_service_and_database(self, before):
        made = self.bring(before)
        step = made.sequence

        for after in set(Status) - TRANSITIONS[before] - {before}:
            with pytest.raises(IllegalTransition), transaction.atomic():
                move_withdrawal(made, after, at=NOON)
            assert (made.status, made.sequence) == (before, step)
            with pytest.raises(DatabaseError, match="illegal_transition"), transaction.atomic():
                sql.execute(
                    "UPDATE settlement_withdrawal SET status = %s, sequence = sequence + 1"
                    " WHERE id = %s",
                    [after, made.id],
                )

    def test_of_the_table_and_of_the_database_are_the_same(self):
        text = sql.load("settlement", "withdrawal")
        pairs = {
            (before, after)
            for before in Status
            for after in Status
            if f"('{before}', '{after}')" in text
        }

        assert pairs == {(before, after) for before in Status for after in TRANSITIONS[before]}

    def test_without_their_history_cannot_be_committed(self):
        made = self.bring("HELD")

        sql.execute(
            "UPDATE settlement_withdrawal SET status = 'PAYING', sequence = sequence + 1"
            " WHERE id = %s",
            [made.id],
        )
        with pytest.raises(DatabaseError, match="withdrawal_has_history"), transaction.atomic():
            sql.execute("SET CONSTRAINTS withdrawal_has_history IMMEDIATE")
        transaction.set_rollback(True)

    def test_to_an_end_need_the_hold_to_be_resolved(self):
        made = self.bring("HELD")

        with pytest.raises(DatabaseError, match="hold_does_not_fit"), transaction.atomic():
            move_withdrawal(made, Status.CANCELLED, at=NOON)

    @pytest.mark.parametrize(
        "change",
        [
            "amount_minor = 1",
            "fee_minor = 9",
            "order_no = 'x'",
            "bank_account_id = 1",
            "number = 'x'",
            "authority = 'TOKEN'",
            "hold_id = hold_id + 1",
        ],
    )
    def test_never_change_what_was_asked_for(self, change):
        made = self.bring("HELD")

        with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
            sql.execute(f"UPDATE settlement_withdrawal SET {change} WHERE id = %s", [made.id])

    @pytest.mark.parametrize("table", ["settlement_withdrawal", "settlement_withdrawal_transition"])
    def test_are_never_deleted(self, table):
        self.bring("HELD")

        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute(f"DELETE FROM {table}")

    def test_are_told_in_order(self):
        made = self.bring("PAID")

        told = [step.status for step in seen.timeline(withdrawal=made)]

        assert sorted(told) == sorted(
            ["CREATED", "HELD", "READY", "PAYING", "SENDING", "SUCCEEDED", "PAID"]
        )
        assert told[0] == "CREATED"


@pytest.mark.django_db
class TestFee:
    @pytest.mark.parametrize(
        ("terms", "minor", "fee"),
        [
            ({"fixed_minor": 1_00}, 50_00, 1_00),
            ({"rate_percent": "0.1"}, 12_345_00, 12_35),
            ({"rate_percent": "0.1", "minimum_minor": 50}, 1_00, 50),
            ({"rate_percent": "1", "cap_minor": 25_00}, 1_000_000_00, 25_00),
            ({"rate_percent": "0.5", "fixed_minor": 10, "cap_minor": 2_00}, 100_00, 60),
            ({}, 50_00, 0),
        ],
    )
    def test_is_the_worked_table(self, terms, minor, fee):
        payout_fee.set_rule(
            merchant_id=None, currency="CNY", effective_from=date(2016, 1, 1), **terms
        )
        account = make.payee(0)

        priced = payout_fee.price(
            merchant_id=account.merchant_id, amount=Money(minor, "CNY"), on=date(2026, 3, 2)
        )

        assert priced.fee == Money(fee, "CNY")

    def test_of_the_merchant_comes_before_that_of_all_and_the_latest_date_before_both_earlier(self):
        account = make.payee(0)
        mine, day = account.merchant_id, date(2026, 3, 2)

        def set_rule(merchant_id, since, minor):
            payout_fee.set_rule(
                merchant_id=merchant_id, currency="CNY", effective_from=since, fixed_minor=minor
            )

        set_rule(None, date(2026, 3, 1), 9)
        set_rule(mine, date(2025, 1, 1), 5)
        set_rule(mine, date(2026, 1, 1), 4)
        set_rule(mine, date(2026, 1, 1), 3)
        set_rule(mine, date(2026, 3, 3), 1)

        def price(merchant_id):
            return payout_fee.price(
                merchant_id=merchant_id, amount=Money(100, "CNY"), on=day
            ).fee.minor

        assert price(mine) == 3
        assert price(make.payee(0).merchant_id) == 9

    @pytest.mark.parametrize("total", [0, 1, 99, 1_00, 1_01, 50_00, 99_999_99])
    def test_leaves_the_largest_amount_that_fits(self, total):
        account = make.payee(0)
        payout_fee.set_rule(
            merchant_id=None,
            currency="CNY",
            effective_from=date(2016, 1, 1),
            rate_percent="0.3",
            minimum_minor=1_00,
        )
        on = date(2026, 3, 2)

        amount = payout_fee.largest_payable(
            merchant_id=account.merchant_id, total=Money(total, "CNY"), on=on
        )

        def cost(minor):
            asked = Money(minor, "CNY")
            return (
                minor
                + payout_fee.price(merchant_id=account.merchant_id, amount=asked, on=on).fee.minor
            )

        assert amount.minor == 0 or cost(amount.minor) <= total
        assert cost(amount.minor + 1) > total

    def test_is_none_for_what_a_closing_merchant_could_never_take_otherwise(self):
        make.fee(1_00)
        account, day = make.payee(1_00), date(2026, 3, 2)
        of, all_of_it = {"merchant_id": account.merchant_id, "on": day}, Money(1_00, "CNY")
        assert payout_fee.largest_payable(total=all_of_it, **of).minor == 0

        merchant_state.stand(account.merchant_id, "CLOSING")

        assert payout_fee.largest_payable(total=all_of_it, **of) == all_of_it
        assert payout_fee.price(amount=all_of_it, **of).fee.minor == 0
        make.request(account, 1_00, order_no="A-1")
        rich = make.payee(1_01)
        merchant_state.stand(rich.merchant_id, "CLOSING")
        of["merchant_id"] = rich.merchant_id
        assert payout_fee.price(amount=Money(1, "CNY"), **of).fee.minor == 1_00


class TestRace:
    def run(self, count: int, work) -> list[object]:
        results: list[object] = [None] * count
        barrier = threading.Barrier(count)

        def one(place: int) -> None:
            try:
                barrier.wait(30)
                results[place] = work(place)
            except Exception as error:
                results[place] = error
            finally:
                connection.close()

        threads = [threading.Thread(target=one, args=(place,)) for place in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        close_old_connections()
        return results

    def test_of_fifty_where_ten_fit_exactly_ten_win(self, cloned_db):
        make.fee(1_00)
        account = make.payee(10 * 51_00 + 50_99)
        authority = withdrawals.SignedRequest(make.key(account.merchant))

        results = self.run(
            50, lambda place: make.request(account, authority=authority, order_no=f"R-{place}")
        )

        won = [result for result in results if isinstance(result, Withdrawal)]
        refused = [r for r in results if isinstance(r, InsufficientAvailableBalance)]
        assert (len(won), len(refused)) == (10, 40)
        assert make.balances(account.merchant_id)["merchant_available"] == (560_99, 510_00)
        assert Hold.objects.filter(merchant_id=account.merchant_id).count() == 10
        assert make.broken() == []

    def test_of_twenty_with_one_order_number_makes_one_withdrawal(self, cloned_db):
        account = make.payee(1_000_00)
        authority = withdrawals.SignedRequest(make.key(account.merchant))

        results = self.run(
            20, lambda _place: make.request(account, authority=authority, order_no="R-1")
        )

        assert {type(result) for result in results} == {Withdrawal}
        assert len({result.id for result in results}) == 1
        assert make.balances(account.merchant_id)["merchant_available"] == (1_000_00, 50_00)

    def test_of_cancelling_and_paying_has_one_winner(self, cloned_db):
        for _round in range(5):
            made = make.request(make.payee())

            def act(place: int, made: Withdrawal = made) -> object:
                if place == 0:
                    return withdrawals.cancel(**made.key, at=NOON)
                return payouts._prepare(made.merchant_id, made.id, NOON)

            results = self.run(2, act)

            made.refresh_from_db()
            if made.status == "CANCELLED":
                assert results[1] is None
            else:
                assert made.status == "PAYING"
                assert isinstance(results[0], withdrawals.NotCancellable)
        assert make.broken() == []

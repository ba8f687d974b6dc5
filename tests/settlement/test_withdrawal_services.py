"""Asking for money, review, cancelling, and the table of states in Python and in the database."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from django.db import DatabaseError, close_old_connections, connection, transaction

from config.errors import Forbidden, NotFound
from foundation import sql
from foundation.models import ApprovalPolicy, OutboxMessage
from foundation.money import Money
from foundation.services import approval as approvals
from ledger.errors import InsufficientAvailableBalance
from ledger.models import Hold
from merchants.models import BankAccount, Membership, Merchant
from merchants.services import api_key as api_keys
from merchants.services import membership as memberships
from merchants.services import payment_password, verification
from merchants.services.verification import TokenRefused
from settlement.models import Withdrawal, WithdrawalTransition
from settlement.models.withdrawal import TRANSITIONS
from settlement.selectors import withdrawal as seen
from settlement.services import payout as payouts
from settlement.services import payout_fee, withdrawal_review
from settlement.services import withdrawal as withdrawals
from settlement.services.payee import MerchantNotActive, PayeeRefused
from settlement.services.transition import IllegalTransition, move_withdrawal
from tests.factories import payout as make
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory
from tests.factories.payout import NOON

Status = Withdrawal.Status
PIN = "729416"


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()


@pytest.fixture
def reviewed(db):
    """Withdrawals from 50.00 on are reviewed."""
    ApprovalPolicy.objects.create(action=withdrawal_review.REVIEW, from_amount_minor=50_00)


def checker():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.mark.django_db
class TestRequest:
    def test_reserves_amount_and_fee_and_queues_the_payment(self):
        make.fee(1_00)
        account = make.payee(100_00)

        made = make.request(account, 50_00, order_no="A-1")

        assert (made.status, made.amount_minor, made.fee_minor) == ("HELD", 50_00, 1_00)
        assert made.number == f"W2603{account.merchant_id:07d}-{made.id:06d}"
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 51_00)
        message = OutboxMessage.objects.get(merchant_id=account.merchant_id)
        assert message.kind == "settlement.pay_withdrawal"
        assert message.payload == {
            "merchant_id": account.merchant_id,
            "withdrawal_id": made.id,
        }
        steps = WithdrawalTransition.objects.filter(withdrawal=made).order_by("sequence")
        assert [step.to_status for step in steps] == ["CREATED", "HELD"]
        assert make.broken() == []

    def test_again_with_the_same_order_number_is_the_same_withdrawal(self):
        account = make.payee()

        first = make.request(account, order_no="A-1")
        second = make.request(account, order_no="A-1")

        assert second.id == first.id
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 50_00)

    def test_refuses_the_order_number_for_anything_else(self):
        account = make.payee()
        make.request(account, 10_00, order_no="A-1")

        with pytest.raises(withdrawals.OrderNumberReused):
            make.request(account, 10_01, order_no="A-1")

    def test_refuses_more_than_is_free_fee_included_and_stores_nothing(self):
        make.fee(1_00)
        account = make.payee(50_99)

        with pytest.raises(InsufficientAvailableBalance):
            make.request(account, 50_00)

        assert not Withdrawal.objects.filter(merchant_id=account.merchant_id).exists()
        assert make.balances(account.merchant_id)["merchant_available"] == (50_99, 0)

    @pytest.mark.parametrize("minor", [0, -1, 10**15 + 1])
    def test_refuses_amounts_that_are_none(self, minor):
        with pytest.raises(withdrawals.AmountRefused):
            make.request(make.payee(), minor)

    @pytest.mark.parametrize("order_no", ["", " A", "A B", "-A", "A" * 65, "订单", "A\n"])
    def test_refuses_malformed_order_numbers(self, order_no):
        with pytest.raises(withdrawals.OrderNumberMalformed):
            make.request(make.payee(), order_no=order_no)

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": "UNVERIFIED", "approved_payee": False, "verified_at": None},
            {"status": "DISABLED", "approved_payee": False},
            {"approved_payee": False},
            {"currency": "USD"},
        ],
    )
    def test_refuses_a_payee_that_is_not_verified_approved_and_of_that_currency(self, fields):
        account = make.payee(0, **fields)

        with pytest.raises(PayeeRefused):
            make.request(account, amount=Money(1_00, "CNY"))

    def test_does_not_know_another_merchants_account(self):
        mine, other = make.payee(), make.payee()

        with pytest.raises(NotFound):
            make.request(mine, bank_account_id=other.id)

    @pytest.mark.parametrize("status", ["RESTRICTED", "FROZEN", "CLOSING", "CLOSED"])
    def test_refuses_a_merchant_that_is_not_active(self, status):
        account = make.payee()
        Merchant.objects.filter(id=account.merchant_id).update(status=status)

        with pytest.raises(MerchantNotActive):
            make.request(account)


@pytest.mark.django_db
class TestAuthority:
    @pytest.fixture
    def owner(self):
        account = make.payee()
        user = UserFactory()
        memberships.grant(merchant_id=account.merchant_id, user=user, role="OWNER", at=NOON)
        payment_password.set_password(
            merchant_id=account.merchant_id, user=user, payment_password=PIN, at=NOON
        )
        return account, user

    def token(self, account: BankAccount, user, minor: int = 50_00) -> str:
        return verification.issue(
            merchant_id=account.merchant_id,
            user=user,
            operation=withdrawals.OPERATION,
            amount=Money(minor, "CNY"),
            payee=withdrawals.payee_name(account),
            payment_password=PIN,
            at=NOON,
        )

    def test_of_a_person_is_a_token_used_once(self, owner):
        account, user = owner
        token = self.token(account, user, 10_00)

        made = make.request(
            account, 10_00, authority=withdrawals.TokenAuthority(user, token), order_no="A-1"
        )

        assert (made.authority, made.requested_by) == ("TOKEN", user)
        with pytest.raises(TokenRefused):
            make.request(account, 10_00, authority=withdrawals.TokenAuthority(user, token))
        again = withdrawals.TokenAuthority(user, token)
        assert make.request(account, 10_00, authority=again, order_no="A-1").id == made.id

    @pytest.mark.parametrize("change", ["amount", "payee", "user"])
    def test_of_a_token_ends_where_the_token_ends(self, owner, change):
        account, user = owner
        token = self.token(account, user)
        target, minor = account, 50_00
        if change == "amount":
            minor = 50_01
        if change == "payee":
            target = BankAccountFactory(merchant=account.merchant)
        if change == "user":
            user = UserFactory()
            memberships.grant(merchant_id=account.merchant_id, user=user, role="OWNER", at=NOON)

        with pytest.raises(TokenRefused):
            make.request(target, minor, authority=withdrawals.TokenAuthority(user, token))

    def test_of_a_token_survives_a_refusal_for_another_reason(self, owner):
        account, user = owner
        token = self.token(account, user, 100_01)
        with pytest.raises(InsufficientAvailableBalance):
            make.request(account, 100_01, authority=withdrawals.TokenAuthority(user, token))
        make.fund(account.merchant, 1)

        assert make.request(account, 100_01, authority=withdrawals.TokenAuthority(user, token))

    def test_of_a_person_without_the_role_is_none(self, owner):
        account, user = owner
        token = self.token(account, user)
        Membership.objects.filter(user=user).update(role="VIEWER")

        with pytest.raises(Forbidden):
            make.request(account, authority=withdrawals.TokenAuthority(user, token))

    def test_of_a_key_needs_scope_book_and_life(self):
        account, other = make.payee(), make.payee()
        reading = api_keys.create(
            merchant=account.merchant, name="r", scopes=["balances:read"], at=NOON
        ).key
        ended = api_keys.create(
            merchant=account.merchant,
            name="e",
            scopes=["withdrawals:write"],
            at=NOON - timedelta(days=2),
            expires_at=NOON,
        ).key
        for bad in (reading, ended, make.key(other.merchant)):
            with pytest.raises(withdrawals.AuthorityRefused):
                make.request(account, authority=withdrawals.SignedRequest(bad))

    def test_none_is_refused_by_the_database(self):
        made = make.request(make.payee())

        for column, value in (("authority", "''"), ("authority_reference", "''")):
            with pytest.raises(DatabaseError), transaction.atomic():
                _copy(made, {column: value})


@pytest.mark.django_db
@pytest.mark.usefixtures("reviewed")
class TestReview:
    def test_waits_above_the_tier_and_is_paid_after_another_person_approved(self):
        account = make.payee()
        made = make.request(account, 50_00)
        assert made.status == "REVIEW"
        assert not OutboxMessage.objects.filter(kind="settlement.pay_withdrawal").exists()

        withdrawal_review.approve(**made.key, checker=checker(), at=NOON)

        made.refresh_from_db()
        assert made.status == "HELD"
        assert OutboxMessage.objects.get(kind="settlement.pay_withdrawal").key == made.number

    def test_is_not_needed_below_the_tier(self):
        assert make.request(make.payee(), 49_99).status == "HELD"

    def test_refuses_the_person_who_asked(self):
        account, user = make.payee(), UserFactory()
        memberships.grant(merchant_id=account.merchant_id, user=user, role="OWNER", at=NOON)
        payment_password.set_password(
            merchant_id=account.merchant_id, user=user, payment_password=PIN, at=NOON
        )
        token = TestAuthority().token(account, user)
        made = make.request(account, authority=withdrawals.TokenAuthority(user, token))
        staff = UserFactory(person=user.person, is_staff=True, is_superuser=True)

        with pytest.raises(approvals.SelfApprovalForbidden):
            withdrawal_review.approve(**made.key, checker=staff, at=NOON)

        made.refresh_from_db()
        assert made.status == Status.REVIEW

    def test_refuses_a_checker_without_the_permission(self):
        made = make.request(make.payee())

        with pytest.raises(approvals.CheckerNotAllowed):
            withdrawal_review.approve(**made.key, checker=UserFactory(is_staff=True), at=NOON)

    @pytest.mark.parametrize("end", ["REJECTED", "CANCELLED", "EXPIRED"])
    def test_gives_the_money_back_however_it_ends(self, end):
        account = make.payee()
        made = make.request(account)

        if end == "REJECTED":
            withdrawal_review.reject(**made.key, checker=checker(), reason="no", at=NOON)
        elif end == "CANCELLED":
            withdrawals.cancel(**made.key, at=NOON)
        else:
            approvals.expire_due(at=NOON + withdrawal_review.LASTS)

        made.refresh_from_db()
        assert (made.status, made.hold.state) == (end, "RELEASED")
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 0)
        with pytest.raises(withdrawal_review.NotUnderReview):
            withdrawal_review.approve(**made.key, checker=checker(), at=NOON)
        assert make.broken() == []


@pytest.mark.django_db
class TestCancel:
    def test_gives_the_money_back_while_nothing_was_attempted(self):
        account = make.payee()
        made = make.request(account)

        withdrawals.cancel(**made.key, at=NOON)

        made.refresh_from_db()
        assert (made.status, made.hold.state, made.closed_at) == ("CANCELLED", "RELEASED", NOON)
        assert payouts.send(**made.key, at=NOON) is None

    def test_is_refused_once_an_attempt_exists(self):
        attempt = make.attempt("READY")

        with pytest.raises(withdrawals.NotCancellable):
            withdrawals.cancel(**attempt.withdrawal.key, at=NOON)

    def test_does_not_know_another_merchants_withdrawal(self):
        made, other = make.request(make.payee()), make.payee()

        with pytest.raises(NotFound):
            withdrawals.cancel(merchant_id=other.merchant_id, withdrawal_id=made.id, at=NOON)


@pytest.mark.django_db
class TestTransitions:
    # How a withdrawal comes to each status, by services only.
    def bring(self, status: str) -> Withdrawal:
        if status in ("PAYING", "PAID", "FAILED", "RETURNED", "DISPUTED"):
            ways = {"PAYING": "SENDING", "PAID": "SUCCEEDED"}
            return make.attempt(ways.get(status, status)).withdrawal
        if status in ("REVIEW", "REJECTED", "EXPIRED"):
            ApprovalPolicy.objects.get_or_create(
                action=withdrawal_review.REVIEW, from_amount_minor=0
            )
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
            sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
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
            "hold_id = 1",
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


def _copy(made: Withdrawal, changes: dict[str, str]) -> None:
    """Insert a copy of a withdrawal with other columns, past every service."""
    columns = [field.column for field in Withdrawal._meta.fields if field.column != "id"]
    fixed = {"number": "'copy'", "order_no": "'copy'", "status": "'CREATED'", "sequence": "1"}
    values = [changes.get(name, fixed.get(name, name)) for name in columns]
    sql.execute(
        f"INSERT INTO settlement_withdrawal ({', '.join(columns)})"
        f" SELECT {', '.join(values)} FROM settlement_withdrawal WHERE id = %s",
        [made.id],
    )

"""Asking for money, review and cancelling."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from config.errors import Forbidden, NotFound
from foundation import sql
from foundation.models import OutboxMessage
from foundation.money import Money
from foundation.services import approval as approvals
from ledger.errors import InsufficientAvailableBalance
from merchants.models import BankAccount, Membership
from merchants.services import api_key as api_keys
from merchants.services import membership as memberships
from merchants.services import payment_password, verification
from merchants.services.verification_token import TokenRefused
from settlement.models import Withdrawal, WithdrawalTransition
from settlement.services import payout as payouts
from settlement.services import withdrawal as withdrawals
from settlement.services import withdrawal_review
from settlement.services.payee import MerchantNotActive, PayeeRefused
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories.approval import tier
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
    tier(withdrawal_review.REVIEW, from_amount_minor=50_00)


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

    def test_refuses_more_yen_than_a_file_could_say(self):
        with pytest.raises(withdrawals.AmountRefused, match=r"Larger than|最大金额"):
            make.request(make.payee(0, currency="JPY"), 10**14)

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

    def test_refuses_a_payee_whose_number_was_put_in_place_of_the_verified_one(self):
        account = make.payee()
        account.number = "6222021234567894"  # the look-up hash stays: a trigger
        account.save(update_fields=["number"])

        with pytest.raises(PayeeRefused, match=r"that was verified|已验证的号码"):
            make.request(account)

    def test_does_not_know_another_merchants_account(self):
        mine, other = make.payee(), make.payee()

        with pytest.raises(NotFound):
            make.request(mine, bank_account_id=other.id)

    @pytest.mark.parametrize("status", ["RESTRICTED", "FROZEN"])
    def test_refuses_a_merchant_that_is_not_active(self, status):
        account = make.payee()
        merchant_state.stand(account.merchant_id, status)

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

"""What the database refuses about withdrawals when Python is wrong or passed by."""

from __future__ import annotations

import pytest
from django.db import transaction

from foundation import sql
from foundation.money import Money
from ledger.models import Account
from merchants.models import BankAccount
from settlement.models import StandingInstruction, Withdrawal
from settlement.services import standing_instruction as instructions
from settlement.services import withdrawal_review
from settlement.services.withdrawal import ByInstruction
from tests.factories import merchant_state
from tests.factories import payout as make
from tests.factories.approval import tier
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory
from tests.factories.payout import NOON
from tests.settlement.guards import copied, refused, step

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()
    make.fee(1_00)


class TestWithdrawal:
    NEW = {
        "number": "number || 'x'",
        "order_no": "order_no || 'x'",
        "status": "'CREATED'",
        "sequence": "1",
        "hold_id": "NULL",
        "closed_at": "NULL",
    }

    def insert(self, made: Withdrawal, why: str, **changes: str) -> None:
        refused(why, copied(made, **(self.NEW | changes)) + str(made.id))

    def test_is_born_only_with_an_authority_that_holds(self):
        account, other = make.payee(), make.payee()
        made = make.request(account)
        foreign = make.key(other.merchant)

        self.insert(made, "no_authority", authority_reference="'key:ck1_nobody'")
        self.insert(made, "no_authority", authority_reference=f"'key:{foreign.prefix}'")
        self.insert(made, "no_authority", authority="'STANDING_INSTRUCTION'")
        self.insert(made, "no_authority|has_person", authority="'TOKEN'")
        for change in ("active = false", "scopes = '{}'", "expires_at = '2020-01-01'"):
            with transaction.atomic():
                sql.execute(
                    f"UPDATE merchants_api_key SET {change} WHERE merchant_id = %s",
                    [made.merchant_id],
                )
                self.insert(made, "no_authority")
                transaction.set_rollback(True)

    def test_by_a_token_is_born_once_and_only_as_it_was_verified(self):
        account = make.payee(200_00)
        user = make.owner(account.merchant)
        made = make.request(account, authority=make.token(account, user))
        another = BankAccountFactory(merchant=account.merchant)
        unused = make.token(account, user)
        stranger = UserFactory()

        self.insert(made, "withdrawal_token_once")
        self.insert(made, "no_authority", amount_minor="amount_minor + 1")
        self.insert(made, "no_authority", bank_account_id=str(another.id))
        self.insert(made, "no_authority", requested_by_id=f"'{stranger.pk}'")
        self.insert(made, "no_authority", requested_at="requested_at + interval '1 s'")
        last = sql.rows("SELECT max(id) AS id FROM merchants_verification_token")[0]["id"]
        assert unused.token
        self.insert(made, "no_authority", authority_reference=f"'token:{last}'")
        refused(
            "used_once",
            "UPDATE merchants_verification_token SET used_at = NULL WHERE used_at IS NOT NULL",
        )

    def test_by_an_instruction_is_born_only_while_it_is_in_force(self):
        account = make.payee(200_00)
        instruction, _new = instructions.create_by_operator(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            keep=Money(0, "CNY"),
            minimum=Money(1, "CNY"),
            at=NOON,
        )
        made = make.request(account, authority=ByInstruction(instruction, None))
        other = BankAccountFactory(merchant=account.merchant)

        self.insert(made, "no_authority", bank_account_id=str(other.id))
        self.insert(made, "no_authority", authority_reference="'SI1-CNY-99'")
        instructions.end(merchant_id=account.merchant_id, currency="CNY", at=NOON)
        self.insert(made, "no_authority")

    @pytest.mark.parametrize("fault", ["unverified", "unlisted", "currency", "foreign", "frozen"])
    def test_is_born_only_for_a_payee_who_may_be_paid(self, fault):
        account = make.payee()
        made = make.request(account)
        payee: BankAccount = account
        fields = {
            "unverified": {"status": "UNVERIFIED", "approved_payee": False, "verified_at": None},
            "unlisted": {"approved_payee": False},
            "currency": {"currency": "USD"},
        }
        if fault in fields:
            payee = BankAccountFactory(merchant=account.merchant, **fields[fault])
        if fault == "foreign":
            payee = make.payee(0)
        if fault == "frozen":
            merchant_state.stand(account.merchant_id, "FROZEN")

        self.insert(made, "not_payable", bank_account_id=str(payee.id))

    def test_is_born_for_nobody_who_was_paid_after_a_failure(self):
        attempt = make.attempt("DISPUTED")

        self.insert(attempt.withdrawal, "not_payable")
        refused("nobody decided", "UPDATE settlement_payee_block SET lifted_at = now()")
        refused("nobody decided", "UPDATE settlement_payee_block SET bank_account_id = 1")
        refused(
            "refuse|frozen|cannot|denied|once|keep|append|never",
            "DELETE FROM settlement_payee_block",
        )

    def test_never_takes_another_hold(self):
        account = make.payee(500_00)
        first, second = make.request(account), make.request(account)
        sql.execute(
            copied(first, **self.NEW) + str(first.id),
        )
        hold = "UPDATE settlement_withdrawal SET hold_id = %(hold)s WHERE id = %(id)s"

        for other in (first, second):
            refused("hold_does_not_fit", hold, hold=other.hold_id, id=first.id + 1000)
        refused("frozen", hold, hold=first.hold_id, id=second.id)
        transaction.set_rollback(True)

    def test_keeps_its_hold_whoever_gives_it_back(self):
        for status in ("READY", "SENDING", "PROCESSING", "UNKNOWN"):
            attempt = make.attempt(status)
            refused(
                "hold_kept",
                "SELECT ledger_hold_release(%(merchant)s, %(hold)s, 'x', 'x')",
                merchant=attempt.merchant_id,
                hold=attempt.withdrawal.hold_id,
            )
        waiting = make.request(make.payee())
        refused(
            "hold_kept",
            "SELECT ledger_hold_release(%(merchant)s, %(hold)s, 'x', 'x')",
            merchant=waiting.merchant_id,
            hold=waiting.hold_id,
        )

    @pytest.mark.parametrize(
        ("status", "change"),
        [
            ("UNKNOWN", "paid_minor = amount_minor"),
            ("UNKNOWN", "paid_fee_minor = fee_minor"),
            ("UNKNOWN", "closed_at = now()"),
            ("FAILED", "paid_minor = amount_minor"),
            ("FAILED", "paid_fee_minor = 1"),
            ("FAILED", "closed_at = NULL"),
            ("SUCCEEDED", "paid_minor = 0"),
            ("SUCCEEDED", "paid_minor = 1"),
            ("SUCCEEDED", "paid_fee_minor = fee_minor + 1"),
            ("RETURNED", "paid_minor = amount_minor"),
            ("RETURNED", "paid_fee_minor = -1"),
        ],
    )
    def test_never_says_otherwise_what_was_paid(self, status, change):
        made = make.attempt(status).withdrawal

        refused(
            "withdrawal_",
            f"UPDATE settlement_withdrawal SET {change} WHERE id = %(id)s",
            id=made.id,
        )


class TestReview:
    def test_is_passed_by_nobody(self):
        account = make.payee(200_00)
        small = make.request(account)
        tier(withdrawal_review.REVIEW, from_amount_minor=50_00)
        sql.execute(copied(small, **TestWithdrawal.NEW) + str(small.id))
        sql.execute(
            "SELECT ledger_hold_open(%s, %s, 'withdraw', 5100, 'withdrawal', %s, NULL, '', '', '')",
            [
                account.merchant_id,
                Account.objects.get(merchant_id=account.merchant_id, kind="merchant_available").id,
                f"{small.number}x",
            ],
        )
        held = (
            ", hold_id = (SELECT h.id FROM ledger_hold h WHERE h.source_id ="
            " settlement_withdrawal.number)"
        )

        refused("needs a second person", *step("HELD", held), id=small.id + 1000)
        transaction.set_rollback(True)

    def test_is_passed_only_by_an_approval_of_this_amount(self):
        tier(withdrawal_review.REVIEW, from_amount_minor=50_00)
        made = make.request(make.payee())
        assert made.status == "REVIEW"

        refused("approved by nobody", *step("HELD"), id=made.id)
        refused(
            "approval_undecided",
            "UPDATE foundation_approval SET state = 'APPROVED', closed_at = now()"
            " WHERE subject = %(number)s",
            number=made.number,
        )
        refused(
            "approval_frozen",
            "UPDATE foundation_approval SET effect_minor = 1 WHERE subject = %(number)s",
            number=made.number,
        )

    def test_of_an_instruction_is_passed_only_by_its_own_approval(self):
        account = make.payee()
        proposed = instructions.propose(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            keep=Money(0, "CNY"),
            minimum=Money(1, "CNY"),
            maker=UserFactory(),
            reason="",
            at=NOON,
        )
        activate = (
            "UPDATE settlement_standing_instruction SET status = 'ACTIVE', active_at = now(),"
            " approved_how = %(how)s WHERE id = %(id)s"
        )
        approval = sql.rows("SELECT max(id) AS id FROM foundation_approval")[0]["id"]

        for how in ("approval 999999", f"approval {approval}", "somebody"):
            refused("approved by nobody", activate, how=how, id=proposed.id)
        refused("for a checker to decide", activate, how="operator", id=proposed.id)
        names = [field.column for field in StandingInstruction._meta.concrete_fields]
        fresh = {"id": "id + 1000", "version": "9", "status": "'ACTIVE'", "active_at": "now()"}
        values = ", ".join(fresh.get(name, name) for name in names)
        refused(
            "cannot be ACTIVE",
            f"INSERT INTO settlement_standing_instruction ({', '.join(names)}) SELECT {values}"
            " FROM settlement_standing_instruction WHERE id = %(id)s",
            id=proposed.id,
        )

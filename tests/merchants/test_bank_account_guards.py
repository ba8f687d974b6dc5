"""What raw SQL as the product's role cannot do to a bank account that two persons decide about."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from foundation.models import Approval
from foundation.services import approval as approvals
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts
from tests.factories.approval import approve
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
VERIFIED = {"status": "VERIFIED", "verified_at": NOON}
PAYEE = VERIFIED | {"approved_payee": True}


@pytest.fixture
def account() -> BankAccount:
    made: BankAccount = BankAccountFactory(
        status="UNVERIFIED", approved_payee=False, verified_at=None
    )
    return made


def propose(account: BankAccount, *, approved_payee: bool = True) -> Approval:
    return bank_accounts.propose(
        merchant_id=account.merchant_id,
        bank_account_id=account.id,
        approved_payee=approved_payee,
        reason="letter of the bank",
        maker=UserFactory(is_staff=True),
        at=NOON,
        expires_at=NOON + timedelta(days=7),
    )


def refused(name: str, **change: object) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        BankAccount.objects.update(**change)


def test_what_was_proposed_is_verified_by_its_checker_alone(account):
    proposal = propose(account)
    refused("bank_account_agreed", **VERIFIED)
    refused("bank_account_agreed", **PAYEE)

    approvals.withdraw(
        approval_id=proposal.id, merchant_id=account.merchant_id, maker=proposal.maker, at=NOON
    )
    refused("bank_account_agreed", **PAYEE)
    with pytest.raises(bank_accounts.NotAgreed):
        bank_accounts.verify(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            approved_payee=True,
            note="an operator",
            at=NOON,
        )

    assert approve(propose(account), at=NOON).state == "APPROVED"
    account.refresh_from_db()
    assert (account.status, account.approved_payee) == ("VERIFIED", True)


def test_an_approval_covers_the_list_of_payees_only_if_it_says_so(account):
    approve(propose(account, approved_payee=False), at=NOON)

    refused("bank_account_agreed", approved_payee=True)


def test_an_account_that_is_off_stays_off(account):
    approve(propose(account), at=NOON)
    bank_accounts.disable(
        merchant_id=account.merchant_id, bank_account_id=account.id, note="", at=NOON
    )

    refused("bank_account_off", **VERIFIED)


def test_what_the_checker_was_shown_does_not_change(account):
    refused("bank_account_shown", number_masked="622202******0001")
    BankAccount.objects.update(bank_name="ABC")  # nobody looks at it yet
    proposal = propose(account)

    refused("bank_account_shown", bank_name="another bank")
    refused("bank_account_shown", bank_code="308100005027")
    approve(proposal, at=NOON)
    refused("bank_account_shown", bank_code="308100005027")

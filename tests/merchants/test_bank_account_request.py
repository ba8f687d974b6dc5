"""Bank accounts that a merchant's person asks for: proved, checked, decided by staff, cooled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from config.errors import DomainError
from foundation import clock
from foundation.models import Approval, OutboxMessage
from foundation.money import Money
from foundation.services import approval as approvals
from merchants.models import BankAccount, Membership
from merchants.selectors import bank_account as selectors
from merchants.services import bank_account as bank_accounts
from merchants.services import bank_account_request as requests
from merchants.services import owner_notice, verification
from merchants.services import verification_token as tokens
from settlement.models import StandingInstruction
from settlement.services import standing_instruction
from settlement.services.payee import PayeeRefused
from tests.factories import payout
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MembershipFactory
from tests.factories.verification import NOON, PIN, member, rule

pytestmark = pytest.mark.django_db
CARD = "6222021234567890128"
COOLED = NOON + timedelta(hours=24)


@pytest.fixture
def owner() -> Membership:
    """An owner 王芳 of a merchant, whose account requests need the payment password alone."""
    made = member()
    made.user.person.name = "王芳"
    made.user.person.save()
    for operation in ("bank_account.add", "bank_account.change"):
        rule("payment_password", operation=operation)
    return made


def wanted(owner: Membership, **changed: Any) -> requests.Wanted:
    content: dict[str, Any] = {
        "kind": "CORPORATE",
        "number": "0200 0036 0920 0012 345",
        "holder": owner.merchant.name,
        "bank_name": "工商银行",
        "bank_code": "102100099996",
        "currency": "CNY",
        **changed,
    }
    return requests.wanted(merchant_id=owner.merchant_id, **content)


def proved(owner: Membership, asked: requests.Wanted) -> str:
    return verification.issue(
        merchant_id=owner.merchant_id,
        user=owner.user,
        operation=asked.operation,
        amount=requests.NOTHING,
        payee=asked.payee,
        payment_password=PIN,
        at=NOON,
    )


def request(owner: Membership, asked: requests.Wanted, token: str = "") -> BankAccount:
    token = token or proved(owner, asked)
    return requests.request(asked=asked, user=owner.user, token=token, at=NOON)


def decide(account: BankAccount, *, approve: bool = True) -> None:
    proposal = Approval.objects.get(
        merchant_id=account.merchant_id, state="PROPOSED", after__bank_account_id=account.id
    )
    approvals.decide(
        approval_id=proposal.id,
        merchant_id=account.merchant_id,
        checker=UserFactory(is_staff=True, is_superuser=True),
        approve=approve,
        reason="seen",
        seen_sha256=proposal.content_sha256,
        at=NOON,
    )
    account.refresh_from_db()


class TestAsking:
    def test_writes_an_account_that_staff_decide_on(self, owner: Membership) -> None:
        account = request(owner, wanted(owner))

        assert (account.status, account.requested_by) == ("UNVERIFIED", owner.user)
        proposal = Approval.objects.get(action=bank_accounts.APPROVE)
        assert (proposal.maker, proposal.after["cooling_hours"]) == (owner.user, 24)
        assert account.number not in str(vars(proposal))
        assert selectors.waiting(merchant_id=owner.merchant_id) == {account.id}

    @pytest.mark.parametrize(
        "changed",
        [
            {"number": "6222021234567890127", "kind": "CARD", "holder": "王芳"},
            {"number": "1234", "kind": "CARD", "holder": "王芳"},
            {"number": CARD, "kind": "CARD", "holder": "李四"},
            {"holder": "别的公司"},
            {"bank_code": "102100099997"},
            {"bank_code": "12"},
            {"number": "٠٢٠٠٠٣"},
        ],
        ids=str,
    )
    def test_refuses_wrong_digits_and_foreign_holders(
        self, owner: Membership, changed: dict[str, Any]
    ) -> None:
        with pytest.raises(DomainError):
            wanted(owner, **changed)

    def test_takes_a_card_of_the_owner_whatever_the_blanks(self, owner: Membership) -> None:
        asked = wanted(owner, kind="CARD", number="6222 0212 3456 7890 128", holder=" 王 芳 ")

        assert request(owner, asked).number == CARD

    def test_refuses_an_account_there_is(self, owner: Membership) -> None:
        account = request(owner, wanted(owner))
        decide(account)

        with pytest.raises(requests.AccountKnown):
            wanted(owner)
        bank_accounts.disable(
            merchant_id=owner.merchant_id, bank_account_id=account.id, note="", at=NOON
        )
        with pytest.raises(requests.AccountKnown):
            wanted(owner)

    def test_may_be_repeated_after_a_refusal(self, owner: Membership) -> None:
        account = request(owner, wanted(owner))
        decide(account, approve=False)

        assert request(owner, wanted(owner)) == account
        decide(account)
        assert account.status == "VERIFIED"

    def test_may_put_the_bank_right_after_a_refusal(self, owner: Membership) -> None:
        account = request(owner, wanted(owner))
        decide(account, approve=False)

        request(owner, wanted(owner, bank_name="招商银行", bank_code="308100005027"))

        account.refresh_from_db()
        assert (account.bank_name, account.bank_code) == ("招商银行", "308100005027")
        proposal = Approval.objects.get(state="PROPOSED")
        assert proposal.before["bank_code"] == "308100005027"

    def test_waits_for_one_checker_at_a_time(self, owner: Membership) -> None:
        request(owner, wanted(owner))

        with pytest.raises(approvals.AlreadyProposed):
            request(owner, wanted(owner, bank_name="招商银行"))

        assert BankAccount.objects.get().bank_name == "工商银行"

    @pytest.mark.parametrize(
        "changed",
        [
            {"number": "0200003609200012346"},
            {"bank_name": "建设银行"},
            {"bank_code": ""},
            {"currency": "USD"},
        ],
        ids=str,
    )
    def test_needs_a_token_of_exactly_this_account(
        self, owner: Membership, changed: dict[str, Any]
    ) -> None:
        token = proved(owner, wanted(owner))

        with pytest.raises(tokens.TokenRefused):
            request(owner, wanted(owner, **changed), token)
        assert not BankAccount.objects.exists()
        request(owner, wanted(owner), token)

    def test_a_token_of_a_withdrawal_asks_for_no_account(self, owner: Membership) -> None:
        asked = wanted(owner)
        token = verification.issue(
            merchant_id=owner.merchant_id,
            user=owner.user,
            operation="withdrawal",
            amount=Money(0, "CNY"),
            payee=asked.payee,
            payment_password=PIN,
            at=NOON,
        )

        with pytest.raises(tokens.TokenRefused) as refusal:
            request(owner, asked, token)
        assert refusal.value.reason == "other_operation"

    def test_is_not_for_who_may_not_manage(self, owner: Membership) -> None:
        finance = MembershipFactory(merchant=owner.merchant, role="FINANCE")

        with pytest.raises(DomainError):
            verification.open_request(
                merchant_id=owner.merchant_id,
                user=finance.user,
                operation="bank_account.add",
                amount=requests.NOTHING,
                payee="x",
                at=NOON,
            )

    def test_says_to_the_checker_who_else_has_the_number(self, owner: Membership) -> None:
        elsewhere = member()
        elsewhere.user.person.name = "王芳"
        elsewhere.user.person.save()
        card = {"kind": "CARD", "number": CARD, "holder": "王芳"}
        request(elsewhere, wanted(elsewhere, **card))

        account = request(owner, wanted(owner, **card))

        proposal = Approval.objects.get(merchant_id=account.merchant_id, subject__contains="bank")
        assert proposal.after["used_by_other_merchants"] == 1


class TestCooling:
    def test_refuses_withdrawals_until_it_is_over(self, owner: Membership) -> None:
        payout.fund(owner.merchant, 100_00)
        account = request(owner, wanted(owner))
        decide(account)
        assert account.usable_from == COOLED
        payout.payment_passwords.set_password(
            merchant_id=owner.merchant_id,
            user=owner.user,
            payment_password=payout.PIN,
            at=NOON,
        )

        with pytest.raises(PayeeRefused, match="2026-03-03 12:00"):
            payout.withdrawals.request(
                merchant_id=owner.merchant_id,
                amount=Money(1_00, "CNY"),
                bank_account_id=account.id,
                order_no="A",
                authority=payout.token(account, owner.user, 1_00),
                at=NOON,
            )
        assert selectors.payees(merchant_id=owner.merchant_id, at=NOON) == []
        assert selectors.cooling(merchant_id=owner.merchant_id, at=NOON) == [account]
        assert selectors.payees(merchant_id=owner.merchant_id, at=COOLED) == [account]

    def test_is_kept_by_the_database_too(self, owner: Membership) -> None:
        account = payout.payee(100_00)
        BankAccount.objects.filter(id=account.id).update(
            usable_from=clock.now() + timedelta(hours=1)
        )

        content = {
            "merchant_id": account.merchant_id,
            "number": "W1",
            "order_no": "A",
            "amount_minor": 1,
            "fee_minor": 0,
            "currency": "CNY",
            "bank_account": account,
            "authority": "TOKEN",
            "authority_reference": "token:1",
            "requested_at": NOON,
            "business_date": NOON.date(),
            "actor": "test",
            "request_id": "test",
        }

        with (
            pytest.raises(IntegrityError, match=r"bank account .* cannot be used now"),
            transaction.atomic(),
        ):
            payout.Withdrawal.objects.create(**content)

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"usable_from": NOON}, "bank_account_cooling"),
            ({"usable_from": None}, "bank_account_cooling"),
            ({"requested_by": None}, "bank_account_requested"),
        ],
    )
    def test_is_never_shortened(self, owner: Membership, change: dict[str, Any], name: str) -> None:
        decide(request(owner, wanted(owner)))

        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            BankAccount.objects.update(**change)

    def test_nobody_is_verified_without_an_approval(self, owner: Membership) -> None:
        request(owner, wanted(owner))

        for usable_from in (None, NOON, COOLED):
            with pytest.raises(IntegrityError), transaction.atomic():
                BankAccount.objects.update(
                    status="VERIFIED", verified_at=NOON, usable_from=usable_from
                )


class TestReplacing:
    @pytest.fixture
    def former(self, owner: Membership) -> BankAccount:
        """An account in use, to which an instruction pays."""
        account: BankAccount = BankAccountFactory(merchant=owner.merchant)
        standing_instruction.create_by_operator(
            merchant_id=owner.merchant_id,
            bank_account_id=account.id,
            keep=Money(0, "CNY"),
            minimum=Money(1, "CNY"),
            at=NOON,
        )
        return account

    def usable(self, owner: Membership, at: Any) -> set[int]:
        return {one.id for one in selectors.payees(merchant_id=owner.merchant_id, at=at)}

    def test_keeps_the_former_until_the_new_one_can_be_used(
        self, owner: Membership, former: BankAccount
    ) -> None:
        new = request(owner, wanted(owner, replaces=former))
        before = self.usable(owner, NOON)
        decide(new)
        just_before = COOLED - timedelta(seconds=1)

        assert before == self.usable(owner, NOON) == self.usable(owner, just_before) == {former.id}
        assert self.usable(owner, COOLED) == {new.id}
        assert StandingInstruction.objects.get().status == "ENDED"

    def test_a_new_one_switched_off_in_time_leaves_the_former(
        self, owner: Membership, former: BankAccount
    ) -> None:
        new = request(owner, wanted(owner, replaces=former))
        decide(new)

        bank_accounts.disable(
            merchant_id=owner.merchant_id, bank_account_id=new.id, note="not ours", at=NOON
        )

        assert self.usable(owner, COOLED) == {former.id}

    def test_is_of_ones_own_account_in_use(self, owner: Membership, former: BankAccount) -> None:
        for foreign in (BankAccountFactory(), BankAccountFactory(merchant=owner.merchant,
                        currency="USD")):  # fmt: skip
            with pytest.raises(DomainError):
                wanted(owner, replaces=foreign)


class TestTheOwnersAreTold:
    def test_of_each_step(self, owner: Membership) -> None:
        account = request(owner, wanted(owner))
        decide(account)
        bank_accounts.disable(
            merchant_id=owner.merchant_id, bank_account_id=account.id, note="", at=NOON
        )

        found = list(OutboxMessage.objects.filter(kind="merchants.tell_owners").order_by("id"))
        for message in found:
            owner_notice.send(**message.payload)
        assert [message.payload["event"] for message in found] == [
            "requested",
            "approved",
            "disabled",
        ]
        assert all(sent.to == [owner.user.email] for sent in mail.outbox)
        assert len(mail.outbox) == 3
        assert "2026-03-03 12:00" in mail.outbox[1].body
        assert account.number not in str([sent.body for sent in mail.outbox])

"""Bank accounts: encrypted, masked, fixed, verified by two, approved only when verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from config.errors import NotFound
from foundation import registries, sql
from foundation.models import AuditEvent, History
from foundation.money import CurrencyUnknown
from foundation.services import approval as approvals
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MerchantFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
NUMBER = "6222021234567890123"


def add(merchant_id: int, **changed: Any) -> bank_accounts.Added:
    asked: dict[str, Any] = {
        "number": NUMBER,
        "holder": "张三",
        "bank_name": "工商银行",
        "currency": "CNY",
        "at": NOON,
        **changed,
    }
    return bank_accounts.add(merchant_id=merchant_id, **asked)


@pytest.mark.django_db
class TestAdding:
    def test_stores_the_number_encrypted_and_shows_it_masked(self) -> None:
        account = add(MerchantFactory().id, number="6222 0212-3456 7890 123").account

        assert BankAccount.objects.get(id=account.id).number == NUMBER
        assert account.number_masked == "622202*********0123"
        stored = sql.rows("SELECT * FROM merchants_bank_account")[0]
        written = [stored, *AuditEvent.objects.values(), *History.objects.values()]
        assert NUMBER not in str(written)
        assert (account.status, account.approved_payee) == ("UNVERIFIED", False)

    def test_the_same_number_again_is_the_same_account(self) -> None:
        merchant = MerchantFactory()

        first, again = add(merchant.id), add(merchant.id, number=f" {NUMBER} ")

        assert (first.created, again.created) == (True, False)
        assert first.account == again.account
        assert AuditEvent.objects.filter(action="bank_account.add").count() == 1

    def test_the_same_number_may_serve_another_currency_or_merchant(self) -> None:
        merchant = MerchantFactory()

        made = [add(merchant.id), add(merchant.id, currency="USD"), add(MerchantFactory().id)]

        assert len({each.account.id for each in made}) == 3

    def test_the_same_number_of_another_holder_is_refused(self) -> None:
        merchant = MerchantFactory()
        add(merchant.id)

        with pytest.raises(bank_accounts.HolderDiffers):
            add(merchant.id, holder="李四")

    @pytest.mark.parametrize(
        "changed",
        [
            {"number": "1234"},
            {"number": "6222?0212"},
            {"number": "６２２２０２１２３４"},
            {"number": "1" * 35},
            {"holder": " "},
            {"bank_name": "a\nb"},
        ],
    )
    def test_refuses_the_wrong_shape(self, changed: dict[str, Any]) -> None:
        with pytest.raises(bank_accounts.BankAccountMalformed):
            add(MerchantFactory().id, **changed)

    def test_refuses_an_unknown_currency(self) -> None:
        with pytest.raises(CurrencyUnknown):
            add(MerchantFactory().id, currency="XXX")


@pytest.mark.django_db
class TestVerifying:
    def propose(self, account: BankAccount, maker: Any) -> Any:
        return bank_accounts.propose(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            approved_payee=True,
            reason="letter of the bank",
            maker=maker,
            at=NOON,
            expires_at=NOON + timedelta(days=7),
        )

    def test_is_not_for_everybody_who_may_look(self) -> None:
        account = add(MerchantFactory().id).account
        proposal = self.propose(account, UserFactory(is_staff=True))

        with pytest.raises(approvals.CheckerNotAllowed):
            approvals.decide(
                approval_id=proposal.id,
                seen_sha256=proposal.content_sha256,
                merchant_id=account.merchant_id,
                checker=UserFactory(is_staff=True),
                approve=True,
                reason="",
                at=NOON,
            )

    def test_another_person_approves_and_listeners_hear_of_it_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard: list[tuple[str, int]] = []

        def listen(*, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]) -> None:
            heard.append((event, payload["bank_account_id"]))

        monkeypatch.setattr(registries.lifecycle_listeners, "_items", {"test": listen})
        account = add(MerchantFactory().id).account
        proposal = self.propose(account, UserFactory(is_staff=True))

        approvals.decide(
            approval_id=proposal.id,
            seen_sha256=proposal.content_sha256,
            merchant_id=account.merchant_id,
            checker=UserFactory(is_staff=True, is_superuser=True),
            approve=True,
            reason="seen",
            at=NOON,
        )
        bank_accounts.verify(
            merchant_id=account.merchant_id,
            bank_account_id=account.id,
            approved_payee=True,
            note="again",
            at=NOON,
        )

        account.refresh_from_db()
        assert (account.status, account.approved_payee) == ("VERIFIED", True)
        assert account.verified_at == NOON
        assert heard == [("bank_account_verified", account.id)]
        assert AuditEvent.objects.filter(action="bank_account.verify").count() == 1
        assert History.objects.filter(table="merchants_bank_account", operation="UPDATE").exists()

    def test_the_one_who_proposed_cannot_approve(self) -> None:
        account = add(MerchantFactory().id).account
        maker = UserFactory(is_staff=True)
        proposal = self.propose(account, maker)

        with pytest.raises(approvals.SelfApprovalForbidden):
            approvals.decide(
                approval_id=proposal.id,
                seen_sha256=proposal.content_sha256,
                merchant_id=account.merchant_id,
                checker=UserFactory(is_staff=True, person=maker.person),
                approve=True,
                reason="seen",
                at=NOON,
            )

        account.refresh_from_db()
        assert account.status == "UNVERIFIED"

    def test_a_disabled_account_leaves_the_list_and_cannot_come_back(self) -> None:
        account = BankAccountFactory()

        bank_accounts.disable(
            merchant_id=account.merchant_id, bank_account_id=account.id, note="closed", at=NOON
        )

        account.refresh_from_db()
        assert (account.status, account.approved_payee) == ("DISABLED", False)
        with pytest.raises(bank_accounts.BankAccountDisabled):
            bank_accounts.verify(
                merchant_id=account.merchant_id,
                bank_account_id=account.id,
                approved_payee=False,
                note="",
                at=NOON,
            )

    def test_another_merchants_account_is_not_found(self) -> None:
        account, other = BankAccountFactory(), MerchantFactory()

        with pytest.raises(NotFound):
            bank_accounts.disable(
                merchant_id=other.id, bank_account_id=account.id, note="", at=NOON
            )


@pytest.mark.django_db
class TestDatabase:
    @pytest.mark.parametrize(
        "change",
        [
            {"holder": "李四"},
            {"currency": "USD"},
            {"number_hash": bytes(32)},
            {"status": "UNVERIFIED"},
            {"verified_at": None},
        ],
    )
    def test_refuses_to_change_what_is_fixed_and_an_unverified_payee(
        self, change: dict[str, Any]
    ) -> None:
        BankAccountFactory()

        with pytest.raises(DatabaseError), transaction.atomic():
            BankAccount.objects.update(**change)

    def test_refuses_to_delete(self) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            BankAccountFactory().delete()

"""The `create_...` commands: a first user without SQL, secrets once, safe to run again."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from foundation import clock
from foundation.models import AuditEvent, User
from merchants.models import ApiKey, BankAccount, Membership
from merchants.services import api_key as api_keys
from merchants.services import payment_password as payment_passwords
from tests.factories.merchants import MerchantFactory


def told(name: str, *words: str) -> dict[str, Any]:
    out = StringIO()
    call_command(name, *words, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


@pytest.mark.django_db
class TestCreateStaff:
    def test_makes_an_account_that_can_sign_in(self) -> None:
        answer = told("create_staff", "alice", "--name", "爱丽", "--superuser")

        user = User.objects.get(username="alice")
        assert answer["created"] is True
        assert user.check_password(answer["password"])
        assert (user.is_staff, user.is_superuser, user.person.name) == (True, True, "爱丽")
        assert AuditEvent.objects.get(action="account.create").actor == "system:create_staff"

    def test_again_leaves_it_as_it_is_and_rotate_gives_a_new_password(self) -> None:
        first = told("create_staff", "alice")

        again, rotated = told("create_staff", "alice"), told("create_staff", "alice", "--rotate")

        assert again == {
            "created": False,
            "username": "alice",
            "superuser": False,
            "roles": [],
        }
        assert rotated["password"] != first["password"]
        assert User.objects.get(username="alice").check_password(rotated["password"])

    def test_a_second_account_of_the_same_human_shares_the_person(self) -> None:
        told("create_staff", "alice")
        told("create_staff", "alice2", "--same-person-as", "alice")

        assert len(set(User.objects.values_list("person_id", flat=True))) == 1

    def test_accounts_of_one_address_are_one_persons_whichever_came_first(self) -> None:
        merchant = MerchantFactory()
        told("create_portal_user", "bob", "--merchant", merchant.merchant_no, "--role", "OWNER",
             "--email", "bob@example.com")  # fmt: skip

        told("create_staff", "bob.li", "--email", "Bob@Example.com ")
        told("create_staff", "cai")
        told("create_staff", "dan")

        persons = dict(User.objects.values_list("username", "person_id"))
        assert persons["bob"] == persons["bob.li"]
        assert len(set(persons.values())) == 3

    @pytest.mark.parametrize("words", [("--group", "nobody"), ("--same-person-as", "nobody")])
    def test_an_unknown_group_or_account_is_refused_whole(
        self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(CommandError) as ended:
            call_command("create_staff", "alice", *words)

        assert ended.value.returncode == 1
        assert not User.objects.exists()


@pytest.mark.django_db
class TestCreatePortalUser:
    def test_makes_account_role_and_payment_password(self) -> None:
        merchant = MerchantFactory()
        words = ("--merchant", merchant.merchant_no, "--role", "OWNER", "--payment-password")

        first, again = (told("create_portal_user", "bob", *words) for _ in range(2))

        user = User.objects.get(username="bob")
        assert user.check_password(first["password"])
        assert not user.is_staff
        assert Membership.objects.get(user=user).role == "OWNER"
        payment_passwords.check(
            merchant_id=merchant.id,
            user=user,
            payment_password=first["payment_password"],
            at=clock.now(),
        )
        assert again["created"] is False
        assert not {"password", "payment_password"} & set(again)

    def test_rotate_gives_both_anew(self) -> None:
        words = ("--merchant", MerchantFactory().merchant_no, "--role", "OWNER")
        told("create_portal_user", "bob", *words)

        rotated = told("create_portal_user", "bob", *words, "--payment-password", "--rotate")

        assert {"password", "payment_password"} <= set(rotated)

    def test_a_staff_account_of_that_name_is_refused(self) -> None:
        told("create_staff", "alice")

        with pytest.raises(CommandError):
            told(
                "create_portal_user",
                "alice",
                "--merchant",
                MerchantFactory().merchant_no,
                "--role",
                "OWNER",
            )

        assert not Membership.objects.exists()

    def test_an_unknown_merchant_is_wrong_usage(self) -> None:
        with pytest.raises(CommandError) as refusal:
            told("create_portal_user", "bob", "--merchant", "nobody", "--role", "OWNER")

        assert refusal.value.returncode == 2


@pytest.mark.django_db
class TestCreateApiKeyOfAPartner:
    def test_acts_for_the_merchants_named_and_gets_more_by_running_again(self) -> None:
        numbers = sorted(MerchantFactory().merchant_no for _n in range(2))
        words = ("till", "--kind", "PARTNER", "--scope", "payments:record", "--acts-for")

        first, again = (told("create_api_key", *words, number) for number in numbers)

        assert (first["acts_for"], again["acts_for"]) == (numbers[:1], numbers)
        assert "token" in first
        assert "token" not in again

    def test_of_another_kind_acts_for_none_and_is_not_made(self) -> None:
        number = MerchantFactory().merchant_no

        with pytest.raises(CommandError):
            told("create_api_key", "x", "--scope", "balances:read", "--acts-for", number)

        assert not ApiKey.objects.exists()


@pytest.mark.django_db
class TestCreateApiKey:
    def test_makes_a_key_that_opens_and_shows_it_once(self) -> None:
        merchant = MerchantFactory()
        words = ("main", "--merchant", merchant.merchant_no, "--scope", "balances:read")

        first, again = (told("create_api_key", *words) for _ in range(2))

        key = api_keys.check(token=first["token"], address="", at=clock.now())
        assert key.merchant == merchant
        assert "token" not in again
        rotated = told("create_api_key", *words, "--rotate")
        assert rotated["prefix"] == first["prefix"]
        assert rotated["token"] != first["token"]

    def test_without_a_merchant_it_is_the_institutions(self) -> None:
        answer = told("create_api_key", "gateway", "--scope", "payments:record", "--days", "30")

        assert (answer["kind"], answer["merchant_no"]) == ("INSTITUTION", "HOUSE")

    def test_a_merchants_key_that_records_payments_is_refused(self) -> None:
        number = MerchantFactory().merchant_no

        with pytest.raises(CommandError) as ended:
            told("create_api_key", "x", "--merchant", number, "--scope", "payments:record")

        assert ended.value.returncode == 1


@pytest.mark.django_db
class TestCreateBankAccount:
    def test_adds_verifies_and_masks(self) -> None:
        number = "6222021234567890123"
        words = ("--merchant", MerchantFactory().merchant_no, "--number", number)
        more = ("--holder", "张三", "--bank", "工商银行", "--approved-payee")

        first, again = (told("create_bank_account", *words, *more) for _ in range(2))

        account = BankAccount.objects.get()
        assert (account.status, account.approved_payee, account.number) == (
            "VERIFIED",
            True,
            number,
        )
        assert (first["created"], again["created"]) == (True, False)
        assert first["payee"] == again["payee"] == str(account.uuid)
        assert number not in json.dumps([first, again])

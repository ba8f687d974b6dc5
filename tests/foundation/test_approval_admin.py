"""The inbox of proposals in the admin: seen, decided, by two persons, through POST alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation import clock
from foundation.models import Approval, User
from merchants.models import BankAccount
from merchants.services import bank_account as bank_accounts
from merchants.services import merchant_emergency as emergencies
from tests.factories.approval import tier
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory
from tests.foundation.colleagues import one_of

AT = datetime(2026, 3, 2, tzinfo=UTC)


def door(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def maker(db) -> User:
    return UserFactory(is_staff=True, is_superuser=True, language="en")


@pytest.fixture
def checker(db) -> User:
    return UserFactory(is_staff=True, is_superuser=True, language="en")


@pytest.fixture
def proposal(maker) -> Approval:
    account = BankAccountFactory(status="UNVERIFIED", approved_payee=False, verified_at=None)
    at = clock.now()
    return bank_accounts.propose(
        merchant_id=account.merchant_id, bank_account_id=account.id, approved_payee=True,
        reason="a letter", maker=maker, at=at, expires_at=at + timedelta(days=1),
    )  # fmt: skip


def decide(user: User, proposal: Approval, step: str, **fields: str) -> str:
    """Post a decision as the page's form would, and return what the next page says."""
    address = reverse("admin:foundation_approval_step", args=[proposal.pk, step])
    sent = {"seen_sha256": proposal.content_sha256} | fields
    return door(user).post(address, sent, follow=True).content.decode()


class TestInbox:
    def test_shows_what_changes_and_carries_its_hash_back(self, checker, proposal):
        page = door(checker).get(reverse("admin:foundation_approval_change", args=[proposal.pk]))
        text = page.content.decode()

        assert f'name="seen_sha256" value="{proposal.content_sha256}"' in text
        assert "not verified" in text
        assert "UNVERIFIED" not in text
        assert "a letter" in text
        assert "Approve" in text

    def test_is_on_the_overview_until_it_is_decided(self, checker, proposal):
        before = door(checker).get(reverse("admin:index")).content.decode()
        decide(checker, proposal, "approve")
        after = door(checker).get(reverse("admin:index")).content.decode()

        assert "Proposals wait for your decision" in before
        assert "Proposals wait for your decision" not in after

    def test_approves_by_another_person(self, checker, proposal):
        said = decide(checker, proposal, "approve", reason="seen")
        account = BankAccount.objects.get()

        assert "Decided: approved." in said
        assert (account.status, account.approved_payee) == ("VERIFIED", True)

    def test_refuses_the_maker(self, maker, proposal):
        said = decide(maker, proposal, "approve")

        assert "another person must decide" in said
        assert Approval.objects.get().state == "PROPOSED"

    def test_refuses_what_was_not_on_the_screen(self, checker, proposal):
        said = decide(checker, proposal, "approve", seen_sha256="0" * 64)

        assert "look at it again" in said
        assert BankAccount.objects.get().status == "UNVERIFIED"

    def test_asks_why_it_is_rejected(self, checker, proposal):
        silent = decide(checker, proposal, "reject")
        told = decide(checker, proposal, "reject", reason="wrong holder")

        assert "Please say why." in silent
        assert "Decided: rejected." in told

    def test_offers_the_maker_to_withdraw_only(self, maker, proposal):
        page = door(maker).get(reverse("admin:foundation_approval_change", args=[proposal.pk]))
        text = page.content.decode()
        decide(maker, proposal, "withdraw")

        assert "/step/withdraw/" in text
        assert "/step/approve/" not in text
        assert Approval.objects.get().state == "WITHDRAWN"

    def test_says_the_risk_who_may_decide_and_how_many_are_needed(self, checker, proposal):
        page = door(checker).get(reverse("admin:foundation_approval_change", args=[proposal.pk]))
        text = page.content.decode()

        assert ">high<" in text.replace("\n", "").replace(" ", "")
        assert "HIGH" not in text
        assert "checker" in text
        assert "0 / 1" in text

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", 1),
            ("state=all", 1),
            ("state=open", 1),
            ("state=mine", 1),
            ("state=own", 0),
            ("state=risky", 1),
            ("kind=merchants.bank_account_approve", 1),
            ("kind=settlement.withdrawal", 0),
            ("kind=nobody.knows", 0),
        ],
    )
    def test_is_read_by_state_risk_and_kind(self, checker, proposal, query, found):
        address = reverse("admin:foundation_approval_changelist") + f"?{query}"

        assert len(door(checker).get(address).context["cl"].result_list) == found

    def test_shows_unasked_what_waits_for_the_reader(self, checker, maker, proposal):
        def shown(user, query="") -> int:
            address = reverse("admin:foundation_approval_changelist") + query
            return len(door(user).get(address).context["cl"].result_list)

        operator = one_of("operator")  # who decides nothing sees what waits for anybody
        assert (shown(checker), shown(maker), shown(operator)) == (1, 0, 1)
        decide(checker, proposal, "reject", reason="r")

        assert (shown(checker), shown(operator), shown(checker, "?state=all")) == (0, 0, 1)
        page = door(checker).get(reverse("admin:foundation_approval_changelist"))
        assert 'href="?state=all"' in page.content.decode()

    def test_leaves_out_what_the_reader_has_approved_already(self, checker, maker):
        account = BankAccountFactory(status="UNVERIFIED", approved_payee=False, verified_at=None)
        tier(bank_accounts.APPROVE, checkers_needed=2)
        at = clock.now()
        made = bank_accounts.propose(
            merchant_id=account.merchant_id, bank_account_id=account.id, approved_payee=True,
            reason="a letter", maker=maker, at=at, expires_at=at + timedelta(days=1),
        )  # fmt: skip
        decide(checker, made, "approve")

        address = reverse("admin:foundation_approval_changelist")
        assert not door(checker).get(address).context["cl"].result_list
        assert "Proposals wait" not in door(checker).get(reverse("admin:index")).content.decode()

    def test_costs_the_same_for_one_and_for_twenty(self, checker, maker, proposal):
        def cost() -> int:
            with CaptureQueriesContext(connection) as captured:
                client.get(reverse("admin:foundation_approval_changelist") + "?state=open")
            return len(captured)

        client = door(checker)
        client.get(reverse("admin:foundation_approval_changelist"))
        one = cost()
        for number in range(20):
            account = BankAccountFactory(
                status="UNVERIFIED",
                approved_payee=False,
                verified_at=None,
                number=f"62258802123400{number:02}",
            )
            bank_accounts.propose(
                merchant_id=account.merchant_id,
                bank_account_id=account.id,
                approved_payee=True,
                reason="r",
                maker=maker,
                at=clock.now(),
                expires_at=clock.now() + timedelta(days=1),
            )

        assert cost() == one

    def test_offers_nothing_in_bulk(self, checker, proposal):
        address = reverse("admin:foundation_approval_changelist")
        sent = {"action": "approve", "_selected_action": [proposal.pk]}

        page = door(checker).post(address, sent)
        assert 'name="action"' not in page.content.decode()
        assert Approval.objects.get().state == "PROPOSED"


class TestThePageOfTheObject:
    def test_shows_since_when_by_whom_and_what_changes(self, checker, maker, proposal):
        account = BankAccount.objects.get()
        address = reverse("admin:merchants_bankaccount_change", args=[account.pk])
        (waits,) = door(checker).get(address).context["waiting"]
        text = door(checker).get(address).content.decode()

        assert waits.maker == maker.person.name
        assert ("on the approved list", "no", "yes") in waits.changes
        assert "Waits for a checker" in text
        decide(checker, proposal, "approve")
        assert door(checker).get(address).context["waiting"] == []

    def test_of_the_merchant_shows_all_of_his_book_and_of_nobody_else(self, checker, proposal):
        other = BankAccountFactory(number="6225880212340000")
        for merchant, found in ((proposal.merchant, 1), (other.merchant, 0)):
            address = reverse("admin:merchants_merchant_change", args=[merchant.pk])
            assert len(door(checker).get(address).context["waiting"]) == found

    def test_puts_what_has_its_effect_already_first(self, checker, proposal):
        merchant = proposal.merchant
        emergencies.freeze(
            merchant_nos=[merchant.merchant_no], reason="fraud", case="K1", attachments=(),
            maker=UserFactory(is_staff=True, is_superuser=True), at=clock.now(),
        )  # fmt: skip
        address = reverse("admin:merchants_merchant_change", args=[merchant.pk])

        first, second = door(checker).get(address).context["waiting"]

        assert first.url == reverse(
            "admin:foundation_approval_change",
            args=[Approval.objects.get(action="merchants.emergency").pk],
        )
        assert second.url.endswith(f"/{proposal.pk}/change/")

    def test_is_silent_to_who_may_not_see_proposals(self, proposal):
        clerk = UserFactory(is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_bankaccount"))
        address = reverse("admin:merchants_bankaccount_change", args=[BankAccount.objects.get().pk])

        assert door(clerk).get(address).context["waiting"] == []


class TestStep:
    def test_is_a_post_and_nothing_else(self, checker, proposal):
        address = reverse("admin:foundation_approval_step", args=[proposal.pk, "approve"])

        assert door(checker).get(address).status_code == 405
        assert Approval.objects.get().state == "PROPOSED"

    def test_needs_the_token_of_the_form(self, checker, proposal):
        client = Client(enforce_csrf_checks=True)
        client.force_login(checker)
        address = reverse("admin:foundation_approval_step", args=[proposal.pk, "approve"])

        assert client.post(address, {"seen_sha256": proposal.content_sha256}).status_code == 403

    def test_is_shut_to_who_may_not_see_the_row(self, db, proposal):
        clerk = UserFactory(is_staff=True)
        address = reverse("admin:foundation_approval_step", args=[proposal.pk, "approve"])

        assert door(clerk).post(address).status_code == 404

    @pytest.mark.parametrize("step", ["unknown", "delete"])
    def test_that_nobody_declared_is_not_there(self, checker, proposal, step):
        address = reverse("admin:foundation_approval_step", args=[proposal.pk, step])

        assert door(checker).post(address).status_code == 404


class TestPolicy:
    def test_lets_the_browser_load_our_own_files_only(self, checker):
        for address in (reverse("admin:index"), reverse("admin:login")):
            policy = door(checker).get(address, follow=True)["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "http" not in policy
            assert "script-src 'self' 'unsafe-eval'" in policy

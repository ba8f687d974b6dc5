"""Who acts for a merchant decides on nothing about it: not through a program's key either."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from foundation import sql
from foundation.models import Approval, Person, User
from foundation.services import approval as approvals
from foundation.services import delegation as delegations
from merchants.models import Membership, Merchant
from merchants.selectors import membership as selectors
from merchants.services import bank_account as bank_accounts
from merchants.services import invitation as invitations
from merchants.services import membership as memberships
from merchants.services import merchant_state as states
from tests.factories import merchant_state as make
from tests.factories.approval import approve
from tests.factories.foundation import PersonFactory, UserFactory
from tests.factories.merchant_state import AT
from tests.factories.merchants import BankAccountFactory, MembershipFactory, MerchantFactory

pytestmark = pytest.mark.django_db
DECIDE = "merchants.approve_bankaccount"


def both(merchant: Merchant) -> tuple[User, User]:
    """Return the two accounts of one person: the merchant's, and that of staff."""
    person: Person = PersonFactory()
    own: User = UserFactory(person=person)
    MembershipFactory(merchant=merchant, user=own, role=Membership.Role.OWNER)
    return own, UserFactory(person=person, is_staff=True, is_superuser=True)


def proposal(merchant: Merchant) -> Approval:
    """Return what somebody else asked for: to pay this merchant to an account."""
    account = BankAccountFactory(merchant=merchant, status="UNVERIFIED", approved_payee=False)
    return bank_accounts.propose(
        merchant_id=merchant.id,
        bank_account_id=account.id,
        approved_payee=True,
        reason="asked for",
        maker=UserFactory(),
        at=AT,
        expires_at=AT + states.LASTS,
    )


def decide(approval: Approval, checker: User, *, yes: bool = True) -> Approval:
    return approvals.decide(
        approval_id=approval.id,
        merchant_id=approval.merchant_id,
        checker=checker,
        approve=yes,
        reason="",
        seen_sha256=approval.content_sha256,
        at=AT,
    )


def written(approval: Approval, checker: User) -> None:
    """Write a decision with SQL, past every check in Python."""
    sql.execute(
        "INSERT INTO foundation_approval_decision (merchant_id, approval_id, checker_id,"
        " checker_person_id, maker_person_id, approves, reason, content_sha256, decided_at,"
        " actor, request_id) VALUES (%s, %s, %s, %s, %s, true, '', %s, %s, '', '')",
        [approval.merchant_id, approval.id, checker.pk, checker.person_id,
         approval.maker_person_id, approval.content_sha256, AT],
    )  # fmt: skip


@contextmanager
def refused_by_database() -> Iterator[None]:
    with pytest.raises(IntegrityError, match="approval_insider"), transaction.atomic():
        yield


class TestWhoActsForTheMerchant:
    def test_or_is_invited_to_decides_on_nothing_of_its(self):
        merchant = MerchantFactory()
        staff = UserFactory(is_staff=True, is_superuser=True, email="bo@example.com")
        approval = proposal(merchant)
        invitation = invitations.invite(
            merchant_id=merchant.id, email="Bo+shop@example.com", name="Bo", role="OWNER",
            invited_by=None, at=AT,
        )  # fmt: skip

        with pytest.raises(approvals.CheckerGains):
            decide(approval, staff)

        invitations.withdraw(merchant_id=merchant.id, invitation_id=invitation.id, by=staff, at=AT)
        assert decide(approval, staff).state == "APPROVED"

    @pytest.mark.parametrize("left", [False, True])
    def test_decides_on_nothing_of_its(self, left):
        merchant = MerchantFactory()
        own, staff = both(merchant)
        approval = proposal(merchant)
        if left:
            memberships.revoke(merchant_id=merchant.id, user=own)

        for yes in (True, False):
            with pytest.raises(approvals.CheckerGains):
                decide(approval, staff, yes=yes)

        assert approve(approval, at=AT).state == "APPROVED"

    def test_decides_on_another_merchants(self):
        _own, staff = both(MerchantFactory())

        assert decide(proposal(MerchantFactory()), staff).state == "APPROVED"

    def test_decides_on_no_list_it_is_in(self):
        merchant, other = MerchantFactory(), MerchantFactory()
        _own, staff = both(merchant)
        approval = make.propose(states.FREEZE, other.merchant_no, merchant.merchant_no)

        with pytest.raises(approvals.CheckerGains):
            decide(approval, staff)

        assert approve(approval, at=AT).state == "APPROVED"

    def test_lends_no_right_to_decide(self):
        merchant = MerchantFactory()
        _own, staff = both(merchant)
        deputy = UserFactory(is_staff=True)
        see = Permission.objects.get(codename="view_approval")
        deputy.user_permissions.add(see)
        lent = delegations.propose(
            delegator=staff,
            delegate=deputy,
            permission=DECIDE,
            starts_at=AT,
            ends_at=AT + states.LASTS,
            reason="holiday",
            at=AT,
        )
        approve(lent, at=AT)
        deputy = User.objects.get(pk=deputy.pk)

        with pytest.raises(approvals.CheckerGains):
            decide(proposal(merchant), deputy)
        assert decide(proposal(MerchantFactory()), deputy).state == "APPROVED"

    def test_is_refused_by_the_database_too(self):
        merchant = MerchantFactory()
        _own, staff = both(merchant)

        with refused_by_database():
            written(proposal(merchant), staff)

    def test_and_says_so_in_words(self, monkeypatch):
        """As when he was invited after Python had looked."""
        merchant = MerchantFactory()
        _own, staff = both(merchant)
        monkeypatch.setattr(selectors, "insiders", lambda ids: frozenset())

        with pytest.raises(approvals.CheckerGains):
            decide(proposal(merchant), staff)

    def test_is_refused_by_the_database_of_a_list_too(self):
        merchant, other = MerchantFactory(), MerchantFactory()
        _own, staff = both(merchant)
        approval = make.propose(states.FREEZE, other.merchant_no, merchant.merchant_no)

        with refused_by_database():
            written(approval, staff)

    def test_or_is_invited_is_refused_by_the_database_too(self):
        merchant = MerchantFactory()
        staff = UserFactory(is_staff=True, is_superuser=True, email="bo@example.com")
        approval = proposal(merchant)
        invitation = invitations.invite(
            merchant_id=merchant.id, email="Bo+shop@example.com", name="Bo", role="OWNER",
            invited_by=None, at=AT,
        )  # fmt: skip

        with refused_by_database():
            written(approval, staff)
        invitations.withdraw(merchant_id=merchant.id, invitation_id=invitation.id, by=staff, at=AT)
        written(approval, staff)

    def test_cannot_be_made_somebody_else_to_be_forgotten(self):
        merchant = MerchantFactory()
        own, staff = both(merchant)
        change = "UPDATE merchants_membership SET user_id = %s WHERE user_id = %s"

        with pytest.raises(IntegrityError, match="membership_keeps_user"), transaction.atomic():
            sql.execute(change, [UserFactory().pk, own.pk])
        with pytest.raises(approvals.CheckerGains):
            decide(proposal(merchant), staff)

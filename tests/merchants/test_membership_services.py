"""Roles: granted, changed, switched off; what each may do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.errors import Forbidden, NotFound
from foundation.models import AuditEvent
from merchants.models import Ability, Membership
from merchants.selectors import membership as membership_reads
from merchants.services import membership as memberships
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory, MerchantFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


@pytest.mark.django_db
class TestGranting:
    def test_the_same_grant_again_changes_nothing(self) -> None:
        merchant, user = MerchantFactory(), UserFactory()

        for _ in range(2):
            memberships.grant(merchant_id=merchant.id, user=user, role="OWNER", at=NOON)

        assert Membership.objects.count() == 1
        assert AuditEvent.objects.filter(action="membership.grant").count() == 1

    def test_another_role_replaces_and_a_revoked_one_comes_back(self) -> None:
        member = MembershipFactory()
        memberships.revoke(merchant_id=member.merchant_id, user=member.user)

        memberships.grant(merchant_id=member.merchant_id, user=member.user, role="VIEWER", at=NOON)

        member.refresh_from_db()
        assert (member.role, member.active) == ("VIEWER", True)

    def test_staff_cannot_be_members(self) -> None:
        with pytest.raises(memberships.StaffHasNoMembership):
            memberships.grant(
                merchant_id=MerchantFactory().id,
                user=UserFactory(is_staff=True),
                role="OWNER",
                at=NOON,
            )

    def test_a_role_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(ValueError, match="KING"):
            memberships.grant(
                merchant_id=MerchantFactory().id, user=UserFactory(), role="KING", at=NOON
            )

    def test_revoking_a_stranger_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            memberships.revoke(merchant_id=MerchantFactory().id, user=UserFactory())


@pytest.mark.django_db
class TestAbilities:
    @pytest.mark.parametrize(
        ("role", "abilities"),
        [
            ("OWNER", {"see_balances", "see_payments", "withdraw", "manage"}),
            ("FINANCE", {"see_balances", "see_payments", "withdraw"}),
            ("CASHIER", {"see_payments"}),
            ("VIEWER", {"see_balances", "see_payments"}),
        ],
    )
    def test_the_worked_table(self, role: str, abilities: set[str]) -> None:
        member = MembershipFactory(role=role)

        found = {
            str(ability)
            for ability in Ability
            if memberships.may(merchant_id=member.merchant_id, user=member.user, ability=ability)
        }

        assert found == abilities

    def test_nothing_is_allowed_with_another_merchant(self) -> None:
        member, other = MembershipFactory(), MerchantFactory()

        with pytest.raises(Forbidden):
            memberships.require(
                merchant_id=other.id, user=member.user, ability=Ability.SEE_PAYMENTS
            )

    @pytest.mark.parametrize("field", ["is_active", "is_staff"])
    def test_nothing_is_allowed_to_a_closed_or_a_staff_account(self, field: str) -> None:
        member = MembershipFactory()
        setattr(member.user, field, field == "is_staff")

        assert not memberships.may(
            merchant_id=member.merchant_id, user=member.user, ability=Ability.SEE_PAYMENTS
        )

    def test_a_user_sees_the_active_ones_only(self) -> None:
        member = MembershipFactory()
        gone = MembershipFactory(user=member.user)
        memberships.revoke(merchant_id=gone.merchant_id, user=member.user)

        assert list(membership_reads.of_user(user=member.user)) == [member]

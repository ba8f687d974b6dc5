"""The owner named by an approved application is invited, in the approval's transaction."""

from __future__ import annotations

import pytest

from foundation import registries
from merchants.models import Invitation
from merchants.services import application_approval
from merchants.services.application_approval import OwnerContact
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.merchants.test_invitation_services import NOON

pytestmark = pytest.mark.django_db


class TestMerchantApproved:
    @pytest.mark.parametrize(
        ("owner", "invited"),
        [(OwnerContact("王芳", "wang@example.com"), ["wang@example.com"]), (None, [])],
    )
    def test_invites_its_owner(self, owner: OwnerContact | None, invited: list[str]) -> None:
        merchant = MerchantFactory.create()
        staff = UserFactory.create(is_staff=True)
        payload = {"owner": owner, "approved_by": staff, "at": NOON}
        listener = dict(registries.lifecycle_listeners.items())["merchants.invitation"]

        listener(event="merchants_imported", merchant_ids=[merchant.id], payload=payload)
        listener(event=application_approval.APPROVED, merchant_ids=[merchant.id], payload=payload)

        found = Invitation.objects.filter(merchant=merchant)
        assert list(found.values_list("email", flat=True)) == invited
        assert [row.role for row in found] == ["OWNER"] * len(invited)

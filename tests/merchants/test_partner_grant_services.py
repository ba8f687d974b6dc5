"""For whom a partner's key may act: nobody, but those it was given by name."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from config.errors import NotFound
from foundation.models import AuditEvent, History
from merchants.models import ApiKey, Merchant, PartnerGrant
from merchants.selectors import partner_grant as selectors
from merchants.services import api_key as api_keys
from merchants.services import partner_grant as partner_grants
from merchants.services.house import house
from tests.factories.merchants import MerchantFactory
from tests.factories.payout import NOON


def key(kind: str = "PARTNER", name: str = "") -> ApiKey:
    return api_keys.create(
        merchant=None, name=name or kind, kind=kind, scopes=["payments:record"], at=NOON
    ).key


def reach(of: ApiKey, *merchants: Merchant) -> list[Merchant]:
    return selectors.merchants_of(key=of, merchant_nos=[each.merchant_no for each in merchants])


@pytest.mark.django_db
class TestGranting:
    def test_opens_one_merchant_to_one_key_and_can_be_ended(self) -> None:
        one, two, partner, other = MerchantFactory(), MerchantFactory(), key(), key(name="other")
        assert reach(partner, one, two) == []

        made = partner_grants.grant(key=partner, merchant=one, at=NOON)
        again = partner_grants.grant(key=partner, merchant=one, at=NOON)

        assert made == again
        assert reach(partner, one, two) == [one]
        assert reach(other, one, two) == []
        assert selectors.numbers_of(key=partner) == [one.merchant_no]
        partner_grants.end(merchant_id=made.merchant_id, grant_id=made.id)
        partner_grants.end(merchant_id=made.merchant_id, grant_id=made.id)
        assert reach(partner, one) == selectors.numbers_of(key=partner) == []
        partner_grants.grant(key=partner, merchant=one, at=NOON)
        assert reach(partner, one) == [one]
        actions = AuditEvent.objects.filter(object_kind="partner_grant").values_list(
            "action", flat=True
        )
        assert sorted(actions) == ["partner_grant.end"] + ["partner_grant.grant"] * 2
        assert History.objects.filter(table="merchants_partner_grant").count() == 3

    def test_is_for_partners_and_merchants_only(self) -> None:
        institution, partner = key("INSTITUTION"), key()

        with pytest.raises(partner_grants.NotAPartnersKey):
            partner_grants.grant(key=institution, merchant=MerchantFactory(), at=NOON)
        with pytest.raises(NotFound):
            partner_grants.grant(key=partner, merchant=house(), at=NOON)
        with pytest.raises(NotFound):
            partner_grants.end(merchant_id=house().id, grant_id=1)

        assert not PartnerGrant.objects.exists()

    def test_the_database_says_it_again(self) -> None:
        institution, partner, shop = key("INSTITUTION", "own"), key(), MerchantFactory()
        made = partner_grants.grant(key=partner, merchant=shop, at=NOON)
        values = {"merchant": house(), "created_at": NOON}

        for wrong in (
            {"key": institution, "acts_for": shop},
            {"key": partner, "acts_for": house()},
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                PartnerGrant.objects.create(**values, **wrong)
        made.acts_for = MerchantFactory()
        with pytest.raises(DatabaseError), transaction.atomic():
            made.save()
        with pytest.raises(DatabaseError), transaction.atomic():
            made.delete()

"""For which merchants a partner's key may act."""

from __future__ import annotations

from collections.abc import Collection

from merchants.models import ApiKey, Merchant, PartnerGrant


def merchants_of(*, key: ApiKey, merchant_nos: Collection[str]) -> list[Merchant]:
    """Return those of some merchants for whom a partner's key may act, now. Rule: KEY-6."""
    if key.kind != ApiKey.Kind.PARTNER:
        return []
    found = PartnerGrant.objects.select_related("acts_for").filter(
        merchant_id=key.merchant_id,
        key=key,
        active=True,
        acts_for__merchant_no__in=merchant_nos,
        acts_for__kind=Merchant.Kind.MERCHANT,
    )
    return [grant.acts_for for grant in found]


def numbers_of(*, key: ApiKey) -> list[str]:
    """Return the numbers of all merchants for whom a partner's key may act, in order."""
    found = PartnerGrant.objects.filter(merchant_id=key.merchant_id, key=key, active=True)
    return list(
        found.order_by("acts_for__merchant_no").values_list("acts_for__merchant_no", flat=True)
    )

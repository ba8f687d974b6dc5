"""What ends with a merchant that is closed: keys, partners' permissions, invitations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from merchants.models import ApiKey, PartnerGrant
from merchants.services import api_key as api_keys
from merchants.services import invitation as invitations
from merchants.services import partner_grant as partner_grants


def on_merchants_closed(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Switch off who could act for a closed merchant by program, or join it, in the transaction that
    closes it; its people stay and may only read. Rule: MST-9.
    """
    if event != "merchants.closed":
        return
    keys = ApiKey.objects.filter(merchant_id__in=merchant_ids, active=True)
    for merchant_id, key_id in keys.order_by("id").values_list("merchant_id", "id"):
        api_keys.revoke(merchant_id=merchant_id, key_id=key_id)
    grants = PartnerGrant.objects.filter(acts_for_id__in=merchant_ids, active=True)
    for book, grant_id in grants.order_by("id").values_list("merchant_id", "id"):
        partner_grants.end(merchant_id=book, grant_id=grant_id)
    for merchant_id in merchant_ids:
        invitations.withdraw_open(merchant_id=merchant_id, at=payload["at"])

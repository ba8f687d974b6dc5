"""Letting a partner's key act for a merchant, and ending that."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import Malformed, NotFound
from foundation import actor
from foundation.services import audit
from merchants.models import ApiKey, Merchant, PartnerGrant


class NotAPartnersKey(Malformed):
    """Only a partner's key acts for merchants by name."""

    code = "not_a_partners_key"


def grant(*, key: ApiKey, merchant: Merchant, at: datetime) -> PartnerGrant:
    """
    Let a partner's key act for a merchant; what was switched off is switched on.

    Raises: NotAPartnersKey; NotFound for the house's book.
    Rule:   KEY-6 (docs/rules/verification.md).
    """
    if key.kind != ApiKey.Kind.PARTNER:
        raise NotAPartnersKey(_("Only a partner's key acts for other merchants."), field="acts_for")
    if merchant.kind != Merchant.Kind.MERCHANT:
        raise NotFound(_("There is no such merchant."))
    with transaction.atomic():
        actor.stamp_transaction()
        found, created = PartnerGrant.objects.select_for_update(of=("self",)).get_or_create(
            merchant_id=key.merchant_id, key=key, acts_for=merchant, defaults={"created_at": at}
        )
        if not created and found.active:
            return found
        if not created:
            found.active = True
            found.save(update_fields=["active"])
        _record(found, key, merchant, "partner_grant.grant")
    return found


def end(*, merchant_id: int, grant_id: int) -> PartnerGrant:
    """Let a partner's key no longer act for a merchant. Raises NotFound. Rule: KEY-6."""
    with transaction.atomic():
        actor.stamp_transaction()
        found = (
            PartnerGrant.objects.select_for_update(of=("self",))
            .select_related("key", "acts_for")
            .filter(merchant_id=merchant_id, id=grant_id)
            .first()
        )
        if found is None:
            raise NotFound(_("There is no such permission."))
        if found.active:
            found.active = False
            found.save(update_fields=["active"])
            _record(found, found.key, found.acts_for, "partner_grant.end")
    return found


def _record(found: PartnerGrant, key: ApiKey, merchant: Merchant, action: str) -> None:
    audit.record(
        merchant_id=found.merchant_id,
        action=action,
        object_kind="partner_grant",
        object_id=key.prefix,
        after={"acts_for": merchant.merchant_no, "active": found.active},
    )

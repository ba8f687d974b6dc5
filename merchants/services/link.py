"""Looking for links: what is found names other merchants and their people, so it is recorded."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db import transaction

from foundation import actor
from foundation.services import audit
from merchants.models import Application, Merchant
from merchants.selectors import link as links
from merchants.selectors.link import Links


def look_merchant(*, merchant: Merchant, at: datetime) -> Links:
    """Return what links a merchant with others, and record that it was looked at. Rule: LNK-6."""
    found = links.of_merchant(merchant_id=merchant.pk, at=at)
    _record(merchant.pk, "merchant", str(merchant.pk), found)
    return found


def look_application(*, application: Application, at: datetime) -> Links:
    """Return what links an application with others, and record the looking. Rule: LNK-6."""
    found = links.of_application(application=application, at=at)
    _record(application.merchant_id, "application", application.number, found)
    return found


def _record(book: int, kind: str, key: str, found: Links) -> None:
    """Note what was seen by its kind and number; who and where stay out of the trail (AU-2)."""
    if not found.found:
        return
    seen = Counter(str(one.kind).lower() for one in found.found)
    with transaction.atomic():
        actor.stamp_transaction()
        audit.record(
            merchant_id=book,
            action="link.look",
            object_kind=kind,
            object_id=key,
            after=dict(seen),
        )

"""Merchants by the beginning of their number, for the page that finds by number."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _

from foundation.models import User
from foundation.registries import SEARCH_MOST, SearchHit
from merchants.models import Merchant


def find(*, text: str, user: User) -> Iterable[SearchHit]:
    """Yield merchants whose number begins so."""
    if not user.has_perm("merchants.view_merchant"):
        return
    known = Merchant.objects.filter(merchant_no__startswith=text).order_by("merchant_no")
    for merchant in known[:SEARCH_MOST]:
        address = reverse("admin:merchants_merchant_change", args=[merchant.pk])
        yield SearchHit(_("merchant"), str(merchant), address)

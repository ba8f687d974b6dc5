"""Settlements, withdrawals and payout attempts by number, for the page that finds by number."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from foundation.models import User
from foundation.registries import SEARCH_MOST, SearchHit
from settlement.models import PayoutAttempt, Withdrawal
from settlement.selectors import item as items
from settlement.services.payout_callback import book_of


def find(*, text: str, user: User) -> Iterable[SearchHit]:
    """Yield what carries this number; the merchant's routing number in it names the book."""
    book = book_of(f"{text}-1")
    if book is not None and user.has_perm("settlement.view_withdrawal"):
        yield from _hits(_("withdrawal"), Withdrawal.objects.filter(merchant=book, number=text))
    book = book_of(text)
    if book is not None and user.has_perm("settlement.view_payoutattempt"):
        known = PayoutAttempt.objects.filter(merchant=book, number=text)
        yield from _hits(_("payout attempt"), known)
    routing = re.match(r"S([0-9]{7,18})-", text)
    if routing and user.has_perm("settlement.view_item"):
        item = items.by_number(merchant_id=int(routing[1]), number=text)
        if item is not None:
            address = reverse("admin:settlement_item_change", args=[item.pk])
            yield SearchHit(_("settlement"), item.number, address)


def _hits(title: str, found: QuerySet[Withdrawal] | QuerySet[PayoutAttempt]) -> Iterable[SearchHit]:
    for row in found.select_related("merchant")[:SEARCH_MOST]:
        yield SearchHit(title, f"{row.number} · {row.merchant}", _address(row))


def _address(row: Model) -> str:
    names = row._meta
    return reverse(f"admin:{names.app_label}_{names.model_name}_change", args=[row.pk])

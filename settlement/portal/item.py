"""The merchant's settlements and the payments inside each."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from django.http import Http404, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from foundation.money import Money
from merchants.models import Ability
from merchants.portal.access import MemberRequest, for_members
from settlement.models import Item
from settlement.selectors import item as items
from settlement.selectors.item import ItemPosition

PAGE: Final = 50
_NOT_POSTED: Final = (Item.State.COLLECTED, Item.State.FROZEN, Item.State.HELD_BACK)


@require_safe
def settlement_list(request: MemberRequest) -> HttpResponseBase:
    """Show the settlements, latest first."""
    found = items.of_merchant(
        merchant_id=request.member.merchant_id,
        below=_position(request.GET.get("below", "")),
        limit=PAGE + 1,
    )
    shown = found[:PAGE]
    older = ""
    if len(found) > PAGE:
        last = shown[-1]
        older = f"{last.run_date.isoformat()}.{last.cycle}.{last.currency}"
    context = {"items": shown, "older": older, "first_page": "below" not in request.GET}
    return render(request, "portal/settlement/item_list.html", context)


@require_safe
def settlement_detail(request: MemberRequest, *, item_id: int) -> HttpResponseBase:
    """Show one settlement: how its net was split, why it is held back, and what is inside."""
    item = items.numbered(merchant_id=request.member.merchant_id, item_id=item_id)
    if item is None:
        raise Http404
    after = request.GET.get("after", "")
    found = items.lines(
        item=item, after=int(after) if re.fullmatch("[0-9]{1,18}", after) else 0, limit=PAGE + 1
    )
    context: dict[str, Any] = {
        "item": item,
        "net": Money(item.net_minor, item.currency),
        "to_available": Money(item.to_available_minor, item.currency),
        "to_debt": Money(max(item.to_debt_minor, 0), item.currency),
        "became_debt": Money(max(-item.to_debt_minor, 0), item.currency),
        "surcharge": Money(item.surcharge_minor, item.currency),
        "posted": item.state not in _NOT_POSTED,
        "lines": found[:PAGE],
        "more": found[PAGE - 1].id if len(found) > PAGE else "",
        "first_page": "after" not in request.GET,
    }
    return render(request, "portal/settlement/item_detail.html", context)


def _position(text: str) -> ItemPosition | None:
    """Read a cursor of the address; anything else begins at the top."""
    found = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.([0-9]{1,4})\.([A-Z]{3})", text)
    if found is None:
        return None
    try:
        return ItemPosition(date.fromisoformat(found[1]), int(found[2]), found[3])
    except ValueError:
        return None


urlpatterns = [
    path(
        "<int:merchant_id>/settlements/",
        for_members(Ability.SEE_BALANCES)(settlement_list),
        name="settlements",
    ),
    path(
        "<int:merchant_id>/settlements/<int:item_id>",
        for_members(Ability.SEE_BALANCES)(settlement_detail),
        name="settlement",
    ),
]

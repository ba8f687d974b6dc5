"""The first page of the portal: how much, of which kind, and when it arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from foundation import clock
from foundation.money import Money
from ledger.selectors import balance as balances
from merchants.models import Ability, Capability, Merchant
from merchants.portal.access import MemberRequest, for_members
from settlement.models import Item
from settlement.selectors import arrival as arrivals
from settlement.selectors import withdrawal as withdrawals
from settlement.selectors.arrival import Arrival
from settlement.services.payee import PAYABLE

_KINDS: Final = ("merchant_available", "merchant_pending", "merchant_reserve", "merchant_debt")


@dataclass(slots=True)
class Position:
    """Where a merchant's money of one currency is."""

    currency: str
    available: Money  # free to withdraw
    held: Money  # reserved for withdrawals that are on their way
    pending: Money
    settling: Money  # the part of pending that a settlement has frozen
    reserve: Money
    debt: Money
    arrivals: list[Arrival] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


@require_safe
def home(request: MemberRequest) -> HttpResponseBase:
    """Show every balance with its meaning, and the next days on which money becomes available."""
    if not request.member.opens_money:  # a technical service (MOD-1)
        return render(request, "portal/settlement/technical.html")
    merchant_id = request.member.merchant_id
    today = clock.business_date(clock.now())
    positions = _positions(merchant_id)
    coming = arrivals.upcoming(
        merchant_id=merchant_id,
        today=today,
        frozen=request.member.merchant.status == Merchant.Status.FROZEN,
    )
    for item in arrivals.in_settlement(merchant_id=merchant_id):
        positions[item.currency].items.append(item)
    for currency, position in positions.items():
        position.arrivals = coming.get(currency, [])
    context = {
        "positions": list(positions.values()),
        "payable": request.member.merchant.status in PAYABLE
        and request.member.allows(Capability.WITHDRAW),
        "today": today,
        "withdrawals": withdrawals.of_merchant(merchant_id=merchant_id)[:5],
    }
    return render(request, "portal/settlement/home.html", context)


def _positions(merchant_id: int) -> dict[str, Position]:
    """Return the position in each currency the merchant ever had money in."""
    found: dict[str, Position] = {}
    for account in balances.of_kinds(merchant_id=merchant_id, kinds=_KINDS):
        currency = account.total.currency
        nothing = Money(0, currency)
        position = found.setdefault(
            currency, Position(currency, nothing, nothing, nothing, nothing, nothing, nothing)
        )
        match account.kind:
            case "merchant_available":
                position.available, position.held = account.free, account.held
            case "merchant_pending":
                position.pending, position.settling = account.total, account.held
            case "merchant_reserve":
                position.reserve = account.total
            case "merchant_debt":
                position.debt = account.total
    return found


urlpatterns = [path("<int:merchant_id>/", for_members(Ability.SEE_BALANCES)(home), name="home")]

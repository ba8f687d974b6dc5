"""Withdrawals of a merchant: the list, one with its timeline, cancelling."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from config.errors import DomainError
from foundation import clock
from merchants.models import Ability, Capability
from merchants.portal.access import MemberRequest, for_members
from settlement.models import Withdrawal
from settlement.portal.withdrawal_form import ask
from settlement.selectors import withdrawal as selectors
from settlement.services import withdrawal as withdrawals
from settlement.services.payee import PAYABLE

PAGE: Final = 50
Status = Withdrawal.Status
_CANCELLABLE: Final = (Status.REVIEW, Status.HELD)


@require_safe
def withdrawal_list(request: MemberRequest) -> HttpResponseBase:
    """Show the withdrawals, latest first."""
    found = list(
        selectors.older(
            merchant_id=request.member.merchant_id,
            below=_position(request.GET.get("below", "")),
        )[: PAGE + 1]
    )
    shown, older = found[:PAGE], ""
    if len(found) > PAGE:
        last = shown[-1]
        older = f"{round(last.requested_at.timestamp() * 1_000_000)}.{last.id}"
    context = {
        "withdrawals": shown,
        "older": older,
        "first_page": "below" not in request.GET,
        "payable": request.member.merchant.status in PAYABLE
        and request.member.allows(Capability.WITHDRAW),
    }
    return render(request, "portal/settlement/withdrawal_list.html", context)


@require_safe
def withdrawal_detail(request: MemberRequest, *, number: str) -> HttpResponseBase:
    """Show one withdrawal: amounts, payee, and every state it went through."""
    withdrawal = _mine(request, number)
    steps = list(
        withdrawal.transitions.filter(merchant_id=withdrawal.merchant_id).order_by("sequence")
    )
    context = {
        "withdrawal": withdrawal,
        "steps": steps,
        "cancellable": request.member.may_withdraw and withdrawal.status in _CANCELLABLE,
    }
    return render(request, "portal/settlement/withdrawal_detail.html", context)


@require_POST
def cancel(request: MemberRequest, *, number: str) -> HttpResponseBase:
    """Take a withdrawal back while nothing was sent."""
    withdrawal = _mine(request, number)
    try:
        withdrawals.cancel(**withdrawal.key, at=clock.now())
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The withdrawal is cancelled; the money is available again."))
    return redirect("portal:withdrawal", request.member.merchant_id, number)


def _mine(request: MemberRequest, number: str) -> Withdrawal:
    found = selectors.numbered(merchant_id=request.member.merchant_id, number=number)
    if found is None:
        raise Http404
    return found


def _position(text: str) -> tuple[datetime, int] | None:
    """Read a cursor of the address (microseconds since 1970, id); anything else is the top."""
    found = re.fullmatch(r"([0-9]{1,16})\.([0-9]{1,18})", text)
    if found is None:
        return None
    seconds, micro = divmod(int(found[1]), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro), int(found[2])


urlpatterns = [
    path(
        "<int:merchant_id>/withdrawals/",
        for_members(Ability.SEE_BALANCES)(withdrawal_list),
        name="withdrawals",
    ),
    path("<int:merchant_id>/withdrawals/new", for_members(Ability.WITHDRAW)(ask), name="withdraw"),
    path(
        "<int:merchant_id>/withdrawals/<slug:number>",
        for_members(Ability.SEE_BALANCES)(withdrawal_detail),
        name="withdrawal",
    ),
    path(
        "<int:merchant_id>/withdrawals/<slug:number>/cancel",
        for_members(Ability.WITHDRAW)(cancel),
        name="withdrawal_cancel",
    ),
]

"""The start of the portal: which merchant."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_safe

from foundation.portal.page import page
from merchants.models import Ability
from merchants.portal.access import portal_user, to_sign_in
from merchants.selectors import membership as memberships


@page
@require_safe
def start(request: HttpRequest) -> HttpResponseBase:
    """Go to the one merchant the person belongs to, or let him choose among several."""
    user = portal_user(request)
    if user is None:
        return to_sign_in(request)
    mine = list(memberships.of_user(user=user)[:200])
    can_look = [own for own in mine if Ability.SEE_BALANCES in own.abilities]
    if len(mine) == 1 and can_look:
        return redirect("portal:home", merchant_id=mine[0].merchant_id)
    context = {"memberships": mine, "readable": {own.merchant_id for own in can_look}}
    return render(request, "portal/merchants/choose.html", context)


urlpatterns = [path("", start, name="start")]

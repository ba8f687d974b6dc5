"""A merchant's papers: what is due, by when, why, and what follows."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from foundation import clock
from merchants.models import Ability
from merchants.portal.access import MemberRequest, for_members
from merchants.selectors import paper as papers


@require_safe
def paper_list(request: MemberRequest) -> HttpResponseBase:
    """Show every paper the merchant stands on, the next end first."""
    today = clock.business_date(clock.now())
    found = papers.standings(merchant_id=request.member.merchant_id, on=today, told=True)
    return render(request, "portal/merchants/papers.html", {"standings": found})


urlpatterns = [
    path("<int:merchant_id>/papers", for_members(*Ability)(paper_list), name="papers"),
]

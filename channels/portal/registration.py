"""Where the registrations of a merchant with channels stand, as the merchant reads it (A3)."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from channels.selectors import registration as registrations
from merchants.models import Ability
from merchants.portal.access import MemberRequest, for_members

PAGE = 50


@require_safe
def registration_list(request: MemberRequest) -> HttpResponseBase:
    """Show them, the latest first, with what channels said. Rule: REG-11."""
    asked = request.GET.get("below", "")
    found = registrations.told(
        merchant_id=request.member.merchant_id,
        below=int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None,
        limit=PAGE + 1,
    )
    context = {
        "registrations": found[:PAGE],
        "older": found[PAGE - 1].id if len(found) > PAGE else "",
        "first_page": not asked,
    }
    return render(request, "portal/channels/registration_list.html", context)


urlpatterns = [
    path(
        "<int:merchant_id>/registrations/",
        for_members(*Ability)(registration_list),
        name="registrations",
    ),
]

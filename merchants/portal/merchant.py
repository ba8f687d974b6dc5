"""A merchant's own details: what is in force, and the change of it that is under way."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from merchants.models import Ability, MerchantContact, ProductGate
from merchants.portal.access import MemberRequest, for_members
from merchants.selectors import application as applications
from merchants.selectors import application_change as changes


@require_safe
def details(request: MemberRequest) -> HttpResponseBase:
    """
    Show what was agreed and holds now, and how far a change of it is; people of the merchant, with
    their numbers masked, to owners alone. Rule: APP-23 (docs/rules/applications.md).
    """
    merchant = request.member.merchant
    holds, change = applications.of_merchant(merchant), changes.open_change(merchant)
    context = {
        "holds": holds,
        "products": ProductGate.objects.filter(code__in=holds.products if holds else ()),
        "owners": holds.owners.order_by("line_no") if holds else (),
        "contacts": MerchantContact.objects.filter(merchant=merchant, active=True)
        .defer("phone")
        .order_by("role", "name"),
        "change": change,
        "names": "",
        "may_manage": request.member.may(Ability.MANAGE),
        "has_accounts": request.member.opens("portal:bank_accounts"),
    }
    if change is not None and change.state != change.State.DRAFT:
        context["names"] = str(changes.Names(applications.whole(change)))
    return render(request, "portal/merchants/merchant.html", context)


urlpatterns = [
    path("<int:merchant_id>/details", for_members(*Ability)(details), name="details"),
]

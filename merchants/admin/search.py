"""Merchants, agents and applications by the beginning of their number, for `Find by number`."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from foundation.models import User
from foundation.registries import SEARCH_MOST, SearchHit
from merchants.models import Agent, Application, Merchant
from merchants.selectors.application import house_id


def find_applications(*, text: str, user: User) -> Iterable[SearchHit]:
    """Yield applications whose number begins so."""
    if not user.has_perm("merchants.view_application"):
        return
    known = Application.objects.filter(merchant_id=house_id(), number__startswith=text)
    for application in known.defer("account_number").order_by("number")[:SEARCH_MOST]:
        address = reverse("admin:merchants_application_change", args=[application.pk])
        yield SearchHit(pgettext("merchant", "application"), str(application), address)


def find_agents(*, text: str, user: User) -> Iterable[SearchHit]:
    """Yield agents whose number begins so."""
    if not user.has_perm("merchants.view_agent"):
        return
    for agent in Agent.objects.filter(number__startswith=text).order_by("number")[:SEARCH_MOST]:
        address = reverse("admin:merchants_agent_change", args=[agent.pk])
        yield SearchHit(pgettext("kind of agent", "agent"), str(agent), address)


def find(*, text: str, user: User) -> Iterable[SearchHit]:
    """Yield merchants whose number begins so."""
    if not user.has_perm("merchants.view_merchant"):
        return
    known = Merchant.objects.filter(merchant_no__startswith=text).order_by("merchant_no")
    for merchant in known[:SEARCH_MOST]:
        address = reverse("admin:merchants_merchant_change", args=[merchant.pk])
        yield SearchHit(_("merchant"), str(merchant), address)

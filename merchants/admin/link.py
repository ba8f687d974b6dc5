"""Links 关联: who shares persons, browsers and networks with a merchant or an application."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from foundation import clock
from foundation.selectors import sign_in_trace as traces
from merchants.models import Application, Merchant
from merchants.selectors.link import CROWD, Kind, Link, Links
from merchants.services import link as links

PAGE: Final = "merchants_links"
RIGHT: Final = "merchants.view_link"
_WHOLE: Final = "foundation.view_signin"  # who reads sign-ins anyway sees networks as they are


@require_safe
def page(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Show what links one merchant with others. Rule: LNK-6 (docs/rules/links.md)."""
    merchant = Merchant.objects.filter(pk=merchant_id, kind=Merchant.Kind.MERCHANT).first()
    if merchant is None:
        raise Http404
    found = links.look_merchant(merchant=merchant, at=clock.now())
    context = {
        **admin.site.each_context(request),
        "title": _("Links of %(merchant)s") % {"merchant": merchant},
        "merchant": merchant,
        **_shown(request, found),
    }
    return TemplateResponse(request, "admin/links.html", context)


def of_application(request: HttpRequest, application: Application, at: datetime) -> dict[str, Any]:
    """Return what the reviewer's page shows; nothing to who may not see links."""
    if not request.user.has_perm(RIGHT):
        return {}
    return _shown(request, links.look_application(application=application, at=at))


def _shown(request: HttpRequest, found: Links) -> dict[str, Any]:
    return {
        "links_seen": True,
        "links": list(_lines(request, found)),
        "ours": found.ours,
        "crowds": found.crowds,
        "days": traces.WINDOW.days,
        "crowd": CROWD,
        "people": traces.PEOPLE,
    }


def _lines(request: HttpRequest, found: Links) -> Iterator[tuple[Link, str]]:
    whole = request.user.has_perm(_WHOLE)
    for one in found.found:
        hidden = one.kind == Kind.NETWORK and not whole
        yield one, masked(one.name) if hidden else one.name


def masked(network: str) -> str:
    """Return so much of a network that two can be told apart at a glance, and none be found."""
    if ":" in network:
        return f"{network.partition(':')[0]}:*"
    return re.sub(r"^(\d+\.\d+)\..*$", r"\1.*.*", network)


def fill(site: Any = admin.site) -> None:
    """Give the page its address in the admin."""
    site.add_page("merchants/merchant/<int:merchant_id>/links", page, PAGE)

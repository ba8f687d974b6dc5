"""Changing or reviewing a merchant that is there: buttons on its page, links to the forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from foundation.admin.readonly import Step
from foundation.admin.related import Link
from foundation.models import User
from merchants.models import Application, Merchant
from merchants.models.application import OPEN
from merchants.selectors import application as applications
from merchants.selectors import application_change as selectors
from merchants.services import application_change as changes

RIGHT: Final = "merchants.add_application"
_SEE: Final = "merchants.view_application"
_NAMES: Final = (  # fields of the proposals
    gettext_noop("merchant no"),
    gettext_noop("falls away"),
    gettext_noop("portal owner"),
    gettext_noop("accounts in the former name"),
    gettext_noop("does not fit any more"),
    gettext_noop("owners"),
    gettext_noop("sites"),
    gettext_noop("application id"),
    gettext_noop("content sha256"),
)


def links(request: HttpRequest, row: Merchant) -> list[Link]:
    """Lead to the change that is under way and to the application in force."""
    if not request.user.has_perm(_SEE):
        return []
    found = []
    change = selectors.open_change(row)
    if change is not None:
        said = _("%(kind)s under way: %(number)s") % {
            "kind": change.get_kind_display(),
            "number": change.number,
        }
        found.append(Link(said, _address(request, change)))
    in_force = applications.of_merchant(row)
    if in_force is not None:
        address = reverse("admin:merchants_application_change", args=[in_force.pk])
        found.append(Link(in_force.number, address))
    return found


def _address(request: HttpRequest, change: Application) -> str:
    """Return the form while it is open and the reader fills it in, else the page."""
    to_fill = change.state in OPEN and request.user.has_perm("merchants.change_application")
    name = "application_form" if to_fill else "merchants_application_change"
    return reverse(f"admin:{name}", args=[change.pk])


def _onward(request: HttpRequest, row: Merchant) -> str:
    change = selectors.open_change(row)
    if change is None:
        return reverse("admin:merchants_merchant_change", args=[row.pk])
    return _address(request, change)


def _begin(kind: str, told: str | Promise) -> Callable[[HttpRequest, Any, str, datetime], str]:
    def run(request: HttpRequest, row: Merchant, reason: str, at: datetime) -> str:
        made = changes.begin(merchant_id=row.pk, kind=kind, maker=cast(User, request.user), at=at)
        return str(told) % {"number": made.number}

    return run


def _open_to(row: Merchant) -> bool:
    return (
        row.kind == Merchant.Kind.MERCHANT
        and row.status in selectors.CHANGEABLE
        and selectors.open_change(row) is None
    )


STEPS: Final = (
    Step(
        "change_data",
        gettext_lazy("Change data"),
        _begin("CHANGE", gettext_lazy("%(number)s begins with what is in force; change it here.")),
        open_to=_open_to,
        permission=RIGHT,
        onward=_onward,
    ),
    Step(
        "re_review",
        gettext_lazy("Review again"),
        _begin("REVIEW", gettext_lazy("%(number)s begins with what is in force; check it here.")),
        open_to=_open_to,
        permission=RIGHT,
        onward=_onward,
    ),
)

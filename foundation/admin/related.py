"""Links from a row's page to the lists in which what belongs to it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode

from foundation import roles

MERCHANT: Final = "merchant_no"  # the parameter of the filter by merchant


@dataclass(frozen=True, slots=True)
class Related:
    """A list and the query that leads to a row's part of it."""

    url_name: str  # in the admin
    label: str | Promise
    query: Callable[[Any], Mapping[str, str | int]]
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the page shows it."""

    label: str
    url: str


def links(request: HttpRequest, row: Any, related: Iterable[Related]) -> list[Link]:
    """Return the links that the reader may follow."""
    return [
        Link(str(one.label), f"{reverse(f'admin:{one.url_name}')}?{urlencode(one.query(row))}")
        for one in related
        if not one.permission or request.user.has_perm(one.permission)
    ]


def page(request: HttpRequest, name: str, key: Any, label: str | Promise) -> list[Link]:
    """Return the link to a row's page that belongs to no table; none where he may not read it."""
    right = roles.PAGES.get(name)
    if right is None or (right and not request.user.has_perm(right)):
        return []
    return [Link(str(label), reverse(f"admin:{name}", args=[key]))]


def of_merchant(
    request: HttpRequest, merchant_no: str, opens: Callable[[str], bool] = lambda label: True
) -> list[Link]:
    """
    Return a link to every list that can be read by merchant, in the order of the menu; `opens`
    says of a list ("package.model") whether it appears for this merchant.
    """
    found: list[Link] = []
    for model, screen in admin.site._registry.items():
        names = model._meta
        parameters = {getattr(spec, "parameter_name", "") for spec in screen.list_filter}
        if not opens(names.label_lower):
            continue
        if MERCHANT in parameters and screen.has_view_permission(request):
            address = reverse(f"admin:{names.app_label}_{names.model_name}_changelist")
            query = urlencode({MERCHANT: merchant_no})
            found.append(Link(str(names.verbose_name_plural), f"{address}?{query}"))
    return found

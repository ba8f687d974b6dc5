"""Tags with which pages show money, days and menus. They format; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from foundation import registries
from foundation.money import Money
from foundation.registries import MenuEntry

register = template.Library()

_TONES: Final = {
    **dict.fromkeys(("PAID", "POSTED", "CLOSED"), "good"),
    **dict.fromkeys(("FAILED", "REJECTED", "EXPIRED", "RETURNED", "DISPUTED", "HELD_BACK"), "bad"),
    "CANCELLED": "none",
}


@register.inclusion_tag("components/_money.html")
def money(amount: Money, *, signed: bool = False) -> dict[str, Any]:
    """Show an amount in major units, grouped by thousands; `signed` puts a plus before a credit."""
    return {
        "text": grouped(amount.major),
        "currency": amount.currency,
        "negative": amount.minor < 0,
        "plus": signed and amount.minor > 0,
    }


@register.inclusion_tag("components/_state.html")
def state(code: str, label: str) -> dict[str, str]:
    """Show a state with the colour of good, bad or still waiting news."""
    return {"tone": _TONES.get(code, "wait"), "label": label}


@register.simple_tag
def money_of(minor: int, currency: str) -> Money:
    """Name the amount that two columns of a row make."""
    return Money(minor, currency)


@register.simple_tag(takes_context=True)
def portal_menu(context: dict[str, Any]) -> list[MenuEntry]:
    """Return the menu of who reads: what role and contract include, entries of a group last."""
    member = getattr(context.get("request"), "member", None)
    if not isinstance(context.get("request"), HttpRequest) or member is None:
        return []
    mine = [
        entry
        for entry in registries.menu_entries
        if entry.door == "portal" and member.may(entry.permission) and member.opens(entry.url_name)
    ]
    return sorted(mine, key=lambda entry: bool(entry.group))


@register.simple_tag(takes_context=True)
def querystring_of(
    context: dict[str, Any], url_name: str, query: Mapping[str, str], **more: str
) -> str:
    """Return the address of a page of the same merchant with a query."""
    url = reverse(url_name, args=[context["request"].member.merchant_id])
    return f"{url}?{urlencode({**query, **more})}"


def grouped(major: str) -> str:
    """
    Put a comma between thousands of a plain decimal text: `-1234567.50` is `-1,234,567.50`.
    """
    whole, dot, part = major.removeprefix("-").partition(".")
    return ("-" if major.startswith("-") else "") + f"{int(whole):,}" + dot + part

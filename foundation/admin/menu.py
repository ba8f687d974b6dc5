"""The admin's menu, built from what the packages registered, and foundation's own part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from foundation import registries
from foundation.registries import MenuEntry

Line = tuple[str, str | Promise, str, str]  # url name in the admin, title, icon, permission


def register(group: str | Promise, lines: Iterable[Line]) -> None:
    """Put a group of lines into the admin's menu; a line is shown to who holds its permission."""
    for url_name, title, icon, permission in lines:
        entry = MenuEntry("admin", title, f"admin:{url_name}", permission, icon, group)
        registries.menu_entries.register(entry.url_name, entry)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu as the theme wants it: groups in the order in which they were registered."""
    groups: dict[str, list[dict[str, Any]]] = {"": [_overview()]}
    links = {one.url_name: reverse(one.url_name) for one in _entries()}
    here = _nearest(request, links)
    for entry in _entries():
        groups.setdefault(str(entry.group), []).append(
            {
                "title": entry.title,
                "icon": entry.icon,
                "link": links[entry.url_name],
                "active": entry.url_name == here,
                "permission": _holder(entry.permission),
            }
        )
    top, *floors = groups.items()  # what staff work with most stands on the upper floors
    return [
        {"title": title, "separator": bool(title), "items": items}
        for title, items in (top, *reversed(floors))
    ]


def _entries() -> list[MenuEntry]:
    return [entry for entry in registries.menu_entries if entry.door == "admin"]


def _nearest(request: HttpRequest, links: Mapping[str, str]) -> str:
    """Return the line of the page asked for: of several above it, the one nearest to it."""
    asked = f"{request.path.rstrip('/')}/"
    above = [name for name, path in links.items() if asked.startswith(f"{path.rstrip('/')}/")]
    return max(above, key=lambda name: len(links[name]), default="")


def _overview() -> dict[str, Any]:
    return {
        "title": _("Work overview"),
        "icon": "checklist",
        "link": reverse("admin:index"),
        "permission": _holder(""),
    }


def _holder(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: not permission or request.user.has_perm(permission)


def fill() -> None:
    """Register foundation's screens, lines of the menu and queues. Called by `ready()`."""
    from foundation.admin import (
        act,
        approval,
        approval_policy,
        audit,
        business_day,
        delegation,
        file_export,
        file_import,
        job,
        matrix,
        outbox,
        sample,
        search,
        sign_in,
        staff_account,
        staff_role,
        user,
        work_items,
    )

    registries.name_acts(act.ACTS)
    admin.site.add_page("find/", search.page, "find")  # type: ignore[attr-defined]
    admin.site.add_page("approval-tier/", approval_policy.tier_page, "foundation_tier")  # type: ignore[attr-defined]
    admin.site.add_page("lend/", delegation.lend_page, "foundation_lend")  # type: ignore[attr-defined]
    staff_account.fill()
    staff_role.fill()
    file_import.fill()
    file_export.fill()
    register("", [*approval.MENU, *search.MENU])
    nouns = (
        audit,
        sample,
        business_day,
        file_import,
        file_export,
        job,
        outbox,
        user,
        matrix,
        staff_role,
        sign_in,
        approval_policy,
        delegation,
    )
    register(_("Foundation"), [line for noun in nouns for line in noun.MENU])
    admin.site.add_page("rights/", matrix.page, "foundation_matrix")  # type: ignore[attr-defined]
    admin.site.add_page("sample/", sample.page, "foundation_sample")  # type: ignore[attr-defined]
    registries.sample_sources.register("approvals", sample.APPROVALS)
    registries.work_items.register("foundation.approvals", work_items.approvals)
    registries.work_items.register("foundation.outbox", work_items.outbox)
    registries.work_items.register("foundation.outbox_failing", work_items.failing)

"""The work overview: what needs a person, and the figures that packages offer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.http import HttpRequest
from django.utils.timesince import timesince

from foundation import clock, registries
from foundation.admin.columns import grouped
from foundation.models import User


@dataclass(frozen=True, slots=True)
class Queue:
    """A work item as the overview shows it."""

    title: str
    count: str
    age: str
    money: tuple[str, ...]
    url: str
    oldest_at: datetime | None
    note: str
    urgent: bool


def context(request: HttpRequest) -> dict[str, Any]:
    """Return the queues with something in them, oldest first, and every panel of figures."""
    at, user = clock.now(), cast(User, request.user)
    found = [
        item
        for source in registries.work_items
        for item in source(user)
        if item.count and _may(user, item.permission)
    ]
    found.sort(key=lambda item: (not item.urgent, item.oldest_at or at))
    queues = [
        Queue(
            title=item.title,
            count=f"{item.count:,}",
            age=timesince(item.oldest_at, at) if item.oldest_at else "",
            money=tuple(grouped(amount) for amount in item.at_stake),
            url=item.url,
            oldest_at=item.oldest_at,
            note=item.note,
            urgent=item.urgent,
        )
        for item in found
    ]
    panels = [panel(at) for panel in registries.overview_panels]
    panels = [panel for panel in panels if _may(user, panel.permission)]
    return {"work": queues, "panels": panels}


def _may(user: User, permission: str) -> bool:
    return not permission or user.has_perm(permission)

"""Reads of the outbox that screens and commands share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from foundation import sql
from foundation.models import OutboxMessage

FAILING_TRIES: Final = 3  # one hiccup passes by itself; after the third try somebody should look
FAILING: Final = Q(state__in=["PENDING", "SENT"], tries__gte=FAILING_TRIES)

_FIELDS = (
    "id", "merchant_id", "kind", "key", "payload", "state", "tries", "next_try_at", "created_at",
    "owner", "reason", "request_id",
)  # fmt: skip


def waiting(*, state: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Return the oldest messages that are not done, or those of one state, at most `limit`."""
    found = OutboxMessage.objects.order_by("id")
    found = found.filter(state=state) if state else found.exclude(state=OutboxMessage.State.DONE)
    return list(found.values(*_FIELDS)[:limit])


def oldest_waiting_at() -> datetime | None:
    """
    Return since when the oldest unsent message waits: the outbox's age, for alarms and the close of
    the day.
    """
    oldest = OutboxMessage.objects.filter(state=OutboxMessage.State.PENDING).order_by("created_at")
    return oldest.values_list("created_at", flat=True).first()


@dataclass(frozen=True, slots=True)
class Failing:
    """Messages tried again and again: how many, since when, and how many by kind of error."""

    count: int
    oldest_at: datetime
    errors: dict[str, int]


def failing() -> Failing | None:
    """
    Return what keeps failing and is not parked yet, None when nothing does; the commonest error
    first, "" where a message was sent and nobody ever confirmed it. Rule: OB-9.
    """
    found = sql.rows(
        "SELECT coalesce(substring(reason FROM '^[A-Za-z_][A-Za-z0-9_.]*'), '') AS error,"
        " count(*) AS many, min(created_at) AS oldest FROM public.foundation_outbox"
        " WHERE state IN ('PENDING', 'SENT') AND tries >= %s GROUP BY 1 ORDER BY 2 DESC, 1",
        [FAILING_TRIES],
    )
    if not found:
        return None
    return Failing(
        count=sum(row["many"] for row in found),
        oldest_at=min(row["oldest"] for row in found),
        errors={row["error"]: row["many"] for row in found},
    )

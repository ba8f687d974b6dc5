"""Reads of the outbox that screens and commands share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from foundation.models import OutboxMessage

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

"""Holds: reserve, give back, take. Capturing is a posting that names the hold."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from foundation import actor, sql
from ledger import errors
from ledger.models import Hold


def open_hold(
    *,
    merchant_id: int,
    account_id: int,
    operation: str,
    amount_minor: int,
    source_kind: str,
    source_id: str,
    expires_at: datetime | None = None,
    reason: str = "",
) -> int:
    """
    Reserve part of an account for one later operation, or find the hold this cause opened.

    Raises: InsufficientAvailableBalance; AbilityRefused when the account may never do that;
            HoldConflict if this cause opened another hold before; AccountNotInBook.
    Rule:   LG-6 (docs/rules/ledger.md).
    """
    by = actor.current()
    with errors.named():
        hold_id = sql.call(
            "SELECT ledger_hold_open(%s, %s, %s, %s, %s, %s, %s::timestamptz, %s, %s, %s)",
            [
                merchant_id,
                account_id,
                operation,
                amount_minor,
                source_kind,
                source_id,
                expires_at,
                reason,
                by.name,
                by.request_id,
            ],
        )
    return int(hold_id)


def release(*, merchant_id: int, hold_id: int) -> bool:
    """
    Give a hold back; False when it was given back before.

    Raises: HoldResolved when it was captured.
    """
    by = actor.current()
    with errors.named():
        released = sql.call(
            "SELECT ledger_hold_release(%s, %s, %s, %s)",
            [merchant_id, hold_id, by.name, by.request_id],
        )
    return bool(released)


def open_bulk(*, call_id: uuid.UUID) -> int:
    """
    Open every hold that lies in `ledger_intake_hold` under `call_id`; return how many are new.

    Raises: as `open_hold`; nothing is opened then.
    """
    by = actor.current()
    with errors.named():
        opened = sql.call(
            "SELECT ledger_hold_open_bulk(%s, %s, %s)", [call_id, by.name, by.request_id]
        )
    return int(opened)


def release_bulk(*, hold_ids: Sequence[int]) -> int:
    """Give many holds back; return how many were open. Raises HoldResolved if one was captured."""
    by = actor.current()
    with errors.named():
        released = sql.call(
            "SELECT ledger_hold_release_bulk(%s::bigint[], %s, %s)",
            [list(hold_ids), by.name, by.request_id],
        )
    return int(released)


def release_expired(*, at: datetime, limit: int = 1000) -> int:
    """
    Give back open holds whose end has passed, oldest first, at most `limit`; return how many.

    Rule: LG-7: every hold has an owner and may have an end (docs/rules/ledger.md).
    """
    due = (
        Hold.objects.filter(state=Hold.State.OPEN, expires_at__isnull=False, expires_at__lte=at)
        .order_by("expires_at")
        .values_list("merchant_id", "id")[:limit]
    )
    return sum(_release_unless_captured(merchant_id, hold_id) for merchant_id, hold_id in due)


def _release_unless_captured(merchant_id: int, hold_id: int) -> bool:
    """Give a hold back; False when it was resolved since it was found."""
    try:
        with transaction.atomic():
            return release(merchant_id=merchant_id, hold_id=hold_id)
    except errors.HoldResolved:
        return False

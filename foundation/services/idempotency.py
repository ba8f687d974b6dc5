"""
Idempotency of our API: one effect per key, the same bytes for every repetition.

The caller's order (docs/rules/idempotency.md): validate, `begin`, do the work and `complete` in the
same transaction, answer. When the work has several transactions, each one ends with `reached`, and
whoever takes over reads `Began.recovery_point` and goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed
from foundation import actor, canonical, sql
from foundation.models import IdempotencyKey

STARTED: Final = "STARTED"  # the first recovery point: the key is taken, nothing else has happened
LEASE_SECONDS: Final = 60
KEEP_HOURS: Final = 48  # at least 24 are promised


class KeyMissing(Malformed):
    """The request changes something and carries no Idempotency-Key."""

    code = "idempotency_key_missing"


class KeyMalformed(Malformed):
    """The Idempotency-Key is not 1 to 255 visible ASCII characters."""

    code = "idempotency_key_malformed"


class KeyReused(DomainError):
    """The key was used for another body (answer 422)."""

    code = "idempotency_key_reused"
    http_status = 422


class RequestInFlight(DomainError):
    """The first request under this key is not answered yet (answer 409 with Retry-After)."""

    code = "request_in_flight"


class ClaimLost(DomainError):
    """Another process took the key over: nothing of this transaction may stay."""

    code = "idempotency_claim_lost"


@dataclass(frozen=True, slots=True)
class Began:
    """The key is ours. With `taken_over`, continue after `recovery_point`; never start again."""

    merchant_id: int
    id: int
    fence: int
    recovery_point: str = STARTED
    recovery_data: dict[str, Any] = field(default_factory=dict)
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class Replay:
    """The stored answer, to be sent again byte for byte with `Idempotency-Replayed: true`."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class InFlight:
    """Somebody works on it: 409 with `Retry-After: retry_after_seconds`."""

    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key belongs to another body: 422."""


def require_key(text: str | None) -> str:
    """Return the header's value. Raises KeyMissing, KeyMalformed. Rule: IK-1."""
    if not text:
        raise KeyMissing(_("The Idempotency-Key header is required."))
    if len(text) > 255 or not all("!" <= letter <= "~" for letter in text):
        raise KeyMalformed(_("The Idempotency-Key must be 1 to 255 visible ASCII characters."))
    return text


def fingerprint(body: Any) -> bytes:
    """
    Return the SHA-256 of the canonical body: order of names and blanks do not count. Rule: IK-2.
    """
    return canonical.sha256(body)


def begin(
    *,
    merchant_id: int,
    method: str,
    path: str,
    key: str,
    fingerprint: bytes,
    at: datetime,
    lease_seconds: int = LEASE_SECONDS,
) -> Began | Replay | InFlight | Conflict:
    """
    Take the key, or say what is known about it. The INSERT decides the race.

    It commits by itself, so that the others see it: call it outside of the work's transaction.
    Rule: IK-3 to IK-5 (docs/rules/idempotency.md).
    """
    who = actor.current()
    scope = {"merchant_id": merchant_id, "method": method, "path": path, "key": key}
    until = at + timedelta(seconds=lease_seconds)
    claim = scope | {"fingerprint": fingerprint, "at": at, "until": until}
    claim |= {"actor": who.name, "request_id": who.request_id}
    with transaction.atomic(durable=True):
        while True:
            inserted = sql.rows(sql.load("foundation", "idempotency_begin"), claim)
            if inserted:
                return Began(merchant_id, inserted[0]["id"], inserted[0]["fence"])
            found = IdempotencyKey.objects.select_for_update().filter(**scope).first()
            if found is not None:  # else it was given back this very moment: try to take it again
                return _what_is_known(found, fingerprint, at, until)


def lock(began: Began) -> None:
    """
    Lock the key first in the work's transaction, before any business row: nobody takes over now.

    Raises ClaimLost. Rule: money-safety section 4 (order of locks).
    """
    if not sql.rows(
        "SELECT id FROM public.foundation_idempotency WHERE merchant_id = %s AND id = %s"
        " AND fence = %s AND state = 'IN_FLIGHT' FOR UPDATE",
        [began.merchant_id, began.id, began.fence],
    ):
        raise _lost()


def reached(began: Began, *, point: str, data: Mapping[str, Any], until: datetime) -> None:
    """
    Note, inside the step's own transaction, that the step is done; `data` holds ids only.

    Raises ClaimLost: then the step must be rolled back. Rule: IK-5.
    """
    _write(
        began,
        "recovery_point = %(point)s, recovery_data = %(data)s::jsonb,"
        " lease_expires_at = greatest(lease_expires_at, %(until)s)",
        {"point": point, "data": json.dumps(dict(data)), "until": until},
    )


def complete(
    began: Began,
    *,
    status: int,
    body: bytes,
    at: datetime,
    content_type: str = "application/json",
) -> None:
    """
    Store the settled answer, in the transaction of the last effect.

    Raises ClaimLost: then that effect must be rolled back. Rule: IK-4.
    """
    _write(
        began,
        "state = 'ANSWERED', answer_status = %(status)s, answer_type = %(type)s,"
        " answer_body = %(body)s, answered_at = %(at)s",
        {"status": status, "type": content_type, "body": body, "at": at},
    )


def abandon(began: Began) -> None:
    """
    Give the key back: the request was refused before any effect, so the refusal is not stored.

    Only at the first recovery point; later it raises ClaimLost. Rule: IK-4.
    """
    if not sql.execute(
        "DELETE FROM public.foundation_idempotency WHERE merchant_id = %s AND id = %s"
        " AND fence = %s AND state = 'IN_FLIGHT' AND recovery_point = %s",
        [began.merchant_id, began.id, began.fence, STARTED],
    ):
        raise _lost()


def purge(*, at: datetime, keep_hours: int = KEEP_HOURS) -> int:
    """
    Forget keys older than `keep_hours` whose lease has ended; return how many.

    Raises ValueError below the promised 24 hours. Rule: IK-6.
    """
    if keep_hours < 24:
        raise ValueError("keys live at least 24 hours")
    return sql.execute(
        "DELETE FROM public.foundation_idempotency WHERE created_at < %(oldest)s"
        " AND (state = 'ANSWERED' OR lease_expires_at < %(oldest)s)",
        {"oldest": at - timedelta(hours=keep_hours)},
    )


def _what_is_known(
    found: IdempotencyKey, asked: bytes, at: datetime, until: datetime
) -> Began | Replay | InFlight | Conflict:
    if bytes(found.fingerprint) != asked:
        return Conflict()
    if found.answer_status is not None and found.answer_body is not None:
        return Replay(found.answer_status, found.answer_type, bytes(found.answer_body))
    if found.lease_expires_at > at:
        left = (found.lease_expires_at - at).total_seconds()
        return InFlight(max(1, min(round(left), 5)))
    found.fence += 1
    found.lease_expires_at = until
    found.save(update_fields=["fence", "lease_expires_at"])
    return Began(
        found.merchant_id, found.id, found.fence, found.recovery_point, found.recovery_data, True
    )


def _write(began: Began, change: str, values: dict[str, object]) -> None:
    if not sql.execute(
        f"UPDATE public.foundation_idempotency SET {change} WHERE merchant_id = %(merchant_id)s"
        " AND id = %(id)s AND fence = %(fence)s AND state = 'IN_FLIGHT'",
        {"merchant_id": began.merchant_id, "id": began.id, "fence": began.fence, **values},
    ):
        raise _lost()


def _lost() -> ClaimLost:
    return ClaimLost(_("This request was taken over; its answer comes from elsewhere."))

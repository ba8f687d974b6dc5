"""The audit trail: one line for each act that somebody may ask about later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from foundation import actor, canonical
from foundation.models import AuditEvent


def record(
    *,
    merchant_id: int,
    action: str,
    object_kind: str,
    object_id: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    note: str = "",
) -> None:
    """
    Record that the present actor did `action` (a verb, "bank_account.verify") to one object.

    Call it in the transaction of the act. Never pass card numbers, secrets or passwords; amounts
    are minor units. Raises NotCanonical for values without an exact form. Rule: AU-1, AU-2
    (docs/rules/audit.md).
    """
    who = actor.current()
    AuditEvent.objects.create(
        merchant_id=merchant_id,
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        before=_exact(before),
        after=_exact(after),
        note=note,
        actor=who.name,
        origin=who.origin,
        request_id=who.request_id,
    )


def _exact(values: Mapping[str, Any] | None) -> Any:
    return None if values is None else json.loads(canonical.encode(dict(values)))

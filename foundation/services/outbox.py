"""
The outbox: tasks promised inside the business transaction, sent afterwards, run at least once.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from celery import current_app
from django.db import connection, transaction
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from foundation import actor, sql
from foundation.retry import retried

log = logging.getLogger(__name__)

BATCH: Final = 100  # messages claimed at a time
LEASE_SECONDS: Final = 60  # how long one claim may take to send its batch
INLINE_LEASE_SECONDS: Final = 1200  # one inline task may take this long; above the task time limit
# Sent but never confirmed after this: the broker lost it. Above the task time limit.
RESEND: Final = timedelta(minutes=20)
MAX_TRIES: Final = 12  # then the message is parked with its reason
BACKOFF_SECONDS: Final = (1, 5, 15, 60, 300, 900)  # then the last one again and again
NUDGE_PAUSE_SECONDS: Final = 5.0  # after a nudge that failed, trust in the beat for so long
_ONE_TRY: Final = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "connect_retries_timeout": 1,
    "socket_connect_timeout": 1,
}

_nudge_again_at = 0.0


class OutboxKeyReused(Exception):
    """The same key was used for another payload: a bug in whoever added it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message in our hands until its lease ends; `fence` proves that it still is."""

    id: int
    merchant_id: int
    kind: str
    payload: dict[str, Any]
    fence: int
    tries: int
    actor: str
    request_id: str


@dataclass(slots=True)
class Drained:
    """What one `drain` did, by number of messages; `failures` names what went wrong, bounded."""

    sent: int = 0
    done: int = 0
    failed: int = 0
    broker_down: bool = False
    failures: list[str] = field(default_factory=list)


def add(
    kind: str, *, merchant_id: int, payload: Mapping[str, int | str], key: str | None = None
) -> None:
    """
    Promise to run the Celery task named `kind` with `payload` as its keyword arguments, after this
    transaction.

    The payload carries ids only. With a `key` the message exists once per merchant, kind and key;
    the same key with another payload raises OutboxKeyReused. Rule: OB-1, OB-2
    (docs/rules/outbox.md).
    """
    _require_ids_only(payload)
    who, body = actor.current(), json.dumps(dict(payload), sort_keys=True)
    added = sql.execute(
        "INSERT INTO public.foundation_outbox (merchant_id, kind, key, payload, actor, request_id)"
        " VALUES (%s, %s, %s, %s::jsonb, %s, %s) ON CONFLICT (merchant_id, kind, key)"
        " WHERE NOT (key = '') DO NOTHING",
        [merchant_id, kind, key or "", body, who.name, who.request_id],
    )
    if added:
        nudge_on_commit()
    elif not sql.rows(
        "SELECT 1 AS same FROM public.foundation_outbox"
        " WHERE merchant_id = %s AND kind = %s AND key = %s AND payload = %s::jsonb",
        [merchant_id, kind, key, body],
    ):
        raise OutboxKeyReused(f"{kind} {key!r} of merchant {merchant_id} has another payload.")


def nudge_on_commit() -> None:
    """
    Wake a relay after COMMIT. Only a nudge: when it is lost, the beat's relay comes a few seconds
    later (OB-3).
    """
    if not any(waiting[1] is _nudge for waiting in connection.run_on_commit):
        transaction.on_commit(_nudge, robust=True)


def drain(*, inline: bool = False, limit: int | None = None) -> Drained:
    """
    Send all that is due to the broker, or run it here with `inline`, until nothing is due or
    `limit` is reached.

    Safe to run any number of times at once. What fails is tried again later, in the end parked; a
    broker that is down costs no try. Rule: OB-4 to OB-7.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    result = Drained()
    # By this and not by the loader's way, which sets up logging and checks models anew each time.
    current_app.autodiscover_tasks(force=True)
    while not result.broker_down and (limit is None or limit > 0):
        size = min(1 if inline else BATCH, BATCH if limit is None else limit)
        lease = INLINE_LEASE_SECONDS if inline else LEASE_SECONDS
        batch = claim(owner=owner, limit=size, lease_seconds=lease)
        if not batch:
            break
        limit = None if limit is None else limit - len(batch)
        if inline:
            _run_all(batch, result)
        else:
            _send_all(batch, result, owner)
    return result


def claim(*, owner: str, limit: int = BATCH, lease_seconds: int = LEASE_SECONDS) -> list[Claimed]:
    """
    Take up to `limit` due messages for `lease_seconds`; nobody else gets them meanwhile (OB-4).
    """
    values = {"owner": owner, "limit": limit, "lease_seconds": lease_seconds}
    taken = retried(lambda: sql.rows(sql.load("foundation", "outbox_claim"), values))
    return [Claimed(**row | {"payload": _as_dict(row["payload"])}) for row in taken]


def confirm(merchant_id: int, message_id: int) -> int:
    """Note that the task has run to its end; return 1, or 0 when that was known (OB-5)."""
    return sql.execute(
        "UPDATE public.foundation_outbox SET state = 'DONE', done_at = statement_timestamp(),"
        " owner = '', lease_expires_at = NULL, reason = ''"
        " WHERE merchant_id = %s AND id = %s AND state IN ('PENDING', 'SENT')",
        [merchant_id, message_id],
    )


def fail(merchant_id: int, message_id: int, *, fence: int, reason: str) -> int:
    """
    Try the message again later, or park it after MAX_TRIES; without effect when the claim is no
    longer ours (OB-6).
    """
    return sql.execute(
        "UPDATE public.foundation_outbox SET owner = '', lease_expires_at = NULL,"
        " reason = %(reason)s,"
        " state = CASE WHEN tries >= %(max_tries)s THEN 'PARKED' ELSE 'PENDING' END,"
        " next_try_at = statement_timestamp() + make_interval(secs =>"
        "   (%(backoff)s::int[])[least(greatest(tries, 1), cardinality(%(backoff)s::int[]))])"
        " WHERE merchant_id = %(merchant_id)s AND id = %(id)s AND fence = %(fence)s"
        "   AND state IN ('PENDING', 'SENT')",
        {
            "merchant_id": merchant_id,
            "id": message_id,
            "fence": fence,
            "reason": reason[:2000],
            "max_tries": MAX_TRIES,
            "backoff": list(BACKOFF_SECONDS),
        },
    )


def requeue(*, merchant_id: int, message_id: int) -> bool:
    """Give a parked message a new life; return False when it is not parked (OB-6)."""
    revived = sql.execute(
        "UPDATE public.foundation_outbox SET state = 'PENDING', tries = 0,"
        " next_try_at = statement_timestamp()"
        " WHERE merchant_id = %s AND id = %s AND state = 'PARKED'",
        [merchant_id, message_id],
    )
    nudge_on_commit()
    return revived == 1


def purge(*, keep_days: int = 30) -> int:
    """Delete messages that were done more than `keep_days` ago; return how many (OB-8)."""
    return sql.execute(
        "DELETE FROM public.foundation_outbox"
        " WHERE state = 'DONE' AND done_at < statement_timestamp() - make_interval(days => %s)",
        [keep_days],
    )


def _run_all(batch: list[Claimed], result: Drained) -> None:
    for message in batch:
        try:
            _require_runnable(message)
            current_app.tasks[message.kind].apply(
                kwargs=message.payload, headers={"request_id": message.request_id}, throw=True
            )
        except Exception as error:  # one bad message must not stop the others; it keeps its reason
            _note(message, error, result)
        else:
            result.done += confirm(message.merchant_id, message.id)


def _send_all(batch: list[Claimed], result: Drained, owner: str) -> None:
    with _broker() as broker:
        for message in batch:
            try:
                _require_runnable(message)
                _publish(broker, message)
            except (OperationalError, *broker.connection_errors, *broker.channel_errors) as error:
                log.warning("outbox: the broker does not answer: %r", error)
                result.broker_down = True
                _give_back(owner)
                return
            except Exception as error:  # as above
                _note(message, error, result)
            else:
                result.sent += _mark_sent(message)


def _broker() -> Connection:
    """Return a connection that fails at once: Celery's own pool would try again for seconds."""
    broker: Connection = current_app.connection_for_write(
        connect_timeout=1, transport_options=_ONE_TRY
    )
    return broker


def _publish(broker: Connection, message: Claimed) -> None:
    receipt = [message.merchant_id, message.id, message.fence]
    current_app.send_task(
        message.kind,
        kwargs=message.payload,
        headers={"request_id": message.request_id, "outbox": receipt},
        connection=broker,
        retry=False,
    )


def _give_back(owner: str) -> None:
    sql.execute(
        "UPDATE public.foundation_outbox SET owner = '', lease_expires_at = NULL,"
        " tries = greatest(tries - 1, 0),"
        " next_try_at = statement_timestamp() + make_interval(secs => %s)"
        " WHERE owner = %s AND state = 'PENDING'",
        [NUDGE_PAUSE_SECONDS, owner],
    )


def _note(message: Claimed, error: Exception, result: Drained) -> None:
    log.warning("outbox: %s #%s failed: %r", message.kind, message.id, error)
    result.failed += 1
    if len(result.failures) < 20:
        result.failures.append(f"{message.kind} #{message.id}: {error!r}")
    fail(message.merchant_id, message.id, fence=message.fence, reason=repr(error))


def _require_runnable(message: Claimed) -> None:
    if message.kind not in current_app.tasks:
        raise LookupError(f"no task is named {message.kind}")
    if message.tries > MAX_TRIES:
        raise TimeoutError(f"sent {message.tries - 1} times and never confirmed")


def _receipt(message: Claimed) -> list[int]:
    return [message.merchant_id, message.id, message.fence]


def _mark_sent(message: Claimed) -> int:
    return sql.execute(
        "UPDATE public.foundation_outbox SET state = 'SENT', owner = '', lease_expires_at = NULL,"
        " next_try_at = statement_timestamp() + make_interval(secs => %s)"
        " WHERE merchant_id = %s AND id = %s AND fence = %s AND state = 'PENDING'",
        [RESEND.total_seconds(), message.merchant_id, message.id, message.fence],
    )


def _nudge() -> None:
    global _nudge_again_at
    if time.monotonic() < _nudge_again_at:
        return
    try:
        with _broker() as broker:
            current_app.send_task(
                "foundation.relay_outbox", connection=broker, retry=False, expires=60
            )
    except Exception as error:  # a broker that is down must never fail what is committed (OB-3)
        _nudge_again_at = time.monotonic() + NUDGE_PAUSE_SECONDS
        log.warning("outbox: the broker does not answer, the beat will relay: %r", error)


def _require_ids_only(payload: Mapping[str, int | str]) -> None:
    for name, value in payload.items():
        if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 100:
            raise TypeError(f"payload {name!r} must be an id, an integer or a short text")


def _as_dict(payload: Any) -> dict[str, Any]:
    return payload if isinstance(payload, dict) else json.loads(payload)

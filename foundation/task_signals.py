"""
What Celery tells us about every task: who acts, under which request, and whether an outbox message
is done.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Any

from celery import Task, signals
from django.db import Error as DatabaseError

from foundation import actor
from foundation.services import outbox

log = logging.getLogger(__name__)

_running: dict[str, AbstractContextManager[actor.Actor]] = {}


@signals.before_task_publish.connect(weak=False)
def carry_request_id(headers: dict[str, Any] | None = None, **_: object) -> None:
    """Send the request id of the cause along with the task."""
    if headers is not None:
        headers.setdefault("request_id", actor.current().request_id)


@signals.task_prerun.connect(weak=False)
def start_acting(task_id: str, task: Task, **_: object) -> None:
    """Act as `system:<task>` under the request id that came with the message."""
    acting = actor.acting(f"system:{task.name}", _header(task, "request_id"))
    acting.__enter__()
    _running[task_id] = acting


@signals.task_postrun.connect(weak=False)
def stop_acting(task_id: str, task: Task, state: str | None = None, **_: object) -> None:
    """Stop acting; tell the outbox when one of its messages has run to its end (OB-5)."""
    acting = _running.pop(task_id, None)
    if acting is not None:
        acting.__exit__(None, None, None)
    receipt = _header(task, "outbox")
    if receipt and state == "SUCCESS":
        merchant_id, message_id, _fence = receipt
        try:
            outbox.confirm(merchant_id, message_id)
        except (
            DatabaseError
        ) as error:  # unconfirmed, so it will be sent again, and find nothing to do
            log.warning("outbox: #%s ran but could not be confirmed: %r", message_id, error)


@signals.task_failure.connect(weak=False)
def note_failure(sender: Task, exception: BaseException, **_: object) -> None:
    """Let the outbox try the message again later, or park it (OB-6)."""
    receipt = _header(sender, "outbox")
    if receipt:
        merchant_id, message_id, fence = receipt
        try:
            outbox.fail(merchant_id, message_id, fence=fence, reason=repr(exception))
        except DatabaseError as error:
            log.warning("outbox: the failure of #%s could not be noted: %r", message_id, error)


def _header(task: Task, name: str) -> Any:
    """
    Return a header of the message under way; where it lands differs between worker and in-process
    runs.
    """
    value = getattr(task.request, name, None)
    return value if value is not None else (task.request.headers or {}).get(name)

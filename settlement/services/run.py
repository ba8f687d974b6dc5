"""Runs: planned once, worked off in parts by workers or here, resumed wherever they stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from celery import current_app
from django.db import connections, transaction
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from channels.services import clearing
from config.errors import DomainError
from foundation import actor, sql
from foundation.selectors.house import house_id
from foundation.services import outbox
from merchants.models import Merchant
from settlement.models import Batch, Item, Run
from settlement.selectors import run as progress
from settlement.services import batch as batches
from settlement.services import item as items
from settlement.services import standing_instruction as instructions

log = logging.getLogger(__name__)

MAX_PARTS: Final = 60  # Celery tasks of one run; each carries a range of merchants (goal 16)
PART_SIZE: Final = 200  # merchants of a part while the run is small
_POLL_SECONDS: Final = 0.2
_RESENDS: Final = 3  # a part whose task was lost is sent again so many times

Notify = Callable[[int, int], None]  # parts done, parts in all


class WorkersSilent(DomainError):
    """No worker takes the run's tasks; it stays where it is."""

    code = "workers_silent"


@dataclass(frozen=True, slots=True)
class Started:
    """A run, and whether this call planned it (else it was there, unfinished)."""

    run: Run
    new: bool


def start(*, run_date: date, part_size: int = PART_SIZE) -> Started | None:
    """
    Return the unfinished run of a date, or plan the next cycle; None when nothing is due.

    Two at once get the same run. `part_size` is how many merchants a part has, as long as
    MAX_PARTS parts suffice. Rule: SET-1, SET-2 (docs/rules/settlement.md).
    """
    while True:
        unfinished = Run.objects.filter(run_date=run_date, state=Run.State.RUNNING).first()
        if unfinished is not None:
            return Started(unfinished, new=False)
        with transaction.atomic(durable=True):
            plan = sql.rows(
                sql.load("settlement", "plan"),
                {"run_date": run_date, "part_size": part_size, "parts": MAX_PARTS},
            )
            if not plan:
                return None
            run = _open(run_date, parts=max(row["part"] for row in plan))
            if run is not None:
                _open_batches(run, plan)
                return Started(run, new=True)


def settle_part(*, run_id: int, part: int, at: datetime) -> None:
    """
    Freeze and post one part of a run, pay out what a standing instruction covers, close the rest,
    and end the run when it was the last part; safe to run again, and in parallel.
    """
    run = Run.objects.filter(id=run_id, state=Run.State.RUNNING).first()
    if run is None:
        return
    batches.freeze_and_post(run=run, part=part, at=at)
    _pay_out_and_close(run, part, at)
    finish(run_id=run_id, at=at)


def work_inline(*, run: Run, at: datetime, notify: Notify, threads: int = 1) -> None:
    """
    Work off a run in this process, several parts at a time with `threads`: the database does the
    work, and parts share no row. One part, or one thread, stays on the caller's connection.
    """
    waiting = progress.unfinished_parts(run_id=run.id)
    done, total = progress.parts(run_id=run.id)
    notify(done, total)
    for _part in _each(waiting, threads, lambda part: settle_part(run_id=run.id, part=part, at=at)):
        done += 1
        notify(done, total)
    finish(run_id=run.id, at=at)


def send(*, run: Run) -> int:
    """
    Send the unfinished parts of a run to the workers; return how many. Raises WorkersSilent when
    the broker does not answer: nothing is lost then, the run stays where it is.
    """
    waiting = progress.unfinished_parts(run_id=run.id)
    try:
        for part in waiting:
            current_app.send_task(
                "settlement.settle_range",
                kwargs={"run_id": run.id, "part": part},
                headers={"request_id": actor.current().request_id},
                retry=False,
            )
    except OperationalError as error:
        log.debug("settlement: the broker does not answer: %r", error)
        raise WorkersSilent(
            _("The broker does not answer; the run of %(date)s stays where it is.")
            % {"date": run.run_date}
        ) from error
    return len(waiting)


def work_by_workers(*, run: Run, patience_seconds: float, at: datetime, notify: Notify) -> None:
    """
    Send a run to the workers and wait until they have done it.

    Raises WorkersSilent when for `patience_seconds` nothing moves and no worker answers a ping.
    """
    if not send(run=run):
        finish(run_id=run.id, at=at)
    last, resends, quiet_since = (-1, -1), 0, time.monotonic()
    while Run.objects.filter(id=run.id, state=Run.State.RUNNING).exists():
        now = progress.parts(run_id=run.id)
        if now != last:
            last, quiet_since = now, time.monotonic()
            notify(*now)
        if time.monotonic() - quiet_since > patience_seconds:
            _require_workers(run, patience_seconds, resends)
            resends, quiet_since = resends + 1, time.monotonic()
            if not send(run=run):
                finish(run_id=run.id, at=at)
        time.sleep(_POLL_SECONDS)


def finish(*, run_id: int, at: datetime) -> None:
    """End a run whose parts are all posted; one that found nothing is taken away (SET-1)."""
    with transaction.atomic(durable=True):
        run = Run.objects.select_for_update().filter(id=run_id, state=Run.State.RUNNING).first()
        if run is None or progress.unfinished_parts(run_id=run_id):
            return
        if not Batch.objects.filter(run=run).exists():
            run.delete()
            return
        run.state, run.finished_at = Run.State.DONE, at
        run.save(update_fields=["state", "finished_at"])


def retry_held_back(*, at: datetime) -> int:
    """
    Try every held-back item again, each by itself; return how many were booked. What is booked is
    then paid out or closed, also what a process booked that was killed after it (SET-7). Those of
    frozen merchants stay (MST-6).
    """
    held = (
        Item.objects.filter(state=Item.State.HELD_BACK)
        .exclude(merchant__status=Merchant.Status.FROZEN)
        .order_by("merchant_id", "id")
    )
    booked = [
        items.post_or_hold_back(item_id=item_id, at=at)
        for item_id in held.values_list("id", flat=True)
    ]
    for run, part in progress.left_open():
        _pay_out_and_close(run, part, at)
    return sum(booked)


def settle_due(*, run_date: date, at: datetime) -> int:
    """
    Clear what is left and send all that is due by a date to the workers, with unfinished runs of
    earlier dates; return how many parts. For the beat: two at once, or none for an hour, do no harm
    (SET-2). A run whose last worker died before ending it is ended first: it would be joined, and
    what is new would wait.
    """
    clearing.clear_all(at=at)
    for run_id in Run.objects.filter(state=Run.State.RUNNING).values_list("id", flat=True):
        finish(run_id=run_id, at=at)
    retry_held_back(at=at)
    start(run_date=run_date)
    return sum(send(run=run) for run in Run.objects.filter(state=Run.State.RUNNING))


def on_merchants_restored(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Promise, in the transaction that restores merchants, to settle what waited for it (S0-25). A run
    that is on its way may have passed them over already: then the next hourly one takes them.
    """
    if event == "merchants.restored":
        key = f"restored:{payload['book']}:{payload['approval_id']}"
        outbox.add("settlement.settle_due", merchant_id=house_id(), payload={}, key=key)


def _pay_out_and_close(run: Run, part: int, at: datetime) -> None:
    """Ask for the withdrawals of posted items, each by itself; then close the rest (SET-8)."""
    posted = Batch.objects.filter(
        run=run, part=part, state__in=[Batch.State.POSTED, Batch.State.PAYING]
    )
    for batch_id in posted.order_by("id").values_list("id", flat=True):
        instructions.pay_out_items(batch_id, at)
    batches.close(run=run, part=part, at=at)


def _each(parts: list[int], threads: int, work: Callable[[int], None]) -> Iterator[int]:
    """Do `work` for each part and yield the part when it is done; the first error ends it all."""
    if threads < 2 or len(parts) < 2:
        for part in parts:
            work(part)
            yield part
        return

    def alone(part: int) -> int:
        try:
            work(part)
        finally:
            connections.close_all()  # this thread's own
        return part

    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        tasks = [pool.submit(copy_context().run, alone, part) for part in parts]
        try:
            for task in as_completed(tasks):
                yield task.result()
        finally:
            for task in tasks:
                task.cancel()


def _open(run_date: date, parts: int) -> Run | None:
    by = actor.current()
    made = sql.rows(
        "INSERT INTO settlement_run (run_date, cycle, state, parts, actor, request_id)"
        " SELECT %(run_date)s, 1 + coalesce(max(cycle), 0), 'RUNNING', %(parts)s, %(actor)s,"
        "  %(request_id)s FROM settlement_run WHERE run_date = %(run_date)s"
        " ON CONFLICT DO NOTHING RETURNING id",
        {
            "run_date": run_date,
            "parts": parts,
            "actor": by.name,
            "request_id": by.request_id,
        },
    )
    return Run.objects.get(id=made[0]["id"]) if made else None


def _open_batches(run: Run, plan: list[sql.Row]) -> None:
    Batch.objects.bulk_create(
        Batch(run=run, run_date=run.run_date, cycle=run.cycle, **row) for row in plan
    )


def _require_workers(run: Run, patience_seconds: float, resends: int) -> None:
    if resends < _RESENDS and _ping():
        return
    raise WorkersSilent(
        _("No worker answered within %(seconds)s seconds; the run of %(date)s stays where it is.")
        % {"seconds": round(patience_seconds), "date": run.run_date}
    )


def _ping() -> bool:
    try:
        return bool(current_app.control.ping(timeout=2.0))
    except OperationalError:
        return False

"""Batches of one part of a run: frozen, posted, closed, each step one transaction."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from django.db import DatabaseError, connection, transaction

from config.errors import DomainError
from foundation import sql
from foundation.retry import is_lost, retried
from ledger import errors
from ledger.services import hold as holds
from settlement.models import Batch, Item, Run
from settlement.services import item as items

log = logging.getLogger(__name__)

State = Batch.State
_WORK_MEM: Final = "64MB"  # one part's lines are joined and sorted in memory


def freeze_and_post(*, run: Run, part: int, at: datetime) -> None:
    """
    Bring one part of a run from wherever it stands to POSTED; safe at any time, any number of
    times, in parallel: each step locks the part's batches and leaves when it is done already.

    What is refused for a whole range is done merchant by merchant. Rule: SET-4 to SET-7
    (docs/rules/settlement.md).
    """
    _range_or_single(
        lambda: freeze(run=run, part=part, at=at), lambda: _freeze_singly(run, part, at)
    )
    _range_or_single(lambda: post(run=run, part=part, at=at), lambda: _post_singly(run, part, at))


def freeze(*, run: Run, part: int, at: datetime, merchant_id: int | None = None) -> None:
    """
    Draw the lines of a part, reserve each net on the pending account: FROZEN, in one transaction.

    With `merchant_id` only that merchant, and the batches go on collecting. Rule: SET-5.
    """
    call_id = uuid.uuid4()
    with transaction.atomic(durable=True), errors.named():
        batches = _locked(run, part, State.COLLECTING)
        if not batches:
            return
        _set_work_mem()
        merchants, currencies = _lock_pending(run, batches, merchant_id)
        sql.rows(
            sql.load("settlement", "freeze").format(open=sql.load("settlement", "due_open")),
            {
                "merchants": merchants,
                "currencies": currencies,
                "run_id": run.id,
                "part": part,
                "run_date": run.run_date,
                "cycle": run.cycle,
            },
        )
        ids = [batch.id for batch in batches]
        sql.execute(sql.load("settlement", "hold_nets"), {"call_id": call_id, "batches": ids})
        holds.open_bulk(call_id=call_id)
        sql.execute(sql.load("settlement", "item_freeze"), {"batches": ids})
        if merchant_id is None:
            _end_collecting(batches, at)


def post(*, run: Run, part: int, at: datetime) -> None:
    """Book a frozen part and capture its holds: POSTED, in one transaction. Rule: SET-6."""
    with transaction.atomic(durable=True):
        batches = _locked(run, part, State.FROZEN, State.POSTING)
        if not batches:
            return
        _set_work_mem()
        _move(batches, State.POSTING)
        items.post(item_ids=_frozen_items(batches), at=at)
        _move(batches, State.POSTED, posted_at=at)


def close(*, run: Run, part: int, at: datetime) -> None:
    """
    Close what is posted, in one transaction; a batch with an item held back stays POSTED, one with
    an item that is being paid out stays PAYING. Rule: SET-8.
    """
    with transaction.atomic(durable=True):
        for batch in _locked(run, part, State.POSTED, State.PAYING):
            items.close(batch=batch, at=at)
            left = set(items.unfinished_states(batch=batch))
            if not left:
                _move([batch], State.CLOSED, closed_at=at)
            elif Item.State.PAYING in left and batch.state == State.POSTED:
                _move([batch], State.PAYING)


def _range_or_single(whole: Callable[[], None], singly: Callable[[], None]) -> None:
    """Do a whole range, or, where that is refused, each merchant by itself."""
    try:
        retried(whole)
    except (DatabaseError, DomainError) as refusal:
        if is_lost(refusal):
            raise
        log.warning("settlement: a range was refused, its merchants one by one: %r", refusal)
        singly()


def _freeze_singly(run: Run, part: int, at: datetime) -> None:
    batches = list(Batch.objects.filter(run=run, part=part, state=State.COLLECTING))
    for merchant_id in _waiting_merchants(run, batches):
        try:
            retried(lambda one=merchant_id: freeze(run=run, part=part, at=at, merchant_id=one))  # type: ignore[misc]
        except (DatabaseError, DomainError) as refusal:
            if is_lost(refusal):
                raise
            items.hold_back_uncollected(
                run=run, part=part, merchant_id=merchant_id, reason=str(refusal)
            )
    with transaction.atomic(durable=True):
        _end_collecting(_locked(run, part, State.COLLECTING), at)


def _post_singly(run: Run, part: int, at: datetime) -> None:
    with transaction.atomic(durable=True):
        _move(_locked(run, part, State.FROZEN), State.POSTING)
    batches = list(Batch.objects.filter(run=run, part=part, state=State.POSTING))
    for item_id in _frozen_items(batches):
        items.post_or_hold_back(item_id=item_id, at=at)
    with transaction.atomic(durable=True):
        _move(_locked(run, part, State.POSTING), State.POSTED, posted_at=at)


def _locked(run: Run, part: int, *states: Batch.State) -> list[Batch]:
    """Lock the batches of a part, in order, and return those in one of `states`."""
    found = Batch.objects.select_for_update().filter(run=run, part=part).order_by("id")
    return [batch for batch in found if batch.state in states]


def _waiting_merchants(run: Run, batches: Sequence[Batch]) -> list[int]:
    found = sql.rows(
        "SELECT DISTINCT p.merchant_id FROM settlement_position p"
        " JOIN settlement_batch b ON b.id = ANY (%s) AND b.currency = p.currency"
        "  AND p.merchant_id BETWEEN b.merchant_from AND b.merchant_to"
        " JOIN merchants_merchant m ON m.id = p.merchant_id AND m.status <> 'FROZEN'"
        " WHERE p.open_from <= %s OR p.has_at_once ORDER BY 1",
        [[batch.id for batch in batches], run.run_date],
    )
    return [row["merchant_id"] for row in found]


def _lock_pending(
    run: Run, batches: Sequence[Batch], merchant_id: int | None
) -> tuple[list[int], list[str]]:
    """
    Lock the merchants of a part that are not frozen, then their pending accounts; return merchants
    and currencies. Who is frozen in this moment is passed over, or frozen after us (MST-6).
    """
    open_here = (
        "settlement_position p"
        " JOIN settlement_batch b ON b.id = ANY (%(batches)s) AND b.currency = p.currency"
        "  AND p.merchant_id BETWEEN b.merchant_from AND b.merchant_to"
        "  AND (p.open_from <= %(run_date)s OR p.has_at_once)"
        "  AND (%(merchant_id)s::bigint IS NULL OR p.merchant_id = %(merchant_id)s)"
    )
    params = {
        "batches": [batch.id for batch in batches],
        "run_date": run.run_date,
        "merchant_id": merchant_id,
    }
    settled = sql.rows(
        "SELECT m.id FROM merchants_merchant m WHERE m.status <> 'FROZEN'"
        f" AND m.id IN (SELECT p.merchant_id FROM {open_here}) ORDER BY m.id FOR SHARE OF m",
        params,
    )
    found = sql.rows(
        f"SELECT p.merchant_id, p.currency, a.id FROM {open_here}"
        " JOIN ledger_account a ON a.merchant_id = p.merchant_id AND a.kind = 'merchant_pending'"
        "  AND a.currency = p.currency AND a.ref_kind = '' AND a.ref_id = ''"
        " WHERE p.merchant_id = ANY (%(merchants)s) ORDER BY a.id",
        params | {"merchants": [row["id"] for row in settled]},
    )
    sql.rows("SELECT count(*) FROM ledger_lock(%s::bigint[])", [[row["id"] for row in found]])
    return [row["merchant_id"] for row in found], [row["currency"] for row in found]


def _end_collecting(batches: Sequence[Batch], at: datetime) -> None:
    """Freeze the batches; one without any item is taken away again."""
    for batch in batches:
        if Item.objects.filter(batch=batch).exists():
            _move([batch], State.FROZEN, frozen_at=at)
        else:
            batch.delete()


def _frozen_items(batches: Sequence[Batch]) -> list[int]:
    found = sql.rows(
        "SELECT id FROM settlement_item WHERE batch_id = ANY (%s) AND state = 'FROZEN'"
        " ORDER BY merchant_id, id",
        [[batch.id for batch in batches]],
    )
    return [row["id"] for row in found]


def _move(batches: Sequence[Batch], state: Batch.State, **times: datetime) -> None:
    for batch in batches:
        batch.state = state
        for name, at in times.items():
            setattr(batch, name, at)
        batch.save(update_fields=["state", *times])


def _set_work_mem() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL work_mem = '{_WORK_MEM}'")

"""Items: booked in bulk or one by one, held back with a reason, closed."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import sql
from foundation.retry import is_lost, retried
from ledger import errors
from ledger.services import journal
from settlement.models import Batch, Item, Run

log = logging.getLogger(__name__)


class ItemNotPosted(DomainError):
    """The item is not waiting to be paid out: too early, or somebody closed it meanwhile."""

    code = "item_not_posted"


# The accounts an entry may touch; the debt of a merchant who never had one is opened when needed.
_OPEN_ACCOUNTS: Final = """
SELECT ledger_open_accounts(array_agg(w.merchant_id), array_agg(w.kind), array_agg(w.currency),
         array_agg(''::text), array_agg(''::text))
  FROM (SELECT DISTINCT i.merchant_id, k.kind, i.currency::text AS currency
          FROM settlement_item i
          JOIN (VALUES ('merchant_available'), ('merchant_debt'), ('fee_income')) k (kind)
            ON (k.kind = 'merchant_available' AND i.net_minor > 0)
            OR (k.kind = 'merchant_debt' AND i.net_minor < 0)
            OR (k.kind = 'fee_income' AND i.surcharge_minor > 0)
         WHERE i.id = ANY (%(items)s)
           AND NOT EXISTS (SELECT FROM ledger_account a
                            WHERE a.merchant_id = i.merchant_id AND a.kind = k.kind
                              AND a.currency = i.currency AND a.ref_kind = '' AND a.ref_id = '')) w
HAVING count(*) > 0
"""
_LOCK_ACCOUNTS: Final = """
SELECT count(*) FROM ledger_lock(ARRAY(
  SELECT a.id FROM settlement_item i
    JOIN ledger_account a ON a.merchant_id = i.merchant_id AND a.currency = i.currency
     AND a.kind IN ('merchant_pending', 'merchant_debt', 'merchant_available', 'fee_income')
     AND a.ref_kind = '' AND a.ref_id = ''
   WHERE i.id = ANY (%(items)s)))
"""


def post(*, item_ids: Sequence[int], at: datetime) -> None:
    """
    Book frozen or held-back items inside the caller's transaction: one entry each, its hold
    captured, debt repaid first, a negative net owed. A zero net is closed without an entry.

    Raises: what the ledger refuses, by name; nothing is booked then. Rule: SET-6, SET-7.
    """
    if not item_ids:
        return
    call_id = uuid.uuid4()
    params = {"items": list(item_ids), "call_id": call_id, "at": at}
    with errors.named():
        sql.rows(_OPEN_ACCOUNTS, params)
        sql.rows(_LOCK_ACCOUNTS, params)
        for statement in ("item_split", "item_postings"):
            sql.execute(sql.load("settlement", statement), params)
        journal.post_bulk(call_id=call_id, occurred_at=at)
        sql.execute(sql.load("settlement", "item_posted"), params)


def post_or_hold_back(*, item_id: int, at: datetime) -> bool:
    """
    Book one item in a transaction of its own, or hold it back with the reason; its hold stays.

    Returns whether it was booked. Safe to run again. Rule: SET-7.
    """
    try:
        retried(lambda: _post_alone(item_id, at))
    except (DatabaseError, DomainError) as refusal:
        if is_lost(refusal):
            raise  # the connection's fault, not the merchant's
        log.warning("settlement: item %s is held back: %r", item_id, refusal)
        _hold_back(item_id, str(refusal) or repr(refusal))
        return False
    return True


def hold_back_uncollected(*, run: Run, part: int, merchant_id: int, reason: str) -> None:
    """
    Note why nothing of a merchant could be frozen in this cycle; its dues stay open for the next.
    """
    with transaction.atomic(durable=True):
        sql.execute(
            "INSERT INTO settlement_item (merchant_id, batch_id, run_date, cycle, currency,"
            "  net_minor, line_count, advance_minor, surcharge_minor, to_debt_minor,"
            "  to_available_minor, state, reason)"
            " SELECT p.merchant_id, b.id, b.run_date, b.cycle, b.currency, 0, 0, 0, 0, 0, 0,"
            "  'HELD_BACK', %(reason)s"
            " FROM settlement_batch b"
            " JOIN settlement_position p ON p.merchant_id = %(merchant_id)s"
            "  AND p.currency = b.currency"
            " WHERE b.run_id = %(run_id)s AND b.part = %(part)s AND b.state = 'COLLECTING'"
            " ON CONFLICT (merchant_id, run_date, cycle, currency) DO NOTHING",
            {
                "merchant_id": merchant_id,
                "run_id": run.id,
                "part": part,
                "reason": _clean(reason),
            },
        )


def close(*, batch: Batch, at: datetime) -> None:
    """Close the posted items of a batch that nothing pays out."""
    Item.objects.filter(batch=batch, state=Item.State.POSTED).update(
        state=Item.State.CLOSED, closed_at=at
    )


def start_paying(*, merchant_id: int, item_id: int) -> None:
    """
    Note, in the withdrawal's transaction, that a posted item is being paid out.

    Raises: ItemNotPosted when another process has closed it meanwhile.
    """
    posted = Item.objects.filter(merchant_id=merchant_id, id=item_id, state=Item.State.POSTED)
    if not posted.update(state=Item.State.PAYING):
        raise ItemNotPosted(_("The settlement item is closed; its money stays on the balance."))


def end_paying(*, merchant_id: int, item_id: int, at: datetime) -> None:
    """Close an item whose payout has ended, well or not; without effect when it is closed."""
    Item.objects.filter(merchant_id=merchant_id, id=item_id, state=Item.State.PAYING).update(
        state=Item.State.CLOSED, closed_at=at
    )


def unfinished_states(*, batch: Batch) -> list[str]:
    """Return the states of a batch's items that still wait for something."""
    waiting = Item.objects.filter(batch=batch, state__in=[Item.State.HELD_BACK, Item.State.PAYING])
    return list(waiting.values_list("state", flat=True).distinct())


def _post_alone(item_id: int, at: datetime) -> None:
    with transaction.atomic(durable=True):
        found = sql.rows(
            "SELECT id FROM settlement_item WHERE id = %s AND state IN ('FROZEN', 'HELD_BACK')"
            " FOR UPDATE",
            [item_id],
        )
        post(item_ids=[row["id"] for row in found], at=at)


def _hold_back(item_id: int, reason: str) -> None:
    with transaction.atomic(durable=True):
        sql.execute(
            "UPDATE settlement_item SET state = 'HELD_BACK', reason = %s"
            " WHERE id = %s AND state IN ('FROZEN', 'HELD_BACK')",
            [_clean(reason), item_id],
        )


def _clean(reason: str) -> str:
    return reason.strip()[:500] or _("refused without a reason")

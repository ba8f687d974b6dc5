"""Writing journal entries: one SQL call each, whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from foundation import actor, sql
from ledger import errors
from ledger.models import JournalEntry, Posting, Side


class NewPosting(NamedTuple):
    """
    One posting to be written: account id, operation, side, amount in minor units (above zero).

    `hold_id`: this posting captures that hold, in whole or in part; the rest of it is released.
    """

    account_id: int
    operation: str
    side: str
    amount_minor: int
    hold_id: int | None = None


def debit(
    account_id: int, operation: str, amount_minor: int, hold_id: int | None = None
) -> NewPosting:
    """Return a debit."""
    return NewPosting(account_id, operation, Side.DR.value, amount_minor, hold_id)


def credit(
    account_id: int, operation: str, amount_minor: int, hold_id: int | None = None
) -> NewPosting:
    """Return a credit."""
    return NewPosting(account_id, operation, Side.CR.value, amount_minor, hold_id)


def post(
    *,
    merchant_id: int,
    source_kind: str,
    source_id: str,
    postings: Sequence[NewPosting],
    occurred_at: datetime | None = None,
    reverses_id: int | None = None,
    memo: str = "",
) -> int:
    """
    Post one balanced journal entry, or find the entry this cause already posted; return its id.

    One statement: it may stand alone in autocommit, or inside the caller's transaction.
    Units:  minor units; each currency must balance on its own.
    Raises: UnbalancedEntry; InsufficientAvailableBalance; AbilityRefused; HoldResolved;
            AccountNotInBook; EntryConflict if this cause posted something else before.
    Rule:   LG-1, LG-2 (docs/rules/ledger.md).
    """
    if not postings:
        raise errors.UnbalancedEntry.from_details({"postings": 0})
    by = actor.current()
    accounts, operations, sides, amounts, holds = zip(*postings, strict=True)
    with errors.named():
        entry_id = sql.call(
            "SELECT ledger_post(%s, %s, %s, %s::bigint[], %s::text[], %s::text[], %s::bigint[],"
            " %s::bigint[], %s::bigint, %s::timestamptz, %s, %s, %s)",
            [
                merchant_id,
                source_kind,
                source_id,
                sql.array(accounts),
                sql.array(operations),
                sql.array(sides),
                sql.array(amounts),
                sql.array(holds) if any(holds) else None,
                reverses_id,
                occurred_at,
                memo,
                by.name,
                by.request_id,
            ],
        )
    return int(entry_id)


def post_bulk(*, call_id: uuid.UUID, occurred_at: datetime | None = None) -> int:
    """
    Book what lies in the ledger's intake under `call_id`, all or nothing; return how many are new.

    The caller filled `ledger_intake_posting` and `ledger_intake_line` in this transaction.
    Raises: as `post`, and LinesDoNotSum, FactBookedBefore.
    Rule:   LG-4 (docs/rules/ledger.md).
    """
    by = actor.current()
    with errors.named():
        booked = sql.call(
            "SELECT ledger_post_bulk(%s, %s::timestamptz, %s, %s)",
            [call_id, occurred_at, by.name, by.request_id],
        )
    return int(booked)


def reverse(*, merchant_id: int, entry_id: int, source_id: str, memo: str) -> int:
    """
    Post the mirror of an entry and return its id; both stay, linked to each other.

    The only way to correct the ledger. An entry is reversed once; a reversal is not reversed.
    Raises: AlreadyReversed; NotAMirror; InsufficientAvailableBalance when the money is gone.
    Rule:   LG-9 (docs/rules/ledger.md).
    """
    entry = JournalEntry.objects.get(merchant_id=merchant_id, id=entry_id)
    if entry.reverses_id is not None:
        raise errors.NotAMirror.from_details({"entry": entry_id})
    mirror = [
        NewPosting(
            posting.account_id,
            "reverse",
            Side.CR.value if posting.side == Side.DR else Side.DR.value,
            posting.amount_minor,
        )
        for posting in Posting.objects.filter(merchant_id=merchant_id, entry_id=entry_id).order_by(
            "id"
        )
    ]
    return post(
        merchant_id=merchant_id,
        source_kind="reversal",
        source_id=source_id,
        postings=mirror,
        reverses_id=entry_id,
        memo=memo,
    )

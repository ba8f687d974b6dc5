"""Due amounts: made when facts are booked, dated later where the calendar was missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import Malformed
from foundation import actor, clock, sql
from foundation.services import audit
from settlement.models.schedule import DEFAULT_CODE

LATEST_RELEASE: Final = timedelta(days=366)


class ReleaseDateRefused(Malformed):
    """Money can be released for today or a day within a year."""

    code = "release_date_refused"


_STATEMENTS: Final = {"payments_cleared": "due_payments", "refunds_booked": "due_refunds"}


def on_facts_booked(*, event: str, chunk_id: int) -> None:
    """
    Make the dues of what one clearing chunk has booked, in its transaction (DUE-1 to DUE-4).

    The chunk's postings hold the lock of each merchant's pending account, and freezing takes the
    same lock first, so no line can be drawn in between.
    """
    statement = _STATEMENTS.get(event)
    if statement == "due_payments":
        sql.execute("DROP TABLE IF EXISTS pg_temp.due_fact")
        sql.execute(sql.load("settlement", "due_fact"), {"chunk_id": chunk_id})
        sql.execute("ANALYZE pg_temp.due_fact")
    if statement is not None:
        sql.execute(
            sql.load("settlement", statement),
            {"chunk_id": chunk_id, "default_code": DEFAULT_CODE},
        )


def on_calendar_year_loaded(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """Fill the due dates that waited for a calendar year, in the transaction that loads it."""
    if event == "calendar_year_loaded":
        fill_dates()


def fill_dates() -> int:
    """
    Date every due amount whose calendar year has been loaded since; return how many (DUE-5).

    Safe to run any number of times. A refund follows its payment.
    """
    with transaction.atomic():
        merchants = _lock_undated("explanation <> 'manual'")
        filled = sql.execute(sql.load("settlement", "due_fill"), {"merchants": merchants})
        return filled + _follow_payments(merchants)


def release_manual(*, merchant_id: int, due_date: date, at: datetime) -> int:
    """
    Date what a merchant settles by hand, as due on `due_date`; return how many amounts (SCH-6).

    The next run of that date takes them. Audited. One person may: it moves a merchant's own money
    to his own balance, as his schedule foresees (docs/rules/unguarded_writes.md).

    Raises: ReleaseDateRefused for a day that has ended, or is more than a year away.
    """
    today = clock.business_date(at)
    if not today <= due_date <= today + LATEST_RELEASE:
        raise ReleaseDateRefused(
            _("The day must be today or within a year: %(day)s.") % {"day": due_date.isoformat()},
            field="due_date",
        )
    with transaction.atomic():
        actor.stamp_transaction()
        _lock_undated("merchant_id = %(merchant_id)s", {"merchant_id": merchant_id})
        released = sql.execute(
            "UPDATE settlement_due SET due_date = %(due_date)s WHERE merchant_id = %(merchant_id)s"
            " AND due_date IS NULL AND explanation = 'manual'",
            {"merchant_id": merchant_id, "due_date": due_date},
        )
        released += _follow_payments([merchant_id])
        if released:
            audit.record(
                merchant_id=merchant_id,
                action="due.release",
                object_kind="due",
                object_id=str(merchant_id),
                after={"due_date": due_date.isoformat(), "amounts": released},
            )
        return released


def _follow_payments(merchants: Sequence[int]) -> int:
    """Date the refunds of payments that have a date now, and lower the positions."""
    followed = sql.execute(
        "UPDATE settlement_due d SET due_date = p.due_date FROM settlement_due p"
        " WHERE d.merchant_id = ANY (%(merchants)s) AND d.due_date IS NULL"
        "   AND d.source_kind = 'refund' AND p.merchant_id = d.merchant_id"
        "   AND p.source_kind = 'payment' AND p.source_id = d.origin_id"
        "   AND p.due_date IS NOT NULL",
        {"merchants": list(merchants)},
    )
    sql.execute(sql.load("settlement", "position_lower"), {"merchants": list(merchants)})
    return followed


def _lock_undated(condition: str, params: Mapping[str, Any] | None = None) -> list[int]:
    """Lock the pending accounts of merchants with undated amounts; return their ids."""
    found = sql.rows(
        "SELECT DISTINCT merchant_id FROM settlement_due"
        f" WHERE due_date IS NULL AND {condition} ORDER BY 1",
        params or {},
    )
    merchants = [row["merchant_id"] for row in found]
    sql.rows(
        "SELECT count(*) FROM ledger_lock(ARRAY(SELECT id FROM ledger_account"
        " WHERE merchant_id = ANY (%s) AND kind = 'merchant_pending'))",
        [merchants],
    )
    return merchants

"""What a run would settle, without writing anything (X4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from foundation import sql


@dataclass(frozen=True, slots=True)
class PreviewItem:
    """One merchant's item as the run would book it now, in minor units."""

    merchant_no: str
    currency: str
    net_minor: int
    line_count: int
    to_debt_minor: int
    surcharge_minor: int
    to_available_minor: int


def items(*, run_date: date) -> list[PreviewItem]:
    """
    Return the items that a run of `run_date` would make of what is booked so far.

    Payments and refunds that are stored but not cleared yet are not in it. Rule: SET-10.
    """
    return _items(run_date, frozen=False)


def passed_over(*, run_date: date) -> list[PreviewItem]:
    """Return what the run leaves where it is because its merchant is frozen. Rule: MST-6."""
    return _items(run_date, frozen=True)


def _items(run_date: date, *, frozen: bool) -> list[PreviewItem]:
    statement = sql.load("settlement", "preview").format(open=sql.load("settlement", "due_open"))
    found = sql.rows(statement, {"run_date": run_date, "frozen": frozen})
    return [PreviewItem(**row) for row in found]

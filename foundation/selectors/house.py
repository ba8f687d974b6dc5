"""The house's own book, for what belongs to no merchant."""

from __future__ import annotations

from foundation import sql


def house_id() -> int:
    """Return the id of the house's row, which lies on a higher floor: a migration makes it."""
    (row,) = sql.rows("SELECT id FROM public.merchants_merchant WHERE kind = 'HOUSE'")
    return int(row["id"])

"""By which number people know what moved a merchant's money (registries.cause_namers)."""

from __future__ import annotations

from datetime import date

from settlement.models.item import number_of


def of_settlement(*, merchant_id: int, source_id: str) -> str:
    """Return a settlement's number; its cause is `<run date>:<cycle>:<currency>`."""
    run_date, cycle, currency = source_id.split(":")
    return number_of(merchant_id, date.fromisoformat(run_date), int(cycle), currency)


def of_payout(*, merchant_id: int, source_id: str) -> str:
    """Return the withdrawal's number; the cause is `<attempt>` or `<attempt>:<step>`."""
    return source_id.partition(":")[0].rpartition("-")[0]

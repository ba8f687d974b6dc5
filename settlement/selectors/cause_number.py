"""
What people call what moved a merchant's money, and by which number they know it
(registries.cause_names, cause_namers).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from settlement.models.item import number_of

NAMES: Final[Mapping[str, Promise]] = {
    "settlement": pgettext_lazy("cause", "settlement"),
    "withdrawal": pgettext_lazy("cause", "withdrawal"),
    "payout": pgettext_lazy("cause", "payout"),
    "payout_return": pgettext_lazy("cause", "returned payout"),
    "payout_paid": pgettext_lazy("cause", "paid payout"),
    "payout_returned": pgettext_lazy("cause", "returned payout"),
    "payout_late": pgettext_lazy("cause", "payout paid after all"),
    "payout_resolved": pgettext_lazy("cause", "payout decided by two persons"),
    "payout_statement": pgettext_lazy("cause", "bank line"),
    "float_funding": pgettext_lazy("cause", "funding of a payout channel"),
}


def of_settlement(*, merchant_id: int, source_id: str) -> str:
    """Return a settlement's number; its cause is `<run date>:<cycle>:<currency>`."""
    run_date, cycle, currency = source_id.split(":")
    return number_of(merchant_id, date.fromisoformat(run_date), int(cycle), currency)


def of_payout(*, merchant_id: int, source_id: str) -> str:
    """Return the withdrawal's number; the cause is `<attempt>` or `<attempt>:<step>`."""
    return source_id.partition(":")[0].rpartition("-")[0]

"""What stands against closing a merchant for good, and who is being closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation import sql
from foundation.money import Money
from ledger.models import AccountKind

MOST: Final = 100  # merchants that one page shows
_BALANCE: Final = "balance:"
_TITLES: Final[Mapping[str, str | Promise]] = {
    "hold": gettext_lazy("Money is held"),
    "withdrawal": gettext_lazy("Withdrawals have not ended"),
    "unknown": gettext_lazy("Payouts have no known result"),
    "disputed": gettext_lazy("Withdrawals are disputed"),
    "item": gettext_lazy("Settlement items are not closed"),
    "unpriced": gettext_lazy("Payments have no price"),
    "uncleared": gettext_lazy("Payments are stored and not booked yet"),
    "uncleared_refund": gettext_lazy("Refunds are stored and not booked yet"),
    "case": gettext_lazy("Payout cases are open"),
    "approval": gettext_lazy("Proposals wait for a decision"),
    "registration": gettext_lazy("Channels have it registered"),
}
_WAYS: Final[Mapping[str, str | Promise]] = {
    "balance:merchant_pending": gettext_lazy("It is settled on its day."),
    "balance:merchant_available": gettext_lazy("The merchant withdraws it."),
    "balance:merchant_debt": gettext_lazy(
        "It is repaid from what is settled next. When nothing more comes, the closing waits here:"
        " only an approved adjustment can write it off, and nobody can do so on this page."
    ),
    "balance:customer_deposit": gettext_lazy("The deposits are given back to the customers."),
    "balance:prepaid_card": gettext_lazy("The cards are spent or redeemed."),
    "balance:payout_in_transit": gettext_lazy("The channel's day file shows what was paid."),
    "hold": gettext_lazy("It ends with the withdrawal or the settlement that it is for."),
    "withdrawal": gettext_lazy("They are decided, sent or cancelled."),
    "unknown": gettext_lazy("The channel is asked until it says what became of them."),
    "disputed": gettext_lazy("Two persons decide what became of them."),
    "item": gettext_lazy("They end with their payout, or with the next try."),
    "unpriced": gettext_lazy("They wait for a fee."),
    "uncleared": gettext_lazy("The next clearing books them."),
    "uncleared_refund": gettext_lazy("The next clearing books them."),
    "case": gettext_lazy("A person says what came of them."),
    "approval": gettext_lazy("They are decided or withdrawn."),
    "registration": gettext_lazy(
        "Each channel is told that the merchant leaves; on the page of the registration somebody"
        " writes down that it was."
    ),
}
_OF_ONE: Final = """
SELECT reason, currency, amount_minor, many FROM settlement_closing_reasons(ARRAY[%s::bigint])
 ORDER BY reason, currency
"""
# Who is being closed, and who is closed and has got something since; every merchant's reasons in
# one go, not one after the other.
_LEAVING: Final = """
WITH gone AS MATERIALIZED (
  SELECT m.id, m.merchant_no, m.name, m.status, m.status_sequence FROM merchants_merchant m
   WHERE m.status IN ('CLOSING', 'CLOSED') AND m.id > %(after)s
), against AS MATERIALIZED (
  SELECT r.merchant_id, count(*) AS reasons
    FROM settlement_closing_reasons((SELECT array_agg(g.id) FROM gone g)) r GROUP BY r.merchant_id
), leaving AS (
  SELECT g.*, coalesce(a.reasons, 0) AS reasons
    FROM gone g LEFT JOIN against a ON a.merchant_id = g.id
   WHERE g.status = 'CLOSING' OR a.reasons > 0
)
"""
_PAGE: Final = (
    _LEAVING
    + """
SELECT l.id, l.merchant_no, l.name, l.status, t.at, l.reasons
  FROM leaving l
  LEFT JOIN merchants_merchant_transition t
    ON t.merchant_id = l.id AND t.sequence = l.status_sequence
 ORDER BY l.id LIMIT %(limit)s
"""
)
_COUNTED: Final = (
    _LEAVING
    + """
SELECT count(*) AS many, count(*) FILTER (WHERE l.status = 'CLOSED') AS late, min(t.at) AS since
  FROM leaving l
  LEFT JOIN merchants_merchant_transition t
    ON t.merchant_id = l.id AND t.sequence = l.status_sequence
"""
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands against closing: what, how many, and how much where it is money."""

    code: str
    title: str
    way: str  # how it ends, in a sentence; "" where nothing can be said
    many: int
    amount: Money | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A merchant that is being closed, or closed with something that came late."""

    merchant_id: int
    merchant_no: str
    name: str
    status: str
    since: datetime | None
    reasons: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How many are leaving, how many of them closed with something late, and since when."""

    many: int
    late: int
    since: datetime | None


def reasons(*, merchant_id: int) -> list[Reason]:
    """Return every reason against closing a merchant for good; empty when there is none (MST-8)."""
    rows = sql.rows(_OF_ONE, [merchant_id])
    kinds = {row["reason"] for row in rows if row["reason"].startswith(_BALANCE)}
    named = _kind_names(kind.removeprefix(_BALANCE) for kind in kinds)
    return [
        Reason(
            row["reason"],
            _title(row["reason"], named),
            str(_WAYS.get(row["reason"], "")),
            row["many"],
            None if row["amount_minor"] is None else Money(row["amount_minor"], row["currency"]),
        )
        for row in rows
    ]


def leaving(*, after: int = 0, limit: int = MOST) -> list[Leaving]:
    """
    Return who is being closed, and closed merchants for whom something came late (MST-10), by id
    behind `after`.
    """
    return [
        Leaving(
            row["id"], row["merchant_no"], row["name"], row["status"], row["at"], row["reasons"]
        )
        for row in sql.rows(_PAGE, {"after": after, "limit": limit})
    ]


def leaving_counted() -> Counted:
    """Return how many `leaving` has on all its pages."""
    (row,) = sql.rows(_COUNTED, {"after": 0})
    return Counted(**row)


def _kind_names(kinds: Iterable[str]) -> dict[str, str]:
    found = AccountKind.objects.in_bulk(list(kinds))
    return {f"{_BALANCE}{kind}": row.name for kind, row in found.items()}


def _title(code: str, named: Mapping[str, str]) -> str:
    if code in named:
        return _("Not empty: %(account)s") % {"account": named[code]}
    return str(_TITLES[code])

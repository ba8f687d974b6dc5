"""When a merchant's pending money arrives, and what keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext as _

from foundation import sql
from foundation.money import Money
from settlement.models import Item
from settlement.models.due import Explanation

_SHOWN = 10  # days; what lies beyond is summed up in one row

_OPEN_BEFORE_POSTED = (Item.State.COLLECTED, Item.State.FROZEN, Item.State.HELD_BACK)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrives on a day; without a day `explanation` says why."""

    due_date: date | None
    amount: Money
    count: int
    explanation: str
    schedules: str = ""  # the codes that gave the day: "T1"
    and_later: bool = False
    frozen: bool = False  # its merchant is: nothing arrives before it is restored

    @property
    def why(self) -> str:
        """The explanation in the reader's language, with the schedule: `by the schedule T1`."""
        if self.frozen:
            return _("It waits until the merchant is restored.")
        return f"{Explanation(self.explanation).label} {self.schedules}".rstrip()


def upcoming(*, merchant_id: int, today: date, frozen: bool = False) -> dict[str, list[Arrival]]:
    """
    Return by currency what lies on no settlement line yet, by due date, undated last.

    What was due before `today` and is not settled yet comes with the next run: its date is today;
    but what a `frozen` merchant has due by then waits without a day (MST-6).
    """
    found: dict[str, list[Arrival]] = {}
    for row in sql.rows(
        sql.load("settlement", "arrival"), {"merchant_id": merchant_id, "today": today}
    ):
        amount = Money(int(row["amount"]), row["currency"])
        rows = found.setdefault(row["currency"], [])
        dated = sum(1 for arrival in rows if arrival.due_date is not None)
        if row["due_date"] is not None and dated == _SHOWN:
            last = rows.pop()
            rows.append(
                replace(
                    last,
                    amount=last.amount + amount,
                    count=last.count + row["count"],
                    and_later=True,
                )
            )
        else:
            rows.append(
                _waiting(
                    Arrival(
                        row["due_date"], amount, row["count"], row["explanation"], row["schedules"]
                    ),
                    frozen=frozen and row["due_date"] == today,
                )
            )
    return found


def _waiting(arrival: Arrival, *, frozen: bool) -> Arrival:
    return replace(arrival, due_date=None, frozen=True) if frozen else arrival


def in_settlement(*, merchant_id: int, limit: int = 20) -> list[Item]:
    """Return the items that are frozen or held back: money on its way to available."""
    return list(
        Item.objects.filter(merchant_id=merchant_id, state__in=_OPEN_BEFORE_POSTED).order_by(
            "run_date", "cycle", "currency"
        )[:limit]
    )

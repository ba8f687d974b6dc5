"""Settlement's queues on the overview. Each is one statement over a partial index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db.models import Count, Min, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from foundation.money import Money
from foundation.registries import WorkItem
from settlement.models import BankLine, Exposure, Item, PayoutAttempt, PayoutCase, Withdrawal


def _queue(
    title: str, rows: QuerySet[Any], since: str, amount: str, address: str
) -> Iterable[WorkItem]:
    """Yield one queue over all currencies, nothing when it is empty."""
    found = list(
        rows.values("currency")
        .annotate(many=Count("id"), oldest=Min(since), minor=Sum(amount))
        .order_by("currency")
    )
    if found:
        yield WorkItem(
            title=title,
            count=sum(row["many"] for row in found),
            oldest_at=min(row["oldest"] for row in found),
            at_stake=tuple(
                Money(int(row["minor"]), row["currency"])
                for row in found
                if row["minor"] is not None and row["currency"]
            ),
            url=address,
        )


def disputed() -> Iterable[WorkItem]:
    """Withdrawals about which the bank's news contradict each other."""
    rows = Withdrawal.objects.filter(status="DISPUTED")
    address = reverse("admin:settlement_withdrawal_changelist") + "?status=disputed"
    return _queue(_("Withdrawals are disputed"), rows, "requested_at", "amount_minor", address)


def unknown() -> Iterable[WorkItem]:
    """Payouts whose result nobody knows."""
    rows = PayoutAttempt.objects.filter(status="UNKNOWN")
    address = reverse("admin:settlement_payoutattempt_changelist") + "?status=asked"
    return _queue(_("Payouts have no known result"), rows, "created_at", "amount_minor", address)


def cases() -> Iterable[WorkItem]:
    """Cases that the machine does not decide."""
    rows = PayoutCase.objects.filter(closed_at=None)
    address = reverse("admin:settlement_payoutcase_changelist") + "?state=open"
    return _queue(_("Payout cases are open"), rows, "opened_at", "amount_minor", address)


def held_back() -> Iterable[WorkItem]:
    """Items that could not be posted."""
    rows = Item.objects.filter(state="HELD_BACK")
    address = reverse("admin:settlement_item_changelist") + "?state=held_back"
    return _queue(_("Settlement items are held back"), rows, "created_at", "net_minor", address)


def bank_lines() -> Iterable[WorkItem]:
    """Lines of day files without their payout."""
    rows = BankLine.objects.filter(state="UNMATCHED")
    address = reverse("admin:settlement_bankline_changelist") + "?state=open"
    return _queue(_("Bank lines match no payout"), rows, "moved_at", "amount_minor", address)


def exposures() -> Iterable[WorkItem]:
    """Advances that neither the channel's cash nor our own money covers."""
    rows = Exposure.objects.filter(state="UNFUNDED")
    address = reverse("admin:settlement_exposure_changelist") + "?state=open"
    return _queue(_("Advances are not funded"), rows, "opened_at", "amount_minor", address)


QUEUES: Final[dict[str, Callable[[], Iterable[WorkItem]]]] = {
    "settlement.disputed": disputed,
    "settlement.unknown": unknown,
    "settlement.cases": cases,
    "settlement.held_back": held_back,
    "settlement.bank_lines": bank_lines,
    "settlement.exposures": exposures,
}

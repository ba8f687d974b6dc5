"""Settlement's queues on the overview. Each is one statement over a partial index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db.models import Count, Min, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from foundation import clock
from foundation.models import User
from foundation.money import Money
from foundation.registries import WorkItem
from ledger.models import Account
from merchants.models import Merchant
from settlement.models import (
    BankLine,
    Exposure,
    Item,
    PayoutAttempt,
    PayoutCase,
    Position,
    Run,
    Withdrawal,
)
from settlement.selectors import closing
from settlement.selectors import due as dues
from settlement.selectors import withdrawal as withdrawals_seen


def _queue(
    title: str, rows: QuerySet[Any], since: str, amount: str, choice: str
) -> Iterable[WorkItem]:
    """Yield one queue over all currencies, nothing when it is empty; `choice` filters its list."""
    names: Any = rows.model._meta
    address = reverse(f"admin:{names.app_label}_{names.model_name}_changelist")
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
            url=f"{address}?{choice}",
            permission=f"{names.app_label}.view_{names.model_name}",
        )


def disputed(user: User) -> Iterable[WorkItem]:
    """Withdrawals about which the bank's news contradict each other."""
    rows = Withdrawal.objects.filter(status="DISPUTED")
    return _queue(
        _("Withdrawals are disputed"), rows, "requested_at", "amount_minor", "status=disputed"
    )


def unknown(user: User) -> Iterable[WorkItem]:
    """Payouts whose result nobody knows."""
    rows = PayoutAttempt.objects.filter(status="UNKNOWN")
    return _queue(
        _("Payouts have no known result"), rows, "created_at", "amount_minor", "status=asked"
    )


def unsent(user: User) -> Iterable[WorkItem]:
    """Withdrawals that should have left long ago: no worker, no broker, or an error of ours."""
    rows = Withdrawal.objects.filter(withdrawals_seen.UNSENT)
    title = _("Withdrawals are not sent after half an hour")
    return _queue(title, rows, "requested_at", "amount_minor", "status=unsent")


def cases(user: User) -> Iterable[WorkItem]:
    """Cases that the machine does not decide."""
    rows = PayoutCase.objects.filter(closed_at=None)
    title = _("Payout cases are open")
    return _queue(title, rows, "opened_at", "amount_minor", "state=open")


def held_back(user: User) -> Iterable[WorkItem]:
    """Items that could not be posted."""
    rows = Item.objects.filter(state="HELD_BACK")
    return _queue(
        _("Settlement items are held back"), rows, "created_at", "net_minor", "state=held_back"
    )


def bank_lines(user: User) -> Iterable[WorkItem]:
    """Lines of day files without their payout."""
    rows = BankLine.objects.filter(state="UNMATCHED")
    title = _("Bank lines match no payout")
    return _queue(title, rows, "moved_at", "amount_minor", "state=open")


def exposures(user: User) -> Iterable[WorkItem]:
    """Advances that neither the channel's cash nor our own money covers."""
    rows = Exposure.objects.filter(state="UNFUNDED")
    title = _("Advances are not funded")
    return _queue(title, rows, "opened_at", "amount_minor", "state=open")


def by_hand(user: User) -> Iterable[WorkItem]:
    """What merchants on the schedule MANUAL have earned and nobody has released."""
    found = dues.waiting_for_release(limit=dues.MOST_WAITING)
    if found:
        amounts: dict[str, int] = {}
        for row in found:
            amounts[row.currency] = amounts.get(row.currency, 0) + row.amount.minor
        yield WorkItem(
            title=_("Merchants settled by hand wait for release"),
            count=len({row.merchant_id for row in found}),
            oldest_at=clock.begins(min(row.since for row in found)),
            at_stake=tuple(Money(minor, currency) for currency, minor in sorted(amounts.items())),
            url=reverse("admin:settlement_release"),
            permission="settlement.view_due",
        )


def overdue(user: User) -> Iterable[WorkItem]:
    """Merchants with something due on a day that has ended and is not settled."""
    behind = Position.objects.filter(open_from__lt=clock.business_date(clock.now())).exclude(
        merchant__status=Merchant.Status.FROZEN
    )
    found = behind.aggregate(many=Count("merchant", distinct=True), since=Min("open_from"))
    if found["many"]:
        yield WorkItem(
            title=_("Days are not settled: merchants wait"),
            count=found["many"],
            oldest_at=clock.begins(found["since"]),
            at_stake=(),
            url=reverse("admin:settlement_position_changelist") + "?state=behind",
            permission="settlement.view_position",
        )


def frozen(user: User) -> Iterable[WorkItem]:
    """Frozen merchants with something to settle: it waits until they are restored (MST-6)."""
    waiting = Position.objects.filter(
        merchant__status=Merchant.Status.FROZEN, open_from__isnull=False
    )
    found = waiting.aggregate(many=Count("merchant", distinct=True), since=Min("open_from"))
    if found["many"]:
        pending = Account.objects.filter(
            merchant__status=Merchant.Status.FROZEN, kind="merchant_pending", balance_minor__gt=0
        )
        amounts = (
            pending.values("currency").annotate(minor=Sum("balance_minor")).order_by("currency")
        )
        yield WorkItem(
            title=_("Money to settle waits: its merchants are frozen"),
            count=found["many"],
            oldest_at=clock.begins(found["since"]),
            at_stake=tuple(Money(int(row["minor"]), row["currency"]) for row in amounts),
            url=reverse("admin:settlement_position_changelist") + "?state=frozen",
            permission="settlement.view_position",
        )


def leaving(user: User) -> Iterable[WorkItem]:
    """Merchants that are being closed, and closed ones for whom something came late (MST-10)."""
    found = closing.leaving_counted()
    if found.many:
        yield WorkItem(
            title=_("Merchants are being closed"),
            count=found.many,
            oldest_at=found.since,
            at_stake=(),
            url=reverse("admin:settlement_closings"),
            permission="settlement.view_due",
            note=_("%(late)s closed, with something that came late") % {"late": found.late}
            if found.late
            else "",
        )


def unfinished(user: User) -> Iterable[WorkItem]:
    """Settlement runs that have not ended."""
    found = Run.objects.filter(state=Run.State.RUNNING)
    counted = found.aggregate(many=Count("id"), since=Min("started_at"))
    if counted["many"]:
        yield WorkItem(
            title=_("Settlement runs are not finished"),
            count=counted["many"],
            oldest_at=counted["since"],
            at_stake=(),
            url=reverse("admin:settlement_run_changelist"),
            permission="settlement.view_run",
        )


QUEUES: Final[dict[str, Callable[[User], Iterable[WorkItem]]]] = {
    "settlement.disputed": disputed,
    "settlement.unknown": unknown,
    "settlement.unsent": unsent,
    "settlement.cases": cases,
    "settlement.held_back": held_back,
    "settlement.bank_lines": bank_lines,
    "settlement.exposures": exposures,
    "settlement.by_hand": by_hand,
    "settlement.overdue": overdue,
    "settlement.frozen": frozen,
    "settlement.leaving": leaving,
    "settlement.unfinished": unfinished,
}

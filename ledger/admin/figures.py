"""Where the merchants' money is, for the overview."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation.admin.columns import grouped
from foundation.money import Money
from foundation.registries import Figure, Panel
from ledger.models import Account

_KINDS: Final = {
    "merchant_pending": gettext_lazy("Pending"),
    "merchant_available": gettext_lazy("Available"),
    "merchant_debt": gettext_lazy("Debt of merchants"),
    "payout_in_transit": gettext_lazy("On its way to banks"),
}


def money(at: datetime) -> Panel:
    """Return the sum over all books by kind and currency: one statement over the kinds' index."""
    rows = (
        Account.objects.filter(kind__in=_KINDS)
        .values("kind", "currency")
        .annotate(total=Sum("balance_minor"), held=Sum("held_minor"))
        .order_by("currency", "kind")
    )
    sums = {(row["kind"], row["currency"]): row for row in rows}
    address = reverse("admin:ledger_trial_balance")
    figures: list[Figure] = []
    for currency in sorted({key[1] for key in sums}):
        for kind, label in _KINDS.items():
            row = sums.get((kind, currency))
            if row is None:
                continue
            amount = grouped(Money(int(row["total"]), currency))
            figures.append(Figure(str(label), amount, address))
            if kind == "merchant_available" and row["held"]:
                held = grouped(Money(int(row["held"]), currency))
                figures.append(Figure(_("of it held"), held, address))
    return Panel(
        _("Where the merchants' money is"),
        tuple(figures),
        _("now, over all books"),
        permission="ledger.view_account",
    )

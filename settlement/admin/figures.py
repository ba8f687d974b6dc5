"""What the latest run settled, for the overview."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from foundation.admin.columns import grouped
from foundation.money import Money
from foundation.registries import Figure, Panel
from settlement.models import Run
from settlement.selectors import run as runs


def latest_run(at: datetime) -> Panel:
    """Return the figures of the latest run date: cycles, items, lines and the net per currency."""
    latest = Run.objects.order_by("-run_date", "-cycle").first()
    title = _("Latest settlement")
    if latest is None:
        return Panel(title, (), permission="settlement.view_run")
    ids = list(Run.objects.filter(run_date=latest.run_date).values_list("id", flat=True))
    found = runs.summary(run_ids=ids)
    address = reverse("admin:settlement_run_changelist")
    figures = [
        Figure(_("Runs"), str(len(ids)), f"{address}?run_date={latest.run_date.isoformat()}"),
        Figure(_("Merchants settled"), f"{found.items:,}"),
        Figure(_("Payments and refunds"), f"{found.lines:,}"),
    ]
    for currency, minor in sorted(found.net.items()):
        figures.append(Figure(_("Net settled"), grouped(Money(minor, currency))))
    day = formats.date_format(latest.run_date)
    return Panel(title, tuple(figures), day, permission="settlement.view_run")

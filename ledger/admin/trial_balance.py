"""The trial balance page."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from foundation.admin.columns import grouped
from foundation.money import Money
from ledger.models import AccountKind
from ledger.selectors import balance

MENU = [("ledger_trial_balance", gettext_lazy("Trial balance"), "balance", "ledger.view_posting")]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show debits, credits and balances of every kind by currency, up to an accounting date."""
    if not request.user.has_perm("ledger.view_posting"):
        raise PermissionDenied
    text, problem, up_to = request.GET.get("up_to", "").strip(), "", None
    if text:
        try:
            up_to = date.fromisoformat(text)
        except ValueError:
            problem = _("%(text)s is not a date (YYYY-MM-DD).") % {"text": repr(text[:40])}
    context = {
        **admin.site.each_context(request),
        "title": _("Trial balance"),
        "up_to": text,
        "problem": problem,
        "currencies": [] if problem else _tables(up_to),
    }
    return TemplateResponse(request, "admin/trial_balance.html", context)


def _tables(up_to: date | None) -> list[dict[str, Any]]:
    with transaction.atomic():
        if not connection.in_atomic_block or len(connection.savepoint_ids) == 0:
            with connection.cursor() as cursor:  # every row of one moment
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = balance.trial_balance(up_to=up_to)
        kinds = {kind.kind: kind for kind in AccountKind.objects.select_related("subject")}
    tables: dict[str, dict[str, Any]] = {}
    for row in rows:
        table = tables.setdefault(row.currency, {"currency": row.currency, "rows": [], "sums": []})
        figures = (
            row.debits_minor,
            row.credits_minor,
            row.debit_balance_minor,
            row.credit_balance_minor,
        )
        kind = kinds[row.kind]
        label = f"{kind.subject.code} {kind.subject.name}"
        shown = [grouped(Money(minor, row.currency)) for minor in figures]
        table["rows"].append((label, kind.name, shown))
        before = table["sums"] or [0] * len(figures)
        table["sums"] = [sum(pair) for pair in zip(before, figures, strict=True)]
    for table in tables.values():
        debits, credits, left, right = table["sums"]
        table["balanced"] = debits == credits and left == right
        table["sums"] = [grouped(Money(minor, table["currency"])) for minor in table["sums"]]
    return list(tables.values())

"""Runs and their batches."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import Step
from foundation.admin.related import Related
from settlement.models import Batch, Run
from settlement.selectors import run as progress
from settlement.services import run as runs

MENU = [
    ("settlement_run_changelist", _("Settlement runs"), "event_repeat", "settlement.view_run"),
    ("settlement_batch_changelist", _("Batches"), "layers", "settlement.view_batch"),
]
RUN_COLOURS = {"RUNNING": "info", "DONE": "success"}
BATCH_COLOURS = {
    "COLLECTING": "info",
    "FROZEN": "info",
    "POSTING": "info",
    "POSTED": "success",
    "PAYING": "info",
    "CLOSED": "success",
}


def _retry(request: HttpRequest, row: Run, reason: str, at: datetime) -> str:
    posted = runs.retry_held_back(at=at)
    text = ngettext("%(n)s item was posted.", "%(n)s items were posted.", posted)
    return text % {"n": posted}


def _how_far(run: Run) -> tuple[int, int]:
    """Return parts done and in all; only what runs is asked, which is one run of a date."""
    if run.state == Run.State.DONE:
        return run.parts, run.parts
    return progress.parts(run_id=run.id)


@admin.register(Run)
class RunAdmin(KeysetAdmin):
    """Runs, latest date first."""

    keyset = Keyset("-run_date", "-cycle")
    list_display = (
        "run_date",
        "cycle",
        columns.state("state", _("state"), RUN_COLOURS),
        columns.progress_of(_how_far, _("progress")),
        "started_at",
        "finished_at",
        "actor",
    )
    list_filter = (filters.exact("run_date", _("run date"), "-cycle", date=True),)
    related = (
        Related(
            "settlement_batch_changelist", _("Batches"), lambda row: {"run_date": str(row.run_date)}
        ),
    )
    steps = (
        Step(
            "retry",
            _("Try every held back item again"),
            _retry,
            permission="settlement.change_item",
        ),
    )


@admin.register(Batch)
class BatchAdmin(KeysetAdmin):
    """Batches, latest first."""

    list_display = (
        "id",
        "run_date",
        "cycle",
        "currency",
        "part",
        columns.state("state", _("state"), BATCH_COLOURS),
        "created_at",
        "posted_at",
        "closed_at",
    )
    list_filter = (
        filters.exact("run_date", _("run date"), "cycle", "currency", "part", date=True),
        filters.choices(
            "state",
            _("state"),
            {"open": filters.Choice(_("not closed"), ~Q(state="CLOSED"), Keyset("state", "id"))},
        ),
    )
    related = (Related("settlement_item_changelist", _("Items"), lambda row: {"batch": row.pk}),)

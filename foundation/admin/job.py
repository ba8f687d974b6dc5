"""Long work and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.admin import columns, filters
from foundation.admin.keyset import Keyset, KeysetAdmin
from foundation.admin.readonly import Step
from foundation.models import Job
from foundation.services import job as jobs

MENU = [("foundation_job_changelist", _("Jobs"), "work_history", "foundation.view_job")]
COLOURS = {"RUNNING": "info", "DONE": "success", "FAILED": "danger", "CANCELLED": "warning"}


def _cancel(request: HttpRequest, row: Job, reason: str, at: datetime) -> str:
    jobs.request_cancel(row.id)
    return gettext("The job stops at its next safe place.")


@admin.register(Job)
class JobAdmin(KeysetAdmin):
    """Jobs, latest first."""

    keyset = Keyset("-started_at", "-id")
    list_display = (
        "kind",
        "key",
        columns.state("state", _("state"), COLOURS),
        columns.progress("done", "total", _("progress")),
        "started_at",
        "finished_at",
        "message",
    )
    list_filter = (
        filters.choices(
            "state",
            _("state"),
            {"running": filters.Choice(_("running"), Q(state="RUNNING"), Keyset("kind", "key"))},
        ),
    )
    steps = (
        Step(
            "cancel",
            _("Stop this job"),
            _cancel,
            open_to=lambda row: row.state == Job.State.RUNNING and not row.cancel_requested,
            permission="foundation.change_job",
            colour="danger",
        ),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the progress as a bar too."""
        return [columns.progress("done", "total", _("progress")), *super().get_fields(request, obj)]

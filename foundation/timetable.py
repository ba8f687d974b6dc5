"""The beat's timetable: what it orders stands in code, and the database only remembers when."""

from __future__ import annotations

from typing import Any

from celery import current_app, schedules
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from foundation import clock


class Line(ModelEntry):
    """
    One line of CELERY_BEAT_SCHEDULE, with the time of its last order from the row of its name.

    Nothing else of the row counts: the product's role can write it, so it is no timetable. A last
    order in the future would silence the line; it counts as one of now.
    """

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        self.app = app or current_app._get_current_object()
        said, now = self.app.conf.beat_schedule[model.name], clock.now()
        model.enabled, model.one_off, model.start_time, model.expires = True, False, None, None
        model.last_run_at = min(model.last_run_at or now, now)
        self.name, self.task = model.name, said["task"]
        self.schedule = schedules.maybe_schedule(said["schedule"])
        self.args, self.kwargs, self.options = [], {}, dict(said["options"])
        self.model, self.last_run_at = model, model.last_run_at
        self.total_run_count = model.total_run_count


class Timetable(DatabaseScheduler):
    """
    The beat's scheduler (CELERY_BEAT_SCHEDULER). Rows that SQL added order nothing, and one that it
    changed, switched off or deleted does what the code says.
    """

    Entry = Line

    def setup_schedule(self) -> None:
        """Write the lines down, for people who look into the tables."""
        self.update_from_dict(self.app.conf.beat_schedule)  # type: ignore[no-untyped-call]

    def all_as_schedule(self) -> dict[str, Line]:
        """Return every line of the code by its name."""
        lines = self.app.conf.beat_schedule
        rows = {row.name: row for row in PeriodicTask.objects.filter(name__in=lines)}
        return {
            name: Line(rows[name], app=self.app)
            if name in rows
            else Line.from_entry(name, app=self.app, **said)  # type: ignore[no-untyped-call]
            for name, said in lines.items()
        }

"""The clock that asks what is due: its tasks exist, and settling follows the cut-off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app, schedules
from django.conf import settings
from django_celery_beat.models import PeriodicTask

from foundation import clock
from foundation.timetable import Timetable


class TestBeat:
    def test_orders_only_tasks_that_exist(self) -> None:
        current_app.loader.import_default_modules()

        ordered = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

        assert ordered - set(current_app.tasks) == set()

    def test_settles_each_hour_a_few_minutes_past_so_the_cut_off_too(self) -> None:
        schedule = settings.CELERY_BEAT_SCHEDULE["settle what is due"]["schedule"]
        midnight = datetime(2026, 2, 13, 16, 0, tzinfo=UTC)  # 00:00 in Shanghai

        schedule.nowfun = lambda: midnight
        due, seconds = schedule.is_due(midnight - timedelta(minutes=55))

        assert (due, round(seconds)) == (False, 300)

    def test_lets_an_order_expire_before_it_could_pile_up(self) -> None:
        assert all(
            "expires" in entry["options"] for entry in settings.CELERY_BEAT_SCHEDULE.values()
        )


@pytest.mark.django_db
class TestTheTimetable:
    def orders(self) -> dict[str, tuple[str, object, int]]:
        lines = Timetable(app=current_app._get_current_object(), lazy=True).all_as_schedule()
        return {
            name: (one.task, one.schedule, one.options["expires"]) for name, one in lines.items()
        }

    def test_is_the_code_whatever_stands_in_its_tables(self) -> None:
        said = {
            name: (entry["task"], schedule, entry["options"]["expires"])
            for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
            if (schedule := schedules.maybe_schedule(entry["schedule"]))
        }
        assert self.orders() == said

        PeriodicTask.objects.filter(name="relay the outbox").delete()
        PeriodicTask.objects.update(
            task="settlement.settle_due", enabled=False, args="no JSON", one_off=True,
            last_run_at=clock.now() + timedelta(days=900), queue="elsewhere",
        )  # fmt: skip
        every = PeriodicTask.objects.exclude(interval=None)[0].interval
        PeriodicTask.objects.create(name="mine", task="settlement.settle_due", interval=every)

        assert self.orders() == said
        lines = Timetable(app=current_app._get_current_object(), lazy=True).all_as_schedule()
        assert all(line.last_run_at <= clock.now() for line in lines.values())
        assert not any("queue" in line.options for line in lines.values())

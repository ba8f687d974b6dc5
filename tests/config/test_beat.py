"""The clock that asks what is due: its tasks exist, and settling follows the cut-off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from celery import current_app
from django.conf import settings


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

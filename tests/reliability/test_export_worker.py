"""An export is written by a real worker: end to end, killed in the middle, stopped, deleted."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.contrib.auth.models import Group

from foundation import clock
from foundation.models import FileExport, FileExportPart, Job, User
from foundation.services import file_export as exports
from foundation.services import job as jobs
from foundation.services import outbox
from merchants.models import Merchant
from tests.factories.foundation import UserFactory
from tests.foundation.test_task_signals import broker

__all__ = ["broker"]

MANY = 6_000
# The broker gives a killed worker's task to another after 5 s.
BROKER = json.dumps({"visibility_timeout": 5, "unacked_restore_interval": 1})
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(
    cloned_db: str, broker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Start workers, each with one child, in a group of its own."""
    monkeypatch.setenv("CELERY_BROKER_TRANSPORT_OPTIONS", BROKER)
    made: list[subprocess.Popen[bytes]] = []

    def worker() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-c", "1"]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--without-gossip", "--without-mingle", "-l", "warning"],
                cwd=settings.BASE_DIR,
                env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        made.append(process)
        return process

    yield worker
    for process in made:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


@pytest.fixture
def operator(cloned_db: str) -> User:
    user: User = UserFactory(is_staff=True)
    user.groups.set(Group.objects.filter(name="operator"))
    at = clock.now()
    Merchant.objects.bulk_create(
        [
            Merchant(merchant_no=f"L{n:06d}", name="湖畔" * 20, city="上海", created_at=at)
            for n in range(MANY)
        ],
        batch_size=2_000,
    )
    return user


def ask(user: User) -> FileExport:
    return exports.request(kind="merchants", filter={}, format="csv", user=user, at=clock.now())


def wait(reached: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, list(Job.objects.values())
        outbox.drain()
        time.sleep(0.02)


def state(export: FileExport) -> str:
    return FileExport.objects.get(id=export.id).state


def under_way() -> bool:
    return Job.objects.filter(kind=exports.JOB, state="RUNNING", done__gt=0).exists()


def rows(export: FileExport) -> list[list[str]]:
    _export, pieces = exports.read(export_id=export.id, user=export.requested_by, at=clock.now())
    return list(csv.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"), newline="")))


class TestAWorker:
    def test_that_is_killed_leaves_no_half_file_and_another_writes_it(
        self, start: Start, operator: User
    ) -> None:
        first = start()
        export = ask(operator)
        wait(under_way)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(30)
        assert state(export) == "REQUESTED"
        assert not FileExportPart.objects.exists()
        Job.objects.filter(kind=exports.JOB).update(lease_expires_at=clock.now())

        start()
        wait(lambda: state(export) == "READY")

        found = rows(export)
        assert len(found) == MANY + 1
        assert len({row[0] for row in found[1:]}) == MANY
        job = Job.objects.get(kind=exports.JOB)
        assert (job.state, job.done, job.fence) == ("DONE", MANY, 2)

        current_app.send_task(exports.TASK, kwargs={"export_id": export.id}, retry=False)
        other = ask(operator)  # written after the repeated message
        wait(lambda: state(other) == "READY")
        assert len(rows(export)) == MANY + 1
        assert Job.objects.filter(kind=exports.JOB, key=str(export.id)).count() == 1

    def test_stops_where_a_person_asks_and_deletes_when_its_time_is_over(
        self, start: Start, operator: User
    ) -> None:
        start()
        stopped = ask(operator)
        wait(under_way)
        jobs.request_cancel(Job.objects.get(kind=exports.JOB).id)
        wait(lambda: state(stopped) == "FAILED")
        assert not FileExportPart.objects.filter(export=stopped).exists()
        assert Job.objects.get(kind=exports.JOB).state == "CANCELLED"

        export = ask(operator)
        wait(lambda: state(export) == "READY")
        assert exports.expire_due(at=export.expires_at - timedelta(seconds=1)) == 0
        assert exports.expire_due(at=export.expires_at) == 1
        assert not FileExportPart.objects.exists()
        assert FileExport.objects.get(id=export.id).rows == MANY

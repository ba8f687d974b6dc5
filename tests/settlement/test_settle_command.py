"""`settle`: exit codes, two at once, killed and started again, by workers and without any."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections

from foundation import registries, sql
from settlement.models import Batch, Item, Line, Run
from settlement.services import batch as batches
from settlement.services import item as items
from settlement.services import run as runs
from tests.factories import merchant_state
from tests.factories import settlement as make

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def settle(*options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("settle", "--date", "2026-03-03", "--inline", "--json", *options, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def start(*options: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own on the test's database."""
    command = [sys.executable, "manage.py", "settle", "--skip-checks", "--date", "2026-03-03"]
    return subprocess.Popen(
        [*command, "--json", *options],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def merchants(count: int, payments: int = 2) -> list[int]:
    made = [make.merchant() for _ in range(count)]
    for merchant in made:
        for number in range(payments):
            make.payment(merchant, 100_00 + number, MONDAY)
    return made


def assert_settled_once(made: list[int], each: int) -> None:
    connections.close_all()
    assert [make.balance(merchant, "merchant_available") for merchant in made] == [each] * len(made)
    assert [make.balance(merchant, "merchant_pending") for merchant in made] == [0] * len(made)
    found = [finding for check in registries.invariant_checks for finding in check()]
    assert found == []
    assert set(Item.objects.values_list("state", flat=True)) == {"CLOSED"}
    assert set(Batch.objects.values_list("state", flat=True)) == {"CLOSED"}
    assert set(Run.objects.values_list("state", flat=True)) == {"DONE"}


@pytest.mark.django_db
class TestSettle:
    def test_says_what_it_settled_and_then_that_nothing_is_new(self):
        merchants(2)

        first, second = settle(), settle()

        assert first == {
            "run_date": "2026-03-03", "cycles": [1], "batches": 1, "items": 2, "lines": 4,
            "net": {"CNY": 400_02}, "retried": 0, "held_back": [],
        }  # fmt: skip
        assert second == {
            "run_date": "2026-03-03", "cycles": [], "batches": 0, "items": 0, "lines": 0,
            "net": {}, "retried": 0, "held_back": [],
        }  # fmt: skip

    def test_names_who_is_held_back_with_exit_code_1(self, monkeypatch):
        merchants(1)

        def refuse(**_: object) -> int:
            raise batches.errors.EntryConflict("not today")

        monkeypatch.setattr(items.journal, "post_bulk", refuse)

        with pytest.raises(CommandError) as refused:
            settle()

        assert refused.value.returncode == 1

    def test_previews_without_writing(self, capsys):
        merchants(1)

        call_command("settle", "--date", "2026-03-03", "--dry-run")

        assert "net 20001" in capsys.readouterr().out
        assert not Run.objects.exists()

    def test_previews_who_is_passed_over_in_both_forms(self, capsys):
        _good, frozen = merchants(2)
        merchant_state.stand(frozen, "FROZEN")
        number = make.Merchant.objects.get(id=frozen).merchant_no

        call_command("settle", "--date", "2026-03-03", "--dry-run")
        assert f"its merchant is frozen: {number}" in capsys.readouterr().out
        call_command("settle", "--date", "2026-03-03", "--dry-run", "--json")

        rows = json.loads(capsys.readouterr().out)
        assert [(row["merchant_no"] == number, row["passed_over"]) for row in rows] == [
            (False, ""), (True, "FROZEN"),
        ]  # fmt: skip


class TestTwoAtOnce:
    def test_settle_everything_once(self, cloned_db):
        made = merchants(12)

        both = [start("--inline", "--part-size", "2", "--threads", "2") for _ in range(2)]
        answers = [process.communicate(timeout=120) for process in both]

        assert [process.returncode for process in both] == [0, 0], answers
        assert_settled_once(made, 200_01)
        assert list(Run.objects.values_list("cycle", flat=True)) == [1]
        assert Line.objects.count() == 24

    def test_of_the_same_part_leave_one_winner(self, cloned_db):
        made = merchants(3)
        started = runs.start(run_date=TUESDAY)
        assert started is not None

        def work(_: int) -> None:
            runs.settle_part(run_id=started.run.id, part=1, at=make.NOON)

        assert list(runs._each([1, 2, 3, 4, 5], 5, work))  # one task, delivered five times at once

        assert_settled_once(made, 200_01)


class TestStartedAgain:
    @pytest.mark.parametrize("after", ["plan", "freeze", "post"])
    def test_goes_on_where_it_stopped(self, cloned_db, after):
        made = merchants(3)
        started = runs.start(run_date=TUESDAY, part_size=2)
        assert started is not None
        if after != "plan":
            batches.freeze(run=started.run, part=1, at=make.NOON)
        if after == "post":
            batches.post(run=started.run, part=1, at=make.NOON)

        make.payment(made[0], 5_00, MONDAY)  # came after the freezing: the next cycle's
        settle("--part-size", "2")
        settle()

        late = 0 if after == "plan" else 1  # what is not frozen yet still takes it in
        assert Item.objects.filter(merchant_id=made[0]).count() == 1 + late
        assert make.balance(made[0], "merchant_available") == 205_01
        assert_settled_once(made[1:], 200_01)

    def test_after_kill_9_ends_like_an_undisturbed_run(self, cloned_db):
        made, chance = merchants(60), random.Random(20260303)
        for _ in range(4):
            process = start("--inline", "--part-size", "1", "--threads", "1")
            deadline = time.monotonic() + 60
            until = Batch.objects.filter(state="CLOSED").count() + chance.randint(1, 12)
            while process.poll() is None and time.monotonic() < deadline:
                if Batch.objects.filter(state="CLOSED").count() >= until:
                    break
            process.kill()
            process.communicate()

        assert Batch.objects.exclude(state="CLOSED").exists()
        last = start("--inline")
        assert last.communicate(timeout=120)[1] == ""

        assert_settled_once(made, 200_01)
        assert Line.objects.count() == 120


class TestWorkers:
    def test_do_the_parts(self, cloned_db, broker, worker):
        made = merchants(6)

        process = start("--part-size", "2", "--wait", "30")
        answer, complaint = process.communicate(timeout=120)

        assert process.returncode == 0, complaint
        assert json.loads(answer)["items"] == 6
        assert_settled_once(made, 200_01)

    def test_that_do_not_answer_end_the_command_with_exit_code_3(self, cloned_db, broker):
        made = merchants(2)

        process = start("--wait", "1")
        _, complaint = process.communicate(timeout=60)

        assert process.returncode == 3
        assert "\n" not in complaint.strip()
        connections.close_all()
        assert settle()["items"] == 2  # the run stayed where it was
        assert_settled_once(made, 200_01)

    def test_without_a_broker_are_said_to_be_silent_too(self, cloned_db, monkeypatch, tmp_path):
        merchants(1)
        monkeypatch.setenv("CELERY_BROKER_URL", f"redis+socket://{tmp_path}/none")

        process = start("--wait", "1")
        _, complaint = process.communicate(timeout=60)

        assert (process.returncode, "\n" in complaint.strip()) == (3, False), complaint

    def test_get_what_is_due_from_the_beat(self, cloned_db, broker, worker, monkeypatch):
        made = merchants(2)
        script = (
            "import django; django.setup()\n"
            "from datetime import date\n"
            "from foundation import clock\n"
            "from settlement.services import run\n"
            "print(run.settle_due(run_date=date(2026, 3, 3), at=clock.now()))"
        )
        two_beats = [
            subprocess.run(
                [sys.executable, "-c", script],
                cwd=settings.BASE_DIR,
                env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
                check=True,
                capture_output=True,
            )
            for _ in range(2)
        ]
        assert two_beats[0].stdout == b"1\n"

        deadline = time.monotonic() + 60
        while Run.objects.filter(state="RUNNING").exists() and time.monotonic() < deadline:
            time.sleep(0.1)

        assert_settled_once(made, 200_01)
        assert sql.rows("SELECT count(*) AS runs FROM settlement_run") == [{"runs": 1}]

"""
A demo-size institution is settled and paid out by workers that are killed 20 times at random: the
end is that of a quiet day, and the channel paid each order once.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
from celery import current_app
from django.conf import settings
from django.core.management import call_command

from foundation import clock, sql
from foundation.csv_intake import Progress
from foundation.models import OutboxMessage
from foundation.services import outbox
from settlement.demo import data, day, people
from settlement.models import Batch, Item, PayoutAttempt, PayoutChannel, Withdrawal
from settlement.services import payout_statement, payout_watch
from tests.foundation.test_task_signals import broker
from tests.reliability.bank import Bank
from tests.reliability.state import differences, digest
from tests.reliability.sweep import broken, fresh

__all__ = ["broker"]

KILLS: Final = 20
SEED: Final = 20260213
DAYS: Final = 3  # business days that are settled under fire
WORKERS: Final = 2
PATIENCE_SECONDS: Final = 420
# The broker gives a killed worker's task to another after 5 s, and a slow one's too.
BROKER: Final = json.dumps({"visibility_timeout": 5, "unacked_restore_interval": 1})
TROUBLE: Final = (
    {"refuse": "ACCOUNT_CLOSED", "pay_after": None},
    {"answer": "timeout"},
    {"answer": "reset"},
    {"answer": "garbage"},
    {"pay_after": 2.0},
)
ENDED: Final = ("PAID", "FAILED")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_change_nothing(cloned_db, broker, tmp_path, settings, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_TRANSPORT_OPTIONS", BROKER)
    bank, days = institution(tmp_path)

    with fresh(cloned_db, bank.open):
        quiet_days(days)
        expected, steps = digest(), progress(days)
        assert broken() + bank.judge() == []

    chance = random.Random(SEED)
    with fresh(cloned_db, bank.open):
        fire = Fire(bank, tmp_path, chance, sorted(chance.sample(range(1, steps), KILLS)))
        try:
            fire.settle_and_pay(days)
        finally:
            fire.cease()
        reconcile()

        assert fire.kills == KILLS
        assert differences(expected, digest()) == []
        assert broken() + bank.judge() == []


def institution(folder: Path) -> tuple[Bank, list[date]]:
    """Make the demo's merchants, payments and refunds, settled up to the last days."""
    days = day.days()
    data.write(folder, days)
    merchants = day.found_institution(folder, quietly)
    for part in ("before", "last_day"):
        day.take_in(folder, part, quietly)
    day.settle_history(days[:-DAYS], quietly)
    people.bank_accounts(merchants, clock.now())
    PayoutChannel.objects.update(cooling_seconds=1)
    rules = [
        rule | {"order_no": f"W????{merchant.id:07d}-*", "times": None}
        for merchant, rule in zip(merchants, TROUBLE, strict=False)
    ]
    return Bank(folder / "bank", rules), days[-DAYS:]


def quiet_days(days: list[date]) -> None:
    """Settle and pay in this process, undisturbed."""
    for each in days:
        said = io.StringIO()
        call_command(
            "settle", "--date", f"{each}", "--inline", "--part-size", "1", stdout=said, stderr=said
        )
    ahead = timedelta(0)
    while not all_ended():
        outbox.drain(inline=True)
        ahead += timedelta(seconds=61)  # the clock of this beat runs fast
        payout_watch.do(clock.now() + ahead)
        time.sleep(0.1)
    reconcile()


class Fire:
    """Workers, a person who settles, a beat, and somebody who kills workers as work goes on."""

    def __init__(self, bank: Bank, folder: Path, chance: random.Random, at: list[int]) -> None:
        self.bank, self.log, self.chance, self.at = bank, folder / "workers.log", chance, at
        self.kills = 0
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "CHANNEL_SIMULATOR_URL": bank.channel.url,
            "CHANNEL_SIMULATOR_READ_TIMEOUT": "0.5",
        }
        self.workers = [self.worker(place) for place in range(WORKERS)]
        self.dead: list[subprocess.Popen[bytes]] = []

    def settle_and_pay(self, days: list[date]) -> None:
        waiting, deadline, beat_at = list(days), time.monotonic() + PATIENCE_SECONDS, 0.0
        person = self.settle(waiting[0])
        while person is not None or not all_ended():
            assert time.monotonic() < deadline, self.standing()
            if time.monotonic() > beat_at:
                beat_at = time.monotonic() + 1.0
                self.beat()
                send_again()
            if person is not None and person.poll() is not None:
                assert person.returncode in (0, 3), person.communicate()
                waiting = waiting[1:] if person.returncode == 0 else waiting
                person = self.settle(waiting[0]) if waiting else None
            if self.at and progress(days) >= self.at[0]:
                self.at.pop(0)
                self.kill()
            self.replace_the_dead()
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill -9 one worker's child, or the worker and leave its children, or all of them."""
        worker = self.chance.choice([one for one in self.workers if one.poll() is None])
        children = children_of(worker.pid)
        way = self.chance.choice(["child", "child", "worker", "all"]) if children else "all"
        if way == "all":
            os.killpg(worker.pid, signal.SIGKILL)
        else:
            victim = self.chance.choice(children) if way == "child" else worker.pid
            os.kill(victim, signal.SIGKILL)
        if way != "child":
            worker.wait(30)
        self.kills += 1

    def beat(self) -> None:
        """Two beats at once."""
        for _twice in range(2):
            for task in ("foundation.relay_outbox", "settlement.watch_payouts"):
                current_app.send_task(task, expires=5, retry=False)

    def settle(self, day: date) -> subprocess.Popen[bytes]:
        words = ["settle", "--skip-checks", "--date", f"{day}", "--part-size", "1", "--wait", "5"]
        return subprocess.Popen(
            [sys.executable, "manage.py", *words, "--json"],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def worker(self, place: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-c", "2"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--without-gossip", "--without-mingle", "-l", "error",
                 "-n", f"{place}-{self.chance.random()}@%h"],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def replace_the_dead(self) -> None:
        for place, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.dead.append(worker)
                self.workers[place] = self.worker(place)

    def cease(self) -> None:
        """End every worker, and the children that killed workers left behind."""
        for worker in (*self.workers, *self.dead):
            try:
                os.killpg(worker.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            worker.wait(30)

    def standing(self) -> str:
        """Say where it hangs."""
        open_items = list(Item.objects.exclude(state="CLOSED").values_list("id", "state"))
        attempts = PayoutAttempt.objects.exclude(status__in=["SUCCEEDED", "FAILED"])
        messages = OutboxMessage.objects.exclude(state="DONE")
        return (
            f"kills {self.kills}, items {open_items}, attempts {list(attempts.values())},"
            f" messages {list(messages.values())}, {self.log.read_text()[-2000:]}"
        )


def send_again() -> None:
    """
    Send again after 30 seconds what the outbox sends again after 20 minutes: the broker loses the
    message of a worker that is killed between taking it and writing down that it did.
    """
    sql.execute(
        "UPDATE foundation_outbox SET next_try_at = statement_timestamp() WHERE state = 'SENT'"
        " AND next_try_at BETWEEN statement_timestamp()"
        " AND statement_timestamp() + make_interval(secs => %s)",
        [(outbox.RESEND - timedelta(seconds=30)).total_seconds()],
    )


def progress(days: list[date]) -> int:
    """Return how many steps are done: batches settled, orders sent, withdrawals ended."""
    return (
        Batch.objects.filter(run_date__gte=days[0], state__in=["PAYING", "CLOSED"]).count()
        + PayoutAttempt.objects.exclude(status="READY").count()
        + Withdrawal.objects.filter(status__in=ENDED).count()
    )


def all_ended() -> bool:
    """Return whether everything that was promised is done."""
    return not (
        Withdrawal.objects.exclude(status__in=ENDED).exists()
        or Item.objects.exclude(state="CLOSED").exists()
        or Batch.objects.exclude(state="CLOSED").exists()
        or OutboxMessage.objects.exclude(state="DONE").exists()
    )


def reconcile() -> None:
    """Take the channel's day files in, for the case that midnight passed."""
    hour_ago = clock.now() - timedelta(hours=1)
    for each in sorted({clock.business_date(hour_ago), clock.business_date(clock.now())}):
        payout_statement.fetch(channel_code="simulator", day=each, at=clock.now())


def children_of(pid: int) -> list[int]:
    """Return the pool processes of a worker."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def quietly(_name: str) -> Progress:
    return lambda done, total: None

"""Senders that are stopped and come back, relays that die, clocks that go backwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections

from foundation import sql
from foundation.services import outbox
from settlement.models import PayoutAttempt, PayoutChannel, PayoutEvidence, Withdrawal
from settlement.services import payout as payouts
from settlement.services import payout_watch
from tests.factories import payout as make
from tests.factories.payout import NOON
from tests.foundation.test_task_signals import broker
from tests.reliability.bank import Bank
from tests.reliability.proxy import Proxy, Strike, writing_functions
from tests.reliability.sweep import Sweep, broken

__all__ = ["broker"]

SECOND = timedelta(seconds=1)
SENDING = 2  # the commit of `payouts.send` after which the order may leave


@pytest.fixture
def bank(cloned_db, tmp_path, settings):
    bank = Bank(tmp_path)
    with bank.open():
        yield bank


class TestASenderStoppedPastItsLease:
    """A real process is stopped right before it sends; the lease is lost, and it goes on."""

    @pytest.mark.parametrize("promised", [True, False])
    def test_pays_nothing_twice(self, bank, promised):
        PayoutChannel.objects.update(resend_promised=promised)
        made = make.request(make.payee())
        proxy = Proxy(os.environ["DATABASE_URL"], writing_functions(), Strike.LATE, SENDING)
        script = (
            "import django; django.setup()\n"
            "from settlement.services import payout\n"
            "from tests.factories.payout import NOON, address\n"
            f"address({bank.channel.url!r})\n"
            f"print(payout.send(merchant_id={made.merchant_id}, withdrawal_id={made.id}, at=NOON))"
        )
        connections.close_all()
        sender = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=settings.BASE_DIR,
            env=proxy.environment() | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        proxy.meanwhile = lambda: sender.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while state_of(sender.pid) != "T":
            assert time.monotonic() < deadline, sender.poll()
            time.sleep(0.02)

        assert PayoutAttempt.objects.get().status == "SENDING"
        assert payout_watch.do(NOON + 30 * SECOND) == 0  # its lease holds
        for step in (61, 67, 90, 200):
            payout_watch.do(NOON + step * SECOND)
        attempt = PayoutAttempt.objects.get()
        assert attempt.status == ("SUCCEEDED" if promised else "UNKNOWN")
        assert len(bank.channel.paid()) == promised

        sender.send_signal(signal.SIGCONT)
        said, complaint = sender.communicate(timeout=60)
        proxy.close()

        assert said.strip() == ("NOTHING" if promised else "PAY"), complaint
        assert bank.channel.paid() == [attempt.number]
        assert Withdrawal.objects.get().status == "PAID"
        assert broken() + bank.judge() == []

    def test_cannot_take_its_lease_back(self, bank):
        """NOT_SENT is believed only of who holds the lease: a resend needs that proof."""
        made = make.attempt("SENDING")
        payouts.recover(**made.key, at=NOON + 61 * SECOND)
        payouts.query(**made.key, at=NOON + 70 * SECOND)
        fence = made.fence

        make.news(made, make.Kind.NOT_SENT, source=make.Source.ANSWER, fence=fence, order_no="")

        attempt = make.fresh(made)
        assert (attempt.resend_at, attempt.fence > fence) == (None, True)


class TestARelayThatDies:
    @pytest.mark.parametrize("how", Strike)
    def test_loses_no_message(self, cloned_db, broker, how):
        merchant = make.payee(0).merchant_id
        for number in range(3):
            outbox.add(
                "foundation.purge_idempotency_keys", merchant_id=merchant, payload={"n": number}
            )

        def later() -> None:
            sql.execute("UPDATE foundation_outbox SET next_try_at = now(), lease_expires_at = NULL")
            outbox.drain(inline=True)

        sweep = Sweep(cloned_db, outbox.drain, later)

        assert sweep.sites[:4] == ["foundation_outbox"] * 4  # claimed, and three times sent
        assert {row.split("state=")[1] for row in sweep.expected["what the outbox promised"]} == {
            "DONE"
        }
        wrong = sweep.strike_all(how)
        assert not wrong, wrong


class TestAClockThatGoesBackwards:
    @pytest.mark.parametrize(
        ("rule", "ended"),
        [
            ({}, "PAID"),
            ({"answer": "timeout"}, "PAID"),
            ({"answer": "reset", "queries": ["timeout", "garbage"]}, "PAID"),
            ({"refuse": "NAME_MISMATCH", "pay_after": None}, "FAILED"),
        ],
    )
    def test_delays_and_changes_nothing_else(self, bank, rule, ended):
        bank.channel.rule(**rule)
        made = make.request(make.payee())
        payouts.send(**made.key, at=NOON)

        for step in (600, -3600, 5, 400, -90, 61, 30, 200, 10, 900, 20, 1800, 0, 3600, 7200):
            payout_watch.do(NOON + step * SECOND)

        made.refresh_from_db()
        assert made.status == ended
        assert bank.channel.submissions(PayoutAttempt.objects.get().number) == 1
        assert broken() + bank.judge() == []

    def test_keeps_a_dead_senders_lease_until_it_is_caught_up(self, bank):
        made = make.attempt("SENDING")

        assert payout_watch.do(NOON - 3600 * SECOND) == 0
        assert payout_watch.do(NOON + 59 * SECOND) == 0
        for step in (61, 70, 90):
            payout_watch.do(NOON + step * SECOND)

        assert make.fresh(made).status == "SUCCEEDED"
        assert PayoutEvidence.objects.filter(source="RECOVERY").count() == 1
        assert bank.judge() == []


def state_of(pid: int) -> str:
    """Return the state letter of a process; T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

"""News of payouts: called back, delivered many times, or lost with the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings as project
from django.db import connection
from django.test import Client

from channels.adapters.base import Kind
from foundation import clock
from foundation.services import outbox
from merchants.services import house
from settlement.models import (
    PayoutAttempt,
    PayoutCallback,
    PayoutCase,
    PayoutEvidence,
)
from settlement.services import payout as payouts
from settlement.services import payout_watch
from settlement.services.payout_verdict import Verdict
from tests import databases
from tests.factories import payout as make
from tests.factories.payout import NOON
from tests.settlement.attempts import (
    SECOND,
    channel,
    nobody,
    only,
    run,
    send,
    states,
)

__all__ = ["channel", "nobody"]  # fixtures


@pytest.mark.django_db
class TestCallback:
    @pytest.fixture
    def called(self, channel, monkeypatch):
        """What the simulator would send, handed over to the door by hand."""
        from channels.simulator import callbacks

        received: list[tuple[bytes, dict[str, str]]] = []
        monkeypatch.setattr(
            callbacks, "deliver", lambda url, body, headers: received.append((body, headers)) or ""
        )
        channel.control("callback-url", {"url": "http://127.0.0.1:9/"})

        def call(order_no: str, says: str = "truth") -> tuple[bytes, dict[str, str]]:
            before = len(received)
            channel.control("callbacks", {"order_no": order_no, "says": says})
            deadline = time.monotonic() + 5
            while len(received) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            return received[before]

        return call

    def post(self, body: bytes, headers: dict[str, str], code: str = "simulator"):
        return Client().post(
            f"/channels/{code}/callback", body, content_type="application/json", headers=headers
        )

    def test_ends_what_was_unknown_and_is_answered_after_the_commit(self, channel, called):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)

        answer = self.post(*called(only(made).number))

        assert (answer.status_code, answer.content) == (200, b"SUCCESS")
        assert states(made) == ("SUCCEEDED", "PAID")
        kept = PayoutCallback.objects.get()
        assert (kept.merchant_id, kept.order_no) == (made.merchant_id, only(made).number)

    def test_doubled_is_kept_once_and_changes_nothing(self, channel, called):
        made = make.request(make.payee())
        send(made)
        said = called(only(made).number)

        answers = [self.post(*said).content for _ in range(3)]

        assert answers == [b"SUCCESS"] * 3
        assert PayoutCallback.objects.count() == 1
        assert only(made).sequence == 3
        assert make.broken() == []

    @pytest.mark.parametrize("says", ["forged", "unsigned", "stale", "garbage"])
    def test_that_is_not_the_channels_is_kept_but_not_believed(self, channel, called, says):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)

        answer = self.post(*called(only(made).number, says))

        assert (answer.status_code, answer.content) == (400, b"callback_refused")
        assert states(made) == ("UNKNOWN", "PAYING")
        assert PayoutCallback.objects.count() == 1
        assert PayoutCase.objects.get().kind == "BAD_CALLBACK"

    def test_forged_first_does_not_shut_out_the_true_one(self, channel, called):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)
        body, headers = called(only(made).number)
        self.post(body, headers | {"X-Channel-Signature": "AAAA"})

        assert self.post(body, headers).status_code == 200
        assert states(made) == ("SUCCEEDED", "PAID")

    def test_that_contradicts_is_disputed(self, channel, called):
        made = make.request(make.payee())
        send(made)

        self.post(*called(only(made).number, "code:ACCOUNT_CLOSED"))

        assert states(made) == ("DISPUTED", "DISPUTED")

    def test_with_another_amount_is_a_case(self, channel, called):
        made = make.request(make.payee())
        channel.rule(answer="timeout")
        send(made)

        assert self.post(*called(only(made).number, "other_amount")).status_code == 200
        assert states(made) == ("UNKNOWN", "PAYING")
        assert PayoutCase.objects.get().kind == "MISMATCH"

    def test_about_an_order_nobody_knows_is_a_case_and_makes_no_attempt(self, channel, called):
        made = make.request(make.payee())
        send(made)

        answer = self.post(*called(only(made).number, "other_order"))

        assert answer.content == b"SUCCESS"
        case = PayoutCase.objects.get()
        assert (case.kind, case.merchant_id) == ("UNKNOWN_ORDER", house.house().id)
        assert PayoutAttempt.objects.count() == 1

    def test_of_a_return_gives_the_money_back(self, channel, called):
        account = make.payee()
        made = make.request(account)
        send(made)

        channel.server.engine.book.take_back(only(made).number)
        self.post(*called(only(made).number))

        assert states(made) == ("RETURNED", "RETURNED")
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 0)

    @pytest.mark.parametrize(
        ("code", "method", "body", "status"),
        [
            ("nobody", "post", b"{}", 404),
            ("simulator", "get", b"", 405),
            ("simulator", "post", b"x" * 65_537, 413),
            ("simulator", "post", b"\xff\x00", 400),
            ("simulator", "post", b'{"order_no": {"a": 1}}', 400),
            ("simulator", "post", b"[" * 10_000, 400),
            ("simulator", "post", b'{"order_no": "W\\u0000\\ud800"}', 400),
            ("simulator", "post", b'{"order_no": "W26030000001-000001-1", "code": 1}', 400),
        ],
    )
    def test_that_is_nonsense_is_refused_without_a_fault(self, channel, code, method, body, status):
        call = getattr(Client(), method)
        path = f"/channels/{code}/callback"

        answer = call(path) if method == "get" else call(path, body, content_type="text/plain")

        assert answer.status_code == status


class TestDelivery:
    def test_of_each_task_five_times_at_once_pays_once(self, cloned_db, channel):
        made = [make.request(make.payee()) for _ in range(4)]
        channel.rule(order_no=f"{made[0].number}*", answer="timeout")
        barrier = threading.Barrier(20)

        def deliver(place: int) -> None:
            try:
                barrier.wait(30)
                payouts.send(**made[place % 4].key, at=NOON)
            finally:
                connection.close()

        run(deliver, 20)

        assert sorted(channel.paid()) == sorted(f"{one.number}-1" for one in made)
        assert all(channel.submissions(f"{one.number}-1") == 1 for one in made)
        assert states(made[0]) == ("UNKNOWN", "PAYING")
        attempt = only(made[0])

        def ask(_place: int) -> None:
            try:
                payouts.query(**attempt.key, at=NOON + 5 * SECOND)
            finally:
                connection.close()

        run(ask, 5)
        assert states(made[0]) == ("SUCCEEDED", "PAID")
        assert PayoutEvidence.objects.filter(attempt=attempt, source="QUERY").count() == 1
        assert make.broken() == []

    def test_of_the_same_news_ten_times_at_once_books_once(self, cloned_db, nobody):
        attempt = make.attempt("UNKNOWN")
        verdicts: list[Verdict] = []

        def tell(_place: int) -> None:
            try:
                verdicts.append(make.news(attempt, Kind.SUCCESS))
            finally:
                connection.close()

        run(tell, 10)

        assert sorted(verdicts) == [*["NOTHING"] * 9, "PAY"]
        assert make.broken() == []

    def test_by_the_outbox_pays_and_tells(self, cloned_db, channel):
        make.request(make.payee())

        drained = outbox.drain(inline=True)

        assert (drained.done, drained.failed) == (2, 0)
        assert len(channel.paid()) == 1


_SEND = """
import django
django.setup()
from foundation import clock
from settlement.services import payout
payout.send(merchant_id={merchant_id}, withdrawal_id={withdrawal_id}, at=clock.now())
"""


class TestKill:
    @pytest.mark.parametrize("paid", [True, False])
    def test_between_sending_and_the_answer_is_found_out_by_asking(self, cloned_db, channel, paid):
        made = make.request(make.payee())
        # the channel decides at once and answers late: the worker dies in between
        channel.rule(
            latency=30, pay_after=0 if paid else None, refuse="" if paid else "NAME_MISMATCH"
        )
        code = _SEND.format(merchant_id=made.merchant_id, withdrawal_id=made.id)
        worker = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=project.BASE_DIR,
            env=os.environ
            | {
                "DATABASE_URL": databases.url("DATABASE_URL", cloned_db),
                "CHANNEL_SIMULATOR_URL": channel.url,
                "CHANNEL_SIMULATOR_SECRET": project.CHANNEL_SIMULATOR["secret"],
                "DJANGO_SETTINGS_MODULE": "config.settings.test",
            },
        )
        deadline = time.monotonic() + 20
        while channel.submissions(f"{made.number}-1") == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
        assert states(made) == ("SENDING", "PAYING")
        channel.control("reset-rules", {})

        at = clock.now() + 61 * SECOND
        assert payout_watch.do(at) == 1  # recovered: unknown, to be asked about
        assert payouts.send(**made.key, at=at) is None
        payout_watch.do(at + 60 * SECOND)
        payout_watch.do(at + 200 * SECOND)

        assert states(made) == (("SUCCEEDED", "PAID") if paid else ("FAILED", "FAILED"))
        assert channel.submissions(f"{made.number}-1") == 1
        assert len(channel.paid()) == paid
        assert make.broken() == []

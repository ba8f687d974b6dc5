"""Many requests at once over real HTTP: one effect each, and the same bytes for ever."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from django.db import connection

from foundation.models import IdempotencyKey
from merchants.models import BankAccount
from settlement.models import Withdrawal
from tests.api.caller import Caller, wish
from tests.factories import payout as make
from tests.servers import Served, serving

MANY = 50


class Said(NamedTuple):
    """One answer, byte for byte."""

    status: int
    body: bytes
    replayed: bool
    retry_after: str | None

    @property
    def code(self) -> str:
        return str(json.loads(self.body).get("code", ""))


class Program:
    """A merchant's program at the other end of a socket."""

    def __init__(self, served: Served, account: BankAccount) -> None:
        self.served, self.account = served, account
        self.caller = Caller(account.merchant)

    def ask(self, body: Any, key: str, path: str = "withdrawals") -> Said:
        """POST once over a connection of its own."""
        line = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=60)
        head = self.caller.head | {"Idempotency-Key": key, "Content-Type": "application/json"}
        try:
            line.request("POST", f"/api/v1/{path}", json.dumps(body).encode(), head)
            answer = line.getresponse()
            return Said(
                answer.status,
                answer.read(),
                answer.headers.get("Idempotency-Replayed") == "true",
                answer.headers.get("Retry-After"),
            )
        finally:
            line.close()

    def at_once(self, asked: Sequence[tuple[Any, str]]) -> list[Said]:
        """POST all of them at the same moment."""
        start = threading.Barrier(len(asked))

        def one(each: tuple[Any, str]) -> Said:
            start.wait()
            return self.ask(*each)

        with ThreadPoolExecutor(len(asked)) as threads:
            return list(threads.map(one, asked))


@pytest.fixture
def program(cloned_db: str, tmp_path: Path) -> Iterator[Program]:
    with serving(tmp_path, workers=3, threads=8) as served:
        yield Program(served, make.payee(100_00))


@pytest.fixture
def alone(cloned_db: str, tmp_path: Path) -> Iterator[Program]:
    """A program whose server has one worker: the one that is killed."""
    with serving(tmp_path, workers=1, threads=4) as served:
        yield Program(served, make.payee(100_00))


def held(account: BankAccount) -> tuple[int, int]:
    return make.balances(account.merchant_id)["merchant_available"]


class TestFiftyAtOnce:
    def test_of_the_same_have_one_effect_and_one_answer(self, program: Program) -> None:
        body = wish(program.account)

        said = program.at_once([(body, "same")] * MANY)

        stored = [each for each in said if each.status == 201]
        waiting = [each for each in said if each.status == 409]
        assert len(stored) >= 1
        assert len(stored) + len(waiting) == MANY, Counter(each.status for each in said)
        assert {each.code for each in waiting} <= {"request_in_flight"}
        assert all(int(each.retry_after or 0) >= 1 for each in waiting)
        assert len({each.body for each in stored}) == 1
        assert [each.replayed for each in stored].count(False) == 1
        later = program.at_once([(body, "same")] * MANY)
        assert {each[:3] for each in later} == {(201, stored[0].body, True)}
        assert Withdrawal.objects.count() == 1
        assert held(program.account) == (100_00, 10_00)
        assert make.broken() == []

    def test_of_which_the_money_covers_ten_are_ten(self, program: Program) -> None:
        asked = [(wish(program.account, order_no=f"A-{n}"), f"key-{n}") for n in range(MANY)]

        said = program.at_once(asked)

        assert Counter(each.status for each in said) == {201: 10, 409: 40}
        refused = {each.code for each in said if each.status == 409}
        assert refused == {"insufficient_available_balance"}
        assert program.at_once(asked) == [Said(each.status, each.body, True, None) for each in said]
        assert Withdrawal.objects.count() == 10
        assert held(program.account) == (100_00, 100_00)
        assert make.broken() == []

    def test_of_one_order_under_many_keys_are_one_withdrawal(self, program: Program) -> None:
        body = wish(program.account)

        said = program.at_once([(body, f"key-{n}") for n in range(MANY)])

        assert {each.status for each in said} == {201}
        assert len({json.loads(each.body)["number"] for each in said}) == 1
        assert held(program.account) == (100_00, 10_00)

    def test_that_cancel_one_give_the_money_back_once(self, program: Program) -> None:
        made = json.loads(program.ask(wish(program.account), "k").body)["number"]
        path = f"withdrawals/{made}/cancel"

        with ThreadPoolExecutor(20) as threads:
            said = list(threads.map(lambda n: program.ask({}, f"c-{n % 2}", path), range(20)))

        assert {each.status for each in said} <= {200, 409}
        assert [each.replayed for each in said if each.status == 200].count(False) == 1
        assert held(program.account) == (100_00, 0)
        assert make.broken() == []

    def test_of_a_used_key_with_another_body_are_refused(self, program: Program) -> None:
        first = program.ask(wish(program.account), "k")
        other = wish(program.account, amount_minor=10_01, order_no="B")

        said = program.at_once([(other, "k")] * 10)

        assert {(each.status, each.code) for each in said} == {(422, "idempotency_key_reused")}
        assert program.ask(wish(program.account), "k").body == first.body
        assert Withdrawal.objects.count() == 1


class TestAServerKilledInTheMiddle:
    """kill -9 while a request stands still at a lock; whoever comes back finds one effect."""

    def test_before_the_effect_does_it_once_when_asked_again(self, alone: Program) -> None:
        body = wish(alone.account)
        with owner() as first:
            first.execute("LOCK TABLE settlement_withdrawal IN ACCESS EXCLUSIVE MODE")
            asking = ask_and_fail(alone, body)
            wait_until(lambda: IdempotencyKey.objects.exists() and waiting())
            kill(alone, asking)

        self.comes_back(alone, body, before=0)

    def test_after_the_effect_finds_it_by_its_order_number(self, alone: Program) -> None:
        body = wish(alone.account)
        with owner() as second:
            with owner() as first:
                first.execute("LOCK TABLE settlement_withdrawal IN ACCESS EXCLUSIVE MODE")
                asking = ask_and_fail(alone, body)
                wait_until(lambda: IdempotencyKey.objects.exists() and waiting())
                second.execute("SELECT id FROM foundation_idempotency FOR UPDATE")
            wait_until(lambda: Withdrawal.objects.exists() and waiting())
            kill(alone, asking)

        self.comes_back(alone, body, before=1)

    def comes_back(self, program: Program, body: Any, *, before: int) -> None:
        assert Withdrawal.objects.count() == before
        wait_until(lambda: answers(program, body))
        early = program.ask(body, "k")
        assert (early.status, early.code) == (409, "request_in_flight")
        assert Withdrawal.objects.count() == before
        with owner() as clock:
            clock.execute("UPDATE foundation_idempotency SET lease_expires_at = now()")

        said = program.at_once([(body, "k")] * 10)

        done = [each for each in said if each.status == 201]
        assert {each.status for each in said} <= {201, 409}
        assert [each.replayed for each in done].count(False) == 1
        assert {each.body for each in done} == {program.ask(body, "k").body}
        assert Withdrawal.objects.count() == 1
        assert held(program.account) == (100_00, 10_00)
        assert make.broken() == []


def owner() -> psycopg.Connection[Any]:
    """Connect as the owner; the block is one transaction."""
    return psycopg.connect(os.environ["DATABASE_OWNER_URL"])


def ask_and_fail(program: Program, body: Any) -> threading.Thread:
    """Ask in the background; the answer never comes."""

    def ask() -> None:
        with pytest.raises((http.client.HTTPException, OSError)):
            program.ask(body, "k")

    asking = threading.Thread(target=ask)
    asking.start()
    return asking


def kill(program: Program, asking: threading.Thread) -> None:
    """Kill the worker and end what the database still does for it."""
    for worker in program.served.workers():
        os.kill(worker, signal.SIGKILL)
    asking.join(30)
    assert not asking.is_alive()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({_WAITING}) AS waiting")


_WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename = current_user AND wait_event_type = 'Lock'"
)


def waiting() -> bool:
    """Return whether the server stands still at a lock."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        return cursor.fetchone() is not None


def answers(program: Program, body: Any) -> bool:
    """Return whether the new worker answers already."""
    try:
        return program.ask(body, "k").status == 409
    except OSError:
        return False


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)

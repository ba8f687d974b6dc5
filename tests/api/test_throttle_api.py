"""How often a key may ask: one count for all processes, and nobody is hurt by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from foundation import clock
from foundation.models import IdempotencyKey
from tests.api.caller import Caller, wish
from tests.factories import payout as make
from tests.factories.merchants import MerchantFactory
from tests.servers import serving, valkey

REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.fixture
def counters(settings: Any) -> Iterator[Path]:
    """Counters of our own, as in production; yields their socket."""
    with valkey() as place:
        settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": f"unix://{place}?db=1"}}
        yield place


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A clock that stands still where it is put, ten seconds before the minute is over."""
    stands = [clock.now().replace(second=50)]
    monkeypatch.setattr(clock, "now", lambda: stands[0])
    return stands


@pytest.mark.django_db
class TestTooManyRequests:
    def test_say_when_to_come_back(self, counters: Path, at: list[Any], settings: Any) -> None:
        settings.API_READ_PER_MINUTE = 2
        caller, other = Caller(MerchantFactory()), Caller(MerchantFactory())
        chinese = {"Accept-Language": "zh-CN"}

        said = [caller.get("balances") for _n in range(3)]
        caller.head |= chinese
        in_chinese = caller.get("balances")

        assert [each.status_code for each in said] == [200, 200, 429]
        assert said[2]["Retry-After"] == "10"
        assert said[2]["Content-Type"] == "application/problem+json"
        assert said[2].json()["code"] == "throttled"
        assert "10" in said[2].json()["detail"]
        assert "秒" in in_chinese.json()["detail"]
        assert other.get("balances").status_code == 200
        at[0] += timedelta(seconds=10)
        assert caller.get("balances").status_code == 200

    def test_do_not_begin_anything(self, counters: Path, at: list[Any], settings: Any) -> None:
        settings.API_WRITE_PER_MINUTE = 1
        account = make.payee(100_00)
        caller = Caller(account.merchant)
        assert caller.post("withdrawals", wish(account, order_no="A"), key="a").status_code == 201

        late = caller.post("withdrawals", wish(account, order_no="B"), key="b")

        assert late.status_code == 429
        assert not IdempotencyKey.objects.filter(key="b").exists()
        at[0] += timedelta(seconds=10)
        assert caller.post("withdrawals", wish(account, order_no="B"), key="b").status_code == 201

    def test_are_none_when_they_only_repeat(
        self, counters: Path, at: list[Any], settings: Any
    ) -> None:
        settings.API_WRITE_PER_MINUTE = 3
        account = make.payee(100_00)
        caller = Caller(account.merchant)

        said = [caller.post("withdrawals", wish(account)) for _n in range(10)]

        assert {each.status_code for each in said} == {201}
        more = [
            caller.post("withdrawals", wish(account, order_no=f"B{n}"), key=f"b{n}").status_code
            for n in range(3)
        ]
        assert more == [201, 201, 429]

    def test_of_one_kind_leave_the_other(
        self, counters: Path, at: list[Any], settings: Any
    ) -> None:
        settings.API_READ_PER_MINUTE = 1
        settings.API_WRITE_PER_MINUTE = 1
        account = make.payee(100_00)
        caller = Caller(account.merchant)

        codes = [caller.get("balances").status_code for _n in range(2)]

        assert codes == [200, 429]
        assert caller.post("withdrawals", wish(account)).status_code == 201

    def test_are_let_in_when_nobody_can_count(self, settings: Any, tmp_path: Path) -> None:
        settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": f"unix://{tmp_path}/none"}}
        settings.API_READ_PER_MINUTE = 1
        settings.API_WRITE_PER_MINUTE = 1
        account = make.payee(100_00)
        caller = Caller(account.merchant)

        codes = [caller.get("balances").status_code for _n in range(3)]
        codes += [caller.post("withdrawals", wish(account)).status_code for _n in range(2)]

        assert codes == [200, 200, 200, 201, 201]

    def test_are_none_without_a_limit(self, counters: Path, settings: Any) -> None:
        settings.API_READ_PER_MINUTE = 0
        caller = Caller(MerchantFactory())

        assert {caller.get("balances").status_code for _n in range(20)} == {200}


def test_all_processes_count_together(cloned_db: str, tmp_path: Path) -> None:
    caller = Caller(MerchantFactory())

    def ask(port: int) -> int:
        line = HTTPConnection("127.0.0.1", port, timeout=60)
        line.request("GET", "/api/v1/balances", headers=caller.head)
        answer = line.getresponse()
        answer.read()
        line.close()
        return answer.status

    with valkey() as place:
        limit = {"CACHE_URL": f"unix://{place}?db=1", "API_READ_PER_MINUTE": "10"}
        with serving(tmp_path, workers=3, threads=4, **limit) as served:
            while time.time() % 60 > 50:  # a new minute counts anew
                time.sleep(0.5)
            with ThreadPoolExecutor(10) as threads:
                said = list(threads.map(ask, [served.port] * 40))

    assert sorted(said) == [200] * 10 + [429] * 30

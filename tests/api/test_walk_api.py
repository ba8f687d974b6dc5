"""Every route of version 1, walked: whose book, which scope, which header, how many queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from merchants.models import Scope
from settlement.models import Withdrawal
from tests.api.caller import PAYMENT, Caller, routes, wish
from tests.api.world import World
from tests.factories import payout as make
from tests.factories.merchants import MerchantFactory

MOST_QUERIES = 12  # of any request, however many rows its page has


@dataclass(frozen=True)
class Route:
    """How a route is asked: what it needs beside the merchant, and which of its lists it is."""

    noun: str = ""  # whose number stands in the address
    query: dict[str, str] = field(default_factory=dict)
    key: str = ""  # of a list: what tells its items apart


# Whoever adds a route adds it here, and so has it walked.
ROUTES = {
    "me": Route(),
    "balances": Route(),
    "balances/<str:currency>": Route("currency"),
    "statement-entries": Route(query={"currency": "CNY", "account": "pending"}, key="seq line_no"),
    "payments": Route(key="payment_no"),
    "payments/<str:number>": Route("payment"),
    "refunds": Route(key="refund_no"),
    "refunds/<str:number>": Route("refund"),
    "registrations": Route(key="channel"),
    "settlement-batches": Route(key="number"),
    "settlement-batches/<str:number>": Route("settlement"),
    "settlement-batches/<str:number>/lines": Route("settlement", key="kind number"),
    "withdrawals": Route(key="number"),
    "withdrawals/<str:number>": Route("withdrawal"),
    "withdrawals/<str:number>/cancel": Route("withdrawal"),
}


def path_of(world: World, pattern: str) -> str:
    """Return the address of a route, with the shop's own numbers in it."""
    number = world.numbers.get(ROUTES[pattern].noun, "")
    return pattern.replace("<str:number>", number).replace("<str:currency>", number)


def scopes_of(view: Any) -> dict[str, Scope | None]:
    return dict(view.required_scopes)


def pages(caller: Caller, path: str, query: dict[str, str], limit: int) -> list[list[Any]]:
    """Return the pages of a list, by their cursors."""
    found: list[list[Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = caller.get(path, limit=limit, **query, **more)
        assert answer.status_code == 200, answer.content
        found.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        assert len(found) < 500, "a list without end"
    return found


def keys(items: Sequence[Any], names: str) -> list[tuple[Any, ...]]:
    return [tuple(item[name] for name in names.split()) for item in items]


def test_every_route_is_walked() -> None:
    assert {pattern for pattern, _view in routes()} == set(ROUTES)


@pytest.mark.django_db
class TestEveryRoute:
    def test_answers_404_for_what_is_another_merchants(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        stranger = Caller(make.payee(100_00).merchant)
        theirs = world.shop.merchant.merchant_no
        before = Withdrawal.objects.count()

        for pattern, view in routes():
            route, path = ROUTES[pattern], path_of(world, pattern)
            if "GET" in view.required_scopes:
                assert world.owner.get(path, **route.query).status_code == 200, path
                if route.noun and route.noun != "currency":
                    assert stranger.get(path, **route.query).status_code == 404, path
                for merchant_no in (theirs, "HOUSE", "nobody"):
                    named = stranger.get(path, **route.query, merchant_no=merchant_no)
                    assert named.status_code == 404, (path, merchant_no)
            if "POST" in view.required_scopes and route.noun:
                assert stranger.post(path, {}).status_code == 404, path
                at_theirs = stranger.post(f"{path}?merchant_no={theirs}", {})
                assert at_theirs.status_code == 404, path

        assert stranger.post("withdrawals", wish(world.shop.account)).status_code == 404
        body = wish(world.shop.account)
        named = stranger.post(f"withdrawals?merchant_no={theirs}", body, key="k-2")
        assert named.status_code == 404
        assert Withdrawal.objects.count() == before
        assert not Withdrawal.objects.exclude(status="HELD").exists()

    def test_that_writes_wants_an_idempotency_key(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        bodies = {
            "payments": PAYMENT | {"merchant_no": world.shop.merchant.merchant_no},
            "withdrawals": wish(world.shop.account, order_no="new"),
            "withdrawals/<str:number>/cancel": {},
        }
        writing = {pattern for pattern, view in routes() if "POST" in view.required_scopes}
        assert writing == set(bodies)

        for pattern in writing:
            caller = Caller(None, "payments:record") if pattern == "payments" else world.owner
            path = path_of(world, pattern)
            missing = caller.post(path, bodies[pattern], key=None)
            blank = caller.post(path, bodies[pattern], key="with a blank")

            said = [missing.json()["code"], blank.json()["code"]]
            assert (missing.status_code, blank.status_code) == (400, 400), path
            assert said == ["idempotency_key_missing", "idempotency_key_malformed"]
        assert not Withdrawal.objects.exclude(status="HELD").exists()
        assert not Withdrawal.objects.filter(order_no="new").exists()

    def test_is_open_to_its_scope_alone(self) -> None:
        merchant = MerchantFactory()
        for pattern, view in routes():
            for method, scope in scopes_of(view).items():
                if scope is None:
                    continue
                house = scope == Scope.PAYMENTS_RECORD
                others = [s for s in Scope if s not in (scope, Scope.PAYMENTS_RECORD)]
                book = None if house else merchant
                without = Caller(book, *others, name=f"not {pattern} {method}")
                only = Caller(book, str(scope), name=f"only {pattern} {method}")
                path = pattern.replace("<str:number>", "x").replace("<str:currency>", "CNY")

                refused, let_in = (
                    each.get(path, merchant_no=merchant.merchant_no)
                    if method == "GET"
                    else each.post(path, {})
                    for each in (without, only)
                )

                assert refused.status_code == 403, (method, path, refused.content)
                assert str(scope) in refused.json()["detail"]
                assert let_in.status_code in (200, 400, 404), (method, path, let_in.content)

    def test_asks_few_queries_and_pages_by_key(self, tmp_path: Path) -> None:
        world = World(tmp_path, days=14)

        for pattern, view in routes():
            route, path = ROUTES[pattern], path_of(world, pattern)
            if "GET" not in view.required_scopes:
                continue
            whole = {"limit": 200} if route.key else {}
            with CaptureQueriesContext(connection) as asked:
                answer = world.owner.get(path, **route.query, **whole)
            assert answer.status_code == 200, answer.content
            statements = [query["sql"] for query in asked.captured_queries]
            assert len(statements) <= MOST_QUERIES, (path, statements)
            assert not any(re.search("OFFSET [1-9]", said) for said in statements), path
            if not route.key:
                continue
            items = answer.json()["items"]
            assert len(items) >= (3 if pattern.endswith("lines") else 5), path

            for limit in (1, 3):
                found = pages(world.owner, path, route.query, limit)
                assert {len(page) for page in found[:-1]} <= {limit}, path
                assert keys([item for page in found for item in page], route.key) == keys(
                    items, route.key
                ), path
            assert len(set(keys(items, route.key))) == len(items), path

    def test_that_lists_refuses_a_cursor_of_another_list(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        lists = {pattern: route for pattern, route in ROUTES.items() if route.key}
        cursors = {
            pattern: world.owner.get(path_of(world, pattern), limit=1, **route.query).json()[
                "next_cursor"
            ]
            for pattern, route in lists.items()
        }

        for pattern, route in lists.items():
            path = path_of(world, pattern)
            foreign = [cursor for name, cursor in cursors.items() if name != pattern]
            for cursor in [*foreign, "made-up", "W10:x:y", cursors[pattern] + "x"]:
                answer = world.owner.get(path, **route.query, cursor=cursor)
                assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid"), path

    def test_says_in_chinese_what_it_says_in_english(self) -> None:
        caller = Caller(make.payee().merchant)
        asked = {"limit": "x", "unknown": "1"}

        english = caller.get("payments", **asked).json()
        caller.head |= {"Accept-Language": "zh-CN,zh;q=0.9"}
        chinese = caller.get("payments", **asked).json()

        assert [each["field"] for each in chinese["errors"]] == ["limit", "unknown"]
        assert [each["reason"] for each in chinese["errors"]] == [
            each["reason"] for each in english["errors"]
        ]
        for text in (chinese["detail"], *(each["message"] for each in chinese["errors"])):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text), text

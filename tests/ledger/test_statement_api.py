"""The statement as programs read it: pages of one moment that add up."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from foundation import clock
from ledger.api.statement import ACCOUNTS, OPERATIONS
from ledger.models import Ability
from tests.api.caller import Caller
from tests.api.world import World
from tests.factories import payout as make
from tests.factories.merchants import MerchantFactory


@pytest.mark.django_db
class TestStatementEntries:
    def test_add_up_over_pages_while_money_moves(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        asked = {"currency": "CNY", "account": "available", "limit": 2}
        first = world.owner.get("statement-entries", **asked).json()
        seen, page = list(first["items"]), first
        make.fund(world.shop.merchant, 77_00)

        while page["next_cursor"]:
            page = world.owner.get("statement-entries", **asked, cursor=page["next_cursor"]).json()
            assert page["closing_minor"] == first["closing_minor"]
            seen += page["items"]

        assert len(seen) > 4
        assert first["opening_minor"] == 0
        assert sum(each["amount_minor"] for each in seen) == first["closing_minor"]
        assert seen[0]["balance_after_minor"] == first["closing_minor"]
        for newer, older in itertools.pairwise(seen):
            before = newer["balance_after_minor"] - newer["amount_minor"]
            assert older["balance_after_minor"] == before
        now = world.owner.get("statement-entries", **asked).json()
        assert now["closing_minor"] == first["closing_minor"] + 77_00

    def test_name_payments_refunds_and_settlements_by_their_numbers(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        asked = {"currency": "CNY", "account": "pending", "limit": 200}

        items = world.owner.get("statement-entries", **asked).json()["items"]

        by = {each["operation"]: each["reference"] for each in items}
        assert set(by) == {"clear", "refund", "settle"}
        assert world.owner.get(f"payments/{by['clear']}").status_code == 200
        assert world.owner.get(f"refunds/{by['refund']}").status_code == 200
        settled = world.owner.get(f"settlement-batches/{by['settle']}").json()
        assert settled["number"] == by["settle"]

    def test_can_be_of_one_operation_and_of_some_days(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        asked = {"currency": "CNY", "account": "pending"}
        whole = world.owner.get("statement-entries", **asked, limit=200).json()
        for operation in ("clear", "refund", "settle"):
            seen, cursor = [], ""
            while cursor is not None:
                more = {"cursor": cursor} if cursor else {}
                page = world.owner.get(
                    "statement-entries", **asked, operation=operation, limit=1, **more
                ).json()
                seen += page["items"]
                cursor = page["next_cursor"]
            expected = [each for each in whole["items"] if each["operation"] == operation]
            assert seen == expected, operation

        tomorrow = clock.business_date(clock.now()) + timedelta(days=1)
        later = world.owner.get("statement-entries", **asked, since=tomorrow.isoformat()).json()
        today = world.owner.get("statement-entries", **asked, until=tomorrow.isoformat()).json()
        assert (later["items"], later["opening_minor"]) == ([], whole["closing_minor"])
        assert today["closing_minor"] == whole["closing_minor"]

    def test_of_an_account_that_was_never_opened_are_none(self) -> None:
        answer = Caller(MerchantFactory()).get("statement-entries", currency="KWD")

        assert answer.json() == {
            "account": "available",
            "currency": "KWD",
            "opening_minor": 0,
            "closing_minor": 0,
            "items": [],
            "next_cursor": None,
        }

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({}, "currency"),
            ({"currency": "XXY"}, "currency"),
            ({"currency": "CNY", "account": "channel_cost"}, "account"),
            ({"currency": "CNY", "operation": "earn"}, "operation"),
            ({"currency": "CNY", "since": "2026-02-30"}, "since"),
            ({"currency": "CNY", "since": "20260201"}, "since"),
            ({"currency": "CNY", "until": "0001-01-01"}, "until"),
            ({"currency": "CNY", "since": "2026-02-02", "until": "2026-02-01"}, "until"),
        ],
    )
    def test_refuse_what_cannot_be_asked(self, query: dict[str, str], field: str) -> None:
        answer = Caller(MerchantFactory()).get("statement-entries", **query)

        assert answer.status_code == 400
        assert [each["field"] for each in answer.json()["errors"]] == [field]

    def test_know_every_operation_of_the_ability_table(self) -> None:
        kinds = [f"merchant_{account}" for account in ACCOUNTS]
        found = Ability.objects.filter(account_kind__in=kinds).values_list("operation", flat=True)

        assert set(found) == set(OPERATIONS)

"""The process map misses no door, proposal or move, and says of rights what is enforced."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from inspect import isclass
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from foundation import registries, roles
from foundation.admin import matrix
from merchants.models import Membership
from merchants.models.membership import ROLE_ABILITIES
from settlement.processes import PROCESSES
from settlement.processes import chart as process_map
from tests.config.test_rights import NOBODY, client_of, somebody
from tests.config.test_write_doors import GUARDED, UNGUARDED, addresses, named
from tests.databases import PACKAGES, ROOT
from tests.factories import portal
from tests.factories.merchants import MerchantFactory

STAGES = {
    f"{process.key}.{stage.key}": (process, place, stage)
    for process in PROCESSES
    for place, stage in enumerate(process.stages)
}
DECISIONS = {"step foundation.approval.approve", "step foundation.approval.reject",
             "step foundation.approval.withdraw"}  # fmt: skip


def tables_of_moves() -> Iterator[tuple[str, dict[Enum, frozenset[Enum]]]]:
    """Yield every table TRANSITIONS of every model, by the model's label."""
    for package in PACKAGES:
        for path in sorted((ROOT / package / "models").glob("*.py")):
            module = import_module(f"{package}.models.{path.stem}")
            own = [one for one in vars(module).values() if isclass(one)]
            for holder in (module, *own):
                table = vars(holder).get("TRANSITIONS")
                if table and (holder is module or holder.__module__ == module.__name__):
                    model = type(next(iter(table))).__qualname__.partition(".")[0]
                    yield f"{package}.{model}", table


class TestNothingIsMissing:
    def test_every_door_that_writes_is_at_exactly_one_stage(self) -> None:
        there = {door for row in (*GUARDED, *UNGUARDED) for door in named(row)} | DECISIONS
        placed = Counter(door for _p, _n, stage in STAGES.values() for door in stage.doors)

        assert sorted(there - set(placed)) == []  # a new door: to which process does it belong?
        assert sorted(set(placed) - there) == []
        assert [door for door, times in placed.items() if times > 1] == []

    def test_every_kind_of_proposal_is_decided_at_one_stage(self) -> None:
        placed = Counter(kind for _p, _n, stage in STAGES.values() for kind in stage.decides)

        assert placed == Counter(name for name, _action in registries.approval_actions.items())

    def test_every_move_of_a_state_is_at_one_stage(self) -> None:
        there = {
            (label, str(before), str(after))
            for label, table in tables_of_moves()
            for before, afters in table.items()
            for after in afters
        }
        placed = Counter(step for _p, _n, stage in STAGES.values() for step in stage.steps())

        assert len(there) > 40
        assert sorted(there - set(placed)) == []
        assert sorted(set(placed) - there) == []
        assert [step for step, times in placed.items() if times > 1] == []

    def test_every_stage_has_a_duty_rules_that_exist_and_followers_that_exist(self) -> None:
        text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/rules").glob("*"))
        known = set(re.findall(r"^\| ([A-Z]+-\d+) \|", text, re.MULTILINE))
        assert len(STAGES) == sum(len(process.stages) for process in PROCESSES)
        for key, (process, place, stage) in STAGES.items():
            assert str(stage.duty), key
            assert stage.rules, key
            assert set(stage.rules) <= known, key
            assert set(process_map.followers(process, place)) <= set(STAGES), key
            assert not (stage.within and stage.deadline), key


class TestWhoMay:
    def test_is_what_the_matrix_says_of_every_step_page_and_decision(self) -> None:
        table = {one.door: one for one in matrix.operations()}
        seen = 0
        for chart in process_map.charts():
            for station in chart.stations:
                for door in station.doors:
                    name = door.name.replace("admin:", "page ")
                    if not name.startswith(("page ", "step ")):
                        assert door.roles == frozenset(), door
                        continue
                    one, seen = table[name], seen + 1
                    write = roles.WRITES.get(name.removeprefix("page "), "")
                    may = {
                        key
                        for key, role in roles.ROLES.items()
                        if one.allowed(role) and (not write or roles.grants(role, write))
                    }
                    assert door.roles == may, door
                    assert door.who, door
        for kind, action in registries.approval_actions.items():
            one = table[f"decide {kind}"]
            may = {key for key, role in roles.ROLES.items() if one.allowed(role)}
            assert process_map._decision(kind).roles == may
            assert process_map._decision(kind).right == action.permission

    def test_is_said_of_every_door(self) -> None:
        silent = [
            door.name
            for chart in process_map.charts()
            for station in chart.stations
            for door in station.doors
            if not door.who
        ]

        assert silent == []

    @pytest.mark.django_db
    @pytest.mark.parametrize("name", sorted(roles.WRITES))
    def test_writes_on_a_page_is_refused_by_the_page(self, name: str) -> None:
        merchant = MerchantFactory.create()
        words = {"merchant_id": merchant.pk} if name == "settlement_closing" else {}
        path = reverse(f"admin:{name}", kwargs=words)
        for role in roles.ROLES.values():
            key = next(key for key, one in roles.ROLES.items() if one is role)
            refused = client_of(somebody(key)).post(path).status_code == 403
            assert refused is not roles.grants(role, roles.WRITES[name]), key

    @pytest.mark.django_db
    @pytest.mark.parametrize("role", sorted(ROLE_ABILITIES))
    def test_of_a_merchants_page_is_what_the_page_does(self, role: str) -> None:
        merchant = MerchantFactory.create()
        client = Client()
        client.force_login(portal.member(merchant, role, language="en"))
        label = Membership.Role(role).label
        paths = {address.name: address.words for address in addresses()}
        asked = 0
        with translation.override("en"):
            doors = [
                door
                for chart in process_map.charts()
                for station in chart.stations
                for door in station.doors
                if door.name.startswith("portal:") and paths[door.name] == ("merchant_id",)
            ]
            label = str(label)
        for door in doors:
            answer = client.post(reverse(door.name, kwargs={"merchant_id": merchant.pk}))
            assert (answer.status_code == 403) is (label not in door.who.split(", ")), door
            asked += 1

        assert asked > 5


@pytest.mark.django_db
class TestThePage:
    @pytest.mark.parametrize("role", [*roles.ROLES, NOBODY])
    def test_is_open_to_all_of_staff(self, role: str) -> None:
        assert (
            client_of(somebody(role)).get(reverse("admin:settlement_processes")).status_code == 200
        )

    def test_speaks_both_languages_and_asks_no_more_than_any_page(
        self, django_assert_max_num_queries
    ) -> None:
        for language, said in (("en", "Taking a merchant on"), ("zh-hans", "商户进件")):
            user = somebody("auditor")
            user.language = language
            user.save()
            client = client_of(user)
            with django_assert_max_num_queries(15):
                page = client.get(reverse("admin:settlement_processes")).content.decode()

            assert said in page
            assert "merchants.review_application" in page


class TestTheCommand:
    def test_says_the_same_as_text_and_as_json(self) -> None:
        out, text = StringIO(), StringIO()
        call_command("process_map", "--json", stdout=out)
        call_command("process_map", stdout=text)
        found = json.loads(out.getvalue())

        assert {f"{stage['key']}" for chart in found for stage in chart["stations"]} == set(STAGES)
        review = next(
            stage
            for chart in found
            for stage in chart["stations"]
            if stage["key"] == "opening.review"
        )
        assert review["doors"][0]["roles"] == ["reviewer"]
        assert review["doors"][0]["right"] == "merchants.review_application"
        assert "merchants.review_application" in text.getvalue()


class TestChinese:
    def test_is_spoken_of_every_table_move_and_stage(self) -> None:
        with translation.override("zh-hans"):
            english = {
                text
                for chart in process_map.charts()
                for one in chart.stations
                for text in (chart.title, one.title, one.duty, *one.data, *one.moves)
                if text.isascii()
            }

        assert english == set()

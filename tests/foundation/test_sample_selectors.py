"""Audit samples: the same seed finds the same rows again, and every row has its chance."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from foundation.models import AuditEvent, History
from foundation.selectors import sample as samples
from foundation.services import approval as approvals
from tests.factories.foundation import UserFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def fill(merchant_id: int) -> Any:
    maker = UserFactory()

    def more(count: int) -> None:
        for number in range(count):
            approvals.propose(
                action="settlement.withdrawal", merchant_id=merchant_id,
                subject=f"W{number}-{History.objects.count()}-{maker.pk}-{fill_number()}",
                before={}, after={}, money_effect=None, reason="r", maker=maker, at=NOON,
                expires_at=NOON + timedelta(days=1),
            )  # fmt: skip

    counter = iter(range(10**6))

    def fill_number() -> int:
        return next(counter)

    more(40)
    return more


def keys(drawn: samples.Sample) -> list[int]:
    return [row.pk for row in drawn.rows]


class TestDraw:
    @pytest.mark.parametrize("small", [20_000, 0])  # read all keys, or draw them
    def test_finds_the_same_rows_again_whatever_came_since(self, fill, small, monkeypatch):
        monkeypatch.setattr(samples, "_SMALL", small)
        first = samples.draw("approvals", seed=7, size=10)
        fill(20)
        again = samples.draw("approvals", seed=7, size=10, up_to=first.up_to)

        assert keys(again) == keys(first)
        assert len(set(keys(first))) == 10
        assert keys(samples.draw("approvals", seed=8, size=10)) != keys(first)

    @pytest.mark.parametrize("small", [20_000, 0])
    def test_gives_every_row_its_chance(self, fill, small, monkeypatch):
        monkeypatch.setattr(samples, "_SMALL", small)
        times = Counter(
            key for seed in range(60) for key in keys(samples.draw("approvals", seed=seed, size=10))
        )

        assert len(times) == 40
        assert max(times.values()) < 40  # of 60 draws, 15 on the average

    def test_of_fewer_rows_than_asked_is_all_of_them(self, fill):
        assert len(keys(samples.draw("approvals", seed=1, size=500))) == 40
        assert keys(samples.draw("payments", seed=1, size=5)) == []

    @pytest.mark.parametrize(
        "asked", [{"seed": -1}, {"seed": 2**63}, {"size": 0}, {"size": 501}, {"up_to": -1}]
    )
    def test_refuses_what_is_none(self, asked):
        with pytest.raises(samples.SampleRefused):
            samples.draw("approvals", **({"seed": 1, "size": 5} | asked))


class TestTheCommand:
    def run(self, *options: str) -> str:
        said = StringIO()
        call_command("audit", "sample", *options, stdout=said)
        return said.getvalue()

    def test_prints_the_same_twice_and_writes_nothing(self, fill):
        before = AuditEvent.objects.count(), History.objects.count()
        first = self.run("--seed=7", "--size=5", "--json")
        found = json.loads(first)

        assert first == self.run("--seed=7", "--size=5", "--json")
        assert [one["source"] for one in found] == ["approvals", "payments", "payouts"]
        assert len(found[0]["rows"]) == 5
        up_to = found[0]["up_to"]
        text = self.run("--seed=7", "--size=5", "--source=approvals", f"--up-to={up_to}")
        assert text.startswith(f"approvals: seed 7, size 5 of 5, up to {up_to}")
        assert (AuditEvent.objects.count(), History.objects.count()) == before

    def test_refuses_in_a_sentence(self):
        with pytest.raises(CommandError, match="500"):
            self.run("--seed=7", "--size=0")
        with pytest.raises(CommandError, match="--up-to belongs to one"):
            self.run("--seed=7", "--size=1", "--up-to=5")


class TestThePage:
    def client(self, role: str) -> Client:
        user = UserFactory(is_staff=True, language="en")
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    def test_shows_what_the_command_finds(self, fill):
        asked = {"source": "approvals", "seed": "7", "size": "5"}
        page = self.client("auditor").get(reverse("admin:foundation_sample"), asked)

        assert page.status_code == 200
        assert [line.key for line in page.context["lines"]] == keys(
            samples.draw("approvals", seed=7, size=5)
        )

    @pytest.mark.parametrize(
        "asked",
        [
            {"seed": "x"},
            {"size": "0"},
            {"source": "nobody"},
            {"up_to": "-1"},
            {"seed": "9" * 30},
        ],
    )
    def test_says_what_is_wrong(self, asked):
        sent = {"source": "approvals", "seed": "7", "size": "5"} | asked
        page = self.client("auditor").get(reverse("admin:foundation_sample"), sent)

        assert page.status_code == 400
        assert page.context["form"].errors

    def test_is_the_auditors(self):
        address = reverse("admin:foundation_sample")

        assert self.client("auditor").get(address).status_code == 200
        assert self.client("auditor").post(address).status_code == 405
        assert self.client("operator").get(address).status_code == 403

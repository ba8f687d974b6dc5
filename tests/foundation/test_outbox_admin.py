"""What the overview and the list say of messages that do not get through."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from foundation import sql
from foundation.selectors import outbox as messages
from foundation.services import outbox
from tests.factories.foundation import UserFactory


@pytest.fixture
def clerk(db) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
    return client


@pytest.fixture
def stranger(db) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, language="en"))
    return client


def promise(merchant_id: int, *, kind: str = "tests.nobody", times: int) -> None:
    """Promise a task that nobody knows, and let the relay try it so often."""
    outbox.add(kind, merchant_id=merchant_id, payload={})
    for _ in range(times):
        sql.execute("UPDATE foundation_outbox SET next_try_at = statement_timestamp()")
        outbox.drain(inline=True)


def page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


class TestOverview:
    def test_says_nothing_of_a_hiccup(self, clerk: Client, merchant_id: int) -> None:
        promise(merchant_id, times=messages.FAILING_TRIES - 1)

        assert "Messages keep failing" not in page(clerk, reverse("admin:index"))

    def test_names_what_keeps_failing_long_before_it_is_parked(
        self, clerk: Client, merchant_id: int
    ) -> None:
        promise(merchant_id, times=messages.FAILING_TRIES)

        text = page(clerk, reverse("admin:index"))

        assert "Messages keep failing" in text
        assert "LookupError (1)" in text
        assert "Messages are parked" not in text

    def test_leads_to_the_messages(self, clerk: Client, merchant_id: int) -> None:
        promise(merchant_id, times=messages.FAILING_TRIES)
        outbox.add("tests.fresh", merchant_id=merchant_id, payload={})
        address = reverse("admin:foundation_outboxmessage_changelist") + "?state=failing"

        assert address in page(clerk, reverse("admin:index"))
        assert "tests.nobody" in page(clerk, address)
        assert "tests.fresh" not in page(clerk, address)

    def test_speaks_of_it_no_more_once_it_is_parked(self, clerk: Client, merchant_id: int) -> None:
        promise(merchant_id, times=outbox.MAX_TRIES)

        text = page(clerk, reverse("admin:index"))

        assert "Messages keep failing" not in text
        assert "Messages are parked" in text

    def test_says_nothing_to_who_may_not_see_messages(
        self, stranger: Client, merchant_id: int
    ) -> None:
        promise(merchant_id, times=messages.FAILING_TRIES)

        assert "Messages keep failing" not in page(stranger, reverse("admin:index"))

    def test_speaks_chinese(self, db: None, merchant_id: int) -> None:
        promise(merchant_id, times=messages.FAILING_TRIES)
        client = Client()
        client.force_login(UserFactory(is_staff=True, is_superuser=True, language="zh-hans"))

        assert "有消息反复失败" in page(client, reverse("admin:index"))


class TestFailing:
    def test_counts_by_kind_of_error_and_tells_the_never_confirmed(self, merchant_id: int) -> None:
        promise(merchant_id, times=messages.FAILING_TRIES)
        sql.execute(
            "INSERT INTO foundation_outbox (merchant_id, kind, payload, state, tries, actor,"
            " request_id) VALUES (%s, 'tests.lost', '{}', 'SENT', 5, 'test', 'test')",
            [merchant_id],
        )

        found = messages.failing()

        assert found is not None
        assert (found.count, found.errors) == (2, {"": 1, "LookupError": 1})

    def test_is_answered_by_an_index(self, merchant_id: int) -> None:
        sql.execute(
            "INSERT INTO foundation_outbox (kind, payload, actor, request_id, merchant_id)"
            " SELECT 'tests.waits', '{}', '', '', %s FROM generate_series(1, 2000)",
            [merchant_id],
        )
        sql.execute("SET LOCAL enable_seqscan = off")
        plan = sql.rows(
            "EXPLAIN SELECT min(created_at) FROM public.foundation_outbox"
            " WHERE state IN ('PENDING', 'SENT') AND tries >= 3"
        )

        assert "outbox_failing" in str(plan)

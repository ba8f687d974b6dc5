"""Tiers are changed by approvals alone, and never more lightly than the strictest of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from foundation import sql
from foundation.models import Approval, ApprovalPolicy, AuditEvent, History
from foundation.money import CurrencyUnknown
from foundation.services import approval_policy
from tests.factories.approval import approve, tier
from tests.factories.foundation import UserFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
KIND = "merchants.bank_account_approve"

pytestmark = pytest.mark.django_db


def propose(checkers_needed: int, **changes: Any) -> Approval:
    values = {"action": KIND, "currency": "CNY", "from_amount_minor": 50_00} | changes
    return approval_policy.propose(
        checkers_needed=checkers_needed, reason="board", maker=UserFactory(), at=NOON, **values
    )


def stored() -> list[tuple[str, int, int]]:
    rows = ApprovalPolicy.objects.order_by("id")
    return list(rows.values_list("currency", "from_amount_minor", "checkers_needed"))


class TestATier:
    def test_is_made_changed_and_taken_away_by_approvals(self):
        approve(propose(2), at=NOON)
        assert stored() == [("CNY", 50_00, 2)]
        approve(propose(3), at=NOON)
        assert stored() == [("CNY", 50_00, 3)]
        approve(propose(0), at=NOON)

        assert stored() == []
        assert AuditEvent.objects.filter(action="approval_policy.change").count() == 3
        history = History.objects.filter(table="foundation_approval_policy").order_by("id")
        assert [row.operation for row in history] == ["INSERT", "UPDATE", "DELETE"]

    def test_is_loosened_by_as_many_as_it_asks_for(self):
        approve(propose(3), at=NOON)

        assert propose(1).checkers_needed == 3
        assert propose(1, currency="", from_amount_minor=0).checkers_needed == 3
        assert propose(4, currency="USD").checkers_needed == 4
        assert propose(1, action="settlement.withdrawal").checkers_needed == 1

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"action": "nobody.knows"}, approval_policy.TierRefused),
            ({"from_amount_minor": -1}, approval_policy.TierRefused),
            ({"from_amount_minor": 10**15 + 1}, approval_policy.TierRefused),
            ({"checkers_needed": 6}, approval_policy.TierRefused),
            ({"checkers_needed": 0}, approval_policy.TierRefused),
            ({"currency": "XXZ"}, CurrencyUnknown),
        ],
    )
    def test_refuses_what_is_none(self, changes, refusal):
        with pytest.raises(refusal):
            propose(**({"checkers_needed": 2} | changes))


class TestDatabase:
    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO foundation_approval_policy"
            " (action, currency, from_amount_minor, checkers_needed)"
            " VALUES ('settlement.withdrawal', '', 0, 1)",
            "UPDATE foundation_approval_policy SET checkers_needed = 1",
            "UPDATE foundation_approval_policy SET from_amount_minor = 1000000000",
            "UPDATE foundation_approval_policy SET action = 'settlement.withdrawal'",
            "DELETE FROM foundation_approval_policy",
            "TRUNCATE foundation_approval_policy",
        ],
    )
    def test_changes_no_tier_without_an_approval(self, statement):
        tier(KIND, checkers_needed=2)

        with (
            pytest.raises(DatabaseError, match=r"approval_policy_|append_only|permission denied"),
            transaction.atomic(),
        ):
            sql.execute(statement)

    def test_plays_no_older_approval_again(self):
        old = approve(propose(2), at=NOON)
        approve(propose(3), at=NOON)

        with pytest.raises(DatabaseError, match="approval_policy_not_app"), transaction.atomic():
            sql.execute(
                "UPDATE foundation_approval_policy SET checkers_needed = 2, approval_id = %s",
                [old.id],
            )
        approve(propose(0), at=NOON)
        with pytest.raises(DatabaseError, match="approval_policy_not_app"), transaction.atomic():
            sql.execute(
                "INSERT INTO foundation_approval_policy"
                " (action, currency, from_amount_minor, checkers_needed, approval_id)"
                " VALUES (%s, 'CNY', 5000, 2, %s)",
                [KIND, old.id],
            )

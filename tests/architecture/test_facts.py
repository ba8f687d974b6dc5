"""Every model is a fact or reference data, and keys respect the book (scaling out needs both)."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, models

from foundation.models import Fact
from foundation.models.fact import FactForeignKey
from tests.databases import PACKAGES

# Small tables that change seldom and carry no balance, and what belongs to no merchant. Whoever
# adds a model decides: a fact of one merchant's book, or a line here.
REFERENCE = {
    "foundation.ApprovalPolicy",
    "foundation.ApprovalRight",
    "foundation.BusinessDay",
    "foundation.Delegation",
    "foundation.GuessCount",
    "foundation.History",
    "foundation.Job",
    "foundation.KeyProof",
    "foundation.Person",
    "foundation.SecondFactorGuard",
    "foundation.SignIn",
    "foundation.SignInPassword",
    "foundation.StaffRole",
    "foundation.User",
    "foundation.User_groups",
    "foundation.User_user_permissions",
    "merchants.Agent",
    "merchants.AgentStep",
    "merchants.Industry",
    "merchants.Merchant",
    "merchants.ProductGate",
    "merchants.VerificationRule",
    "ledger.Ability",
    "ledger.AccountKind",
    "ledger.Subject",
    "channels.Channel",
    "channels.Chunk",
    "channels.FeeRule",
    "channels.Intake",
    "channels.Product",
    "settlement.Batch",
    "settlement.PayoutChannel",
    "settlement.PayoutFeeRule",
    "settlement.PayoutStatement",
    "settlement.PayoutStatus",
    "settlement.Run",
}

MODELS = [
    model
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in PACKAGES
]
FACTS = [model for model in MODELS if issubclass(model, Fact)]


def label(model: type[models.Model]) -> str:
    return model._meta.label


def relations(model: type[models.Model]) -> list[models.ForeignKey]:  # type: ignore[type-arg]
    return [field for field in model._meta.fields if isinstance(field, models.ForeignKey)]


class TestEveryModel:
    def test_is_a_fact_or_reference_data(self) -> None:
        assert {label(model) for model in MODELS if model not in FACTS} == REFERENCE

    @pytest.mark.parametrize("model", MODELS, ids=label)
    def test_relates_facts_by_our_own_field(self, model: type[models.Model]) -> None:
        """D2 between facts; K5: nothing points from reference data to a fact."""
        to_facts = [
            field
            for field in relations(model)
            if issubclass(field.related_model, Fact)  # type: ignore[arg-type]
        ]

        assert model in FACTS or to_facts == []
        assert [field for field in to_facts if not isinstance(field, FactForeignKey)] == []

    @pytest.mark.parametrize("model", MODELS, ids=label)
    def test_is_not_tied_to_facts_by_lists(self, model: type[models.Model]) -> None:
        lists = model._meta.many_to_many

        assert [field.name for field in lists if issubclass(field.related_model, Fact)] == []


class TestEveryFact:
    @pytest.mark.parametrize("model", FACTS, ids=label)
    def test_names_its_merchant(self, model: type[models.Model]) -> None:
        merchant = model._meta.get_field("merchant")

        assert isinstance(merchant, models.ForeignKey)
        assert (merchant.null, label(merchant.related_model)) == (False, "merchants.Merchant")
        assert isinstance(model._meta.pk, models.BigIntegerField)


@pytest.mark.django_db
class TestInTheDatabase:
    def test_every_fact_has_its_merchant(self) -> None:
        """K1, and a bigint column."""
        found = rows(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name = 'merchant_id' AND is_nullable = 'NO' AND data_type = 'bigint'"
        )

        assert {model._meta.db_table for model in FACTS} - {name for (name,) in found} == set()

    def test_every_unique_key_of_a_fact_contains_the_merchant(self) -> None:
        """K3, exclusion constraints too; the primary key is widened when the move comes."""
        found = rows(
            "SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text FROM pg_index i"
            " WHERE (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary"
            " AND i.indrelid = ANY (%s::regclass[]) AND NOT EXISTS (SELECT FROM pg_attribute a"
            " WHERE a.attrelid = i.indrelid AND a.attname = 'merchant_id'"
            " AND a.attnum = ANY (i.indkey))",
            [[model._meta.db_table for model in FACTS]],
        )

        assert found == []

    def test_no_foreign_key_leads_from_elsewhere_to_a_fact(self) -> None:
        """K5, for keys that no model shows."""
        facts = [model._meta.db_table for model in FACTS]
        found = rows(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f'"
            " AND confrelid = ANY (%s::regclass[]) AND NOT conrelid = ANY (%s::regclass[])",
            [facts, facts],
        )

        assert found == []

    def test_a_key_between_facts_names_the_merchant_on_both_sides_or_neither(self) -> None:
        """K5: never a row of another merchant; a key on `id` alone is widened by the move."""
        found = rows(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint c WHERE contype = 'f'"
            " AND confrelid = ANY (%s::regclass[]) AND cardinality(conkey) > 1 AND NOT EXISTS ("
            " SELECT FROM unnest(c.conkey, c.confkey) AS k(own, other)"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own"
            " JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other"
            " WHERE a.attname = 'merchant_id' AND b.attname = 'merchant_id')",
            [[model._meta.db_table for model in FACTS]],
        )

        assert found == []


def rows(statement: str, parameters: list[object] | None = None) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

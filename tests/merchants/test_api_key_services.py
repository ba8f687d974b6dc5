"""API keys: shown once, stored as a hash, bound to book, scopes, networks and time."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from foundation.models import AuditEvent, History
from merchants.models import ApiKey, Merchant
from merchants.services import api_key as api_keys
from merchants.services.house import house
from tests.factories.merchants import MerchantFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
READ = ["balances:read"]


def create(merchant: Merchant | None, **changed: Any) -> api_keys.Issued:
    asked: dict[str, Any] = {"name": "main", "scopes": READ, "at": NOON, **changed}
    return api_keys.create(merchant=merchant, **asked)


def check(token: str, address: str = "192.0.2.7", at: datetime = NOON) -> ApiKey:
    return api_keys.check(token=token, address=address, at=at)


@pytest.mark.django_db
class TestCreating:
    def test_shows_the_secret_once_and_stores_its_hash(self) -> None:
        merchant = MerchantFactory()

        made, again = create(merchant), create(merchant)

        secret = made.token.partition(".")[2]
        assert bytes(made.key.secret_hash) == hashlib.sha256(secret.encode()).digest()
        assert (made.created, again.created, again.token) == (True, False, "")
        assert again.key == made.key
        assert made.key.prefix.startswith(f"ck{merchant.id}_")
        assert secret not in repr(made)

    def test_nothing_secret_stands_in_audit_or_history(self) -> None:
        made = create(MerchantFactory())

        secret = made.token.partition(".")[2]
        hidden = {secret, hashlib.sha256(secret.encode()).hexdigest()}
        written = [str(vars(row)) for model in (AuditEvent, History) for row in model.objects.all()]
        assert any("api_key.create" in text for text in written)
        assert not [text for text in written if any(part in text for part in hidden)]

    def test_a_merchants_key_cannot_record_payments(self) -> None:
        with pytest.raises(api_keys.KeyMalformed):
            create(MerchantFactory(), scopes=["payments:record"])

    def test_the_institutions_key_lies_in_the_houses_book(self) -> None:
        made = create(None, kind="INSTITUTION", scopes=["payments:record", *READ])

        assert made.key.merchant == house()

    @pytest.mark.parametrize(
        "changed",
        [
            {"scopes": []},
            {"scopes": ["everything"]},
            {"networks": ["192.0.2.1/24"]},
            {"networks": ["here"]},
            {"name": " "},
        ],
    )
    def test_refuses_what_does_not_fit(self, changed: dict[str, Any]) -> None:
        with pytest.raises(api_keys.KeyMalformed):
            create(MerchantFactory(), **changed)

        assert not ApiKey.objects.exists()

    @pytest.mark.parametrize("kind", ["INSTITUTION", "PARTNER"])
    def test_a_key_of_the_house_belongs_to_no_merchant(self, kind: str) -> None:
        with pytest.raises(api_keys.KeyMalformed):
            create(MerchantFactory(), kind=kind, scopes=["payments:record"])

    def test_a_partner_records_and_reads_nothing(self) -> None:
        create(None, kind="PARTNER", scopes=["payments:record"])

        with pytest.raises(api_keys.KeyMalformed):
            create(None, name="other", kind="PARTNER", scopes=READ)

    def test_the_database_says_it_again(self) -> None:
        key = create(MerchantFactory()).key

        for change in ({"scopes": ["payments:record"]}, {"kind": "INSTITUTION"}):
            with pytest.raises(DatabaseError), transaction.atomic():
                ApiKey.objects.filter(id=key.id).update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            key.delete()


@pytest.mark.django_db
class TestChecking:
    def test_the_whole_key_opens_and_is_noted_once(self, django_assert_num_queries: Any) -> None:
        made = create(MerchantFactory())
        check(made.token)

        with django_assert_num_queries(1) as queries:
            assert check(made.token) == made.key

        assert queries.captured_queries[0]["sql"].startswith("SELECT")

    def test_nothing_else_opens(self) -> None:
        made, other = create(MerchantFactory()), create(MerchantFactory())
        prefix, _dot, secret = made.token.partition(".")

        for token in (
            "",
            ".",
            prefix,
            f"{prefix}.",
            f"{prefix}.{secret}x",
            f"{prefix}.{secret[:-1]}",
            f"{other.key.prefix}.{secret}",
            f"ck999_aaaaaaaaaaaa.{secret}",
            f"ck{'9' * 30}_aaaaaaaaaaaa.{secret}",
            f"{prefix}.钥匙",
            f"{prefix}\0.{secret}",
        ):
            with pytest.raises(api_keys.KeyRefused) as refusal:
                check(token)
            assert secret not in str(refusal.value)

    def test_a_revoked_key_is_refused(self) -> None:
        made = create(MerchantFactory())

        api_keys.revoke(merchant_id=made.key.merchant_id, key_id=made.key.id)

        with pytest.raises(api_keys.KeyRefused):
            check(made.token)

    def test_a_rotated_key_opens_with_its_new_secret_only(self) -> None:
        made = create(MerchantFactory())

        rotated = api_keys.rotate(merchant_id=made.key.merchant_id, key_id=made.key.id)

        assert check(rotated.token) == made.key
        with pytest.raises(api_keys.KeyRefused):
            check(made.token)

    def test_expires_at_its_moment(self) -> None:
        made = create(MerchantFactory(), expires_at=NOON + timedelta(days=1))

        check(made.token, at=NOON + timedelta(days=1, microseconds=-1))
        with pytest.raises(api_keys.KeyRefused):
            check(made.token, at=NOON + timedelta(days=1))

    @pytest.mark.parametrize(
        ("address", "inside"),
        [
            ("192.0.2.7", True),
            ("::ffff:192.0.2.7", True),
            ("192.0.3.7", False),
            ("2001:db8::1", True),
            ("", False),
            ("unix", False),
        ],
    )
    def test_comes_from_an_allowed_network(self, address: str, inside: bool) -> None:
        made = create(MerchantFactory(), networks=["192.0.2.0/24", "2001:db8::/32"])

        if inside:
            assert check(made.token, address) == made.key
        else:
            with pytest.raises(api_keys.AddressRefused):
                check(made.token, address)

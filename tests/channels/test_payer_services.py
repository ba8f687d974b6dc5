"""A payer's reference is kept as a mask and a keyed hash, and is nowhere as it came."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from channels.models import Payment
from channels.services import payer, payment_import
from foundation.csv_intake import FileRefused
from merchants.models import ApiKey, Scope
from merchants.services import api_key
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

PLAIN = "4e38e9f25b539d9529b38fef4e62b3d4"
MASKED = "4e38e9" + "*" * 22 + "b3d4"


def row(payment_no: str, merchant_no: str, reference: str) -> list[str]:
    made = list(make.payment_row(payment_no, merchant_no, "10.00"))
    made[payment_import.COLUMNS.index("payer_ref")] = reference
    return made


def tables_with(text: str) -> list[str]:
    """The tables, of those the product may read, in which a text stands anywhere."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid, 'SELECT')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT 1 FROM "{table}" t WHERE t::text LIKE %s LIMIT 1', [f"%{text}%"]
            )
            if cursor.fetchone():
                found.append(table)
    return found


@pytest.mark.django_db
class TestAPayer:
    def test_is_kept_masked_and_hashed_and_nowhere_as_it_came(self) -> None:
        no = MerchantFactory.create().merchant_no

        make.payments(row("P1", no, PLAIN), row("P2", no, ""))

        sealed, nameless = Payment.objects.order_by("payment_no")
        assert sealed.payer_masked == MASKED
        assert bytes(sealed.payer_hash or b"") == payer.lookup(PLAIN)
        assert (nameless.payer_masked, nameless.payer_hash) == ("", None)
        assert tables_with(MASKED) == ["channels_payment"]
        assert tables_with(PLAIN) == []

    def test_is_found_over_all_merchants(self) -> None:
        first, second = MerchantFactory.create_batch(2)
        make.payments(
            row("P1", first.merchant_no, PLAIN),
            row("P2", second.merchant_no, PLAIN),
            row("P3", second.merchant_no, PLAIN[:-1] + "5"),
        )

        found = Payment.objects.filter(payer_hash=payer.lookup(PLAIN))

        assert {payment.payment_no for payment in found} == {"P1", "P2"}

    def test_is_sealed_in_a_file_of_many_batches_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(payer, "_BATCH", 2)
        no = MerchantFactory.create().merchant_no

        make.payments(*[row(f"P{n}", no, f"payer-number-{n:04d}") for n in range(7)])

        sealed = {bytes(payment.payer_hash or b"") for payment in Payment.objects.all()}
        assert sealed == {payer.lookup(f"payer-number-{n:04d}") for n in range(7)}

    def test_of_a_known_payment_may_not_become_another(self) -> None:
        no = MerchantFactory.create().merchant_no
        make.payments(row("P1", no, PLAIN))

        assert make.payments(row("P1", no, PLAIN)).new == 0
        with pytest.raises(FileRefused) as refusal:
            make.payments(row("P1", no, "another-payer-0001"))

        (bad,) = refusal.value.bad
        assert (bad.column, bad.reason) == ("payer_ref", "conflict")
        assert (bad.value, bad.detail) == ("anothe********0001", MASKED)

    def test_is_not_repeated_by_the_report_of_a_bad_row(self) -> None:
        no = MerchantFactory.create().merchant_no

        with pytest.raises(FileRefused) as refusal:
            make.payments(row("P1", no, PLAIN * 3))

        (bad,) = refusal.value.bad
        assert (bad.column, bad.reason, bad.value) == ("payer_ref", "too_long", "***")


class TestAPayerInTheApi:
    def test_comes_back_masked_and_is_kept_nowhere_as_it_came(self, cloned_db: str) -> None:
        merchant = MerchantFactory.create()
        issued = api_key.create(
            merchant=None,
            name="institution",
            scopes=[Scope.PAYMENTS_RECORD],
            at=make.AT,
            kind=ApiKey.Kind.INSTITUTION,
        )
        values = dict(
            zip(payment_import.COLUMNS, row("P1", merchant.merchant_no, PLAIN), strict=True)
        )
        del values["amount"]

        answer = Client().post(
            "/api/v1/payments",
            json.dumps({"payments": [values | {"amount_minor": 1000}]}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {issued.token}", "Idempotency-Key": "k1"},
        )

        assert answer.status_code == 201, answer.content
        assert answer.json()["payments"][0]["payer_ref"] == MASKED
        assert tables_with(PLAIN) == []


class TestTheMigration:
    def test_seals_what_was_stored_before(self, cloned_db: str) -> None:
        no = MerchantFactory.create().merchant_no
        make.payments(row("P1", no, ""), row("P2", no, ""))
        call_command("migrate", "channels", "0003", stdout=io.StringIO())
        with connections["owner"].cursor() as cursor:
            cursor.execute("ALTER TABLE channels_payment DISABLE TRIGGER refuse_change")
            cursor.execute(
                "UPDATE channels_payment SET payer_ref = %s WHERE payment_no = 'P1'", [PLAIN]
            )
            cursor.execute("ALTER TABLE channels_payment ENABLE TRIGGER refuse_change")

        call_command("migrate", "channels", stdout=io.StringIO())

        sealed, nameless = Payment.objects.order_by("payment_no")
        assert (sealed.payer_masked, nameless.payer_masked) == (MASKED, "")
        assert bytes(sealed.payer_hash or b"") == payer.lookup(PLAIN)
        with connections["owner"].cursor() as cursor, pytest.raises(Exception, match="append_only"):
            cursor.execute("DELETE FROM channels_payment")

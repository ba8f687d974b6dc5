"""What a payment and its price refer to exists, whoever writes the row."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from channels.models import Payment, Pricing
from merchants.models import Merchant
from tests.factories import channels as given
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment() -> Payment:
    MerchantFactory.create(merchant_no="M1")
    given.fees("*,*,*,0.60,,,,,kept,2016-01-01")
    given.payments(given.payment_row("P1", "M1", "100.00"))
    given.clear()
    return Payment.objects.get(payment_no="P1")


def copy(table: str, row: object, **changes: object) -> None:
    """Insert a row again with another content, past all of Python."""
    values = {
        field.column: getattr(row, field.attname)
        for field in row._meta.fields  # type: ignore[attr-defined]
        if not field.primary_key
    } | changes
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )


class TestAPayment:
    @pytest.mark.parametrize("column", ["merchant_id", "product_id", "channel_id", "intake_id"])
    def test_of_what_does_not_exist_is_refused(self, payment: Payment, column: str) -> None:
        with pytest.raises(IntegrityError, match=f"there is no such {column[:-3]}"):
            copy("channels_payment", payment, payment_no="P2", **{column: 10**9})

        assert Payment.objects.count() == 1


class TestAPrice:
    @pytest.mark.parametrize("column", ["payment_id", "fee_rule_id", "chunk_id"])
    def test_of_what_does_not_exist_is_refused(self, payment: Payment, column: str) -> None:
        price = Pricing.objects.get(payment=payment)
        given.payments(given.payment_row("P2", "M1", "100.00"))
        unpriced = {"payment_id": Payment.objects.get(payment_no="P2").id}

        with pytest.raises(IntegrityError, match=f"there is no such {column[:-3]}"):
            copy("channels_pricing", price, **unpriced | {column: 10**9})

    def test_in_another_merchants_book_is_refused(self, payment: Payment) -> None:
        price = Pricing.objects.get(payment=payment)
        other = MerchantFactory.create()

        with pytest.raises(IntegrityError, match="there is no such payment"):
            copy("channels_pricing", price, merchant_id=other.id)


class TestAMerchant:
    def test_is_never_deleted(self) -> None:
        merchant = MerchantFactory.create()

        with pytest.raises(Exception, match="merchants_merchant"), transaction.atomic():
            Merchant.objects.filter(id=merchant.id)._raw_delete("default")

        assert Merchant.objects.filter(id=merchant.id).exists()

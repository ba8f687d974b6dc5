"""Bringing payments in: all or none, once, from files, threads and the API."""

from __future__ import annotations

import gzip
import io
import threading

import pytest
from django.db import connection

from channels.models import Payment
from channels.services import payment, payment_import
from config.errors import Forbidden
from foundation.csv_intake import FileRefused, Source
from merchants.models import ApiKey
from merchants.services import api_key as api_keys
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory


def institution() -> ApiKey:
    """Return the key of a program of our own that records payments."""
    return api_keys.create(
        merchant=None, name="till", kind="INSTITUTION", scopes=["payments:record"], at=make.AT
    ).key


@pytest.mark.django_db
class TestAPaymentsFile:
    def test_again_stores_nothing_and_other_content_is_a_conflict(self) -> None:
        no = MerchantFactory.create().merchant_no

        assert make.payments(make.payment_row("P1", no, "10.00")).new == 1
        assert make.payments(make.payment_row("P1", no, "10.00")).new == 0
        with pytest.raises(FileRefused) as refusal:
            make.payments(make.payment_row("P1", no, "10.01"), make.payment_row("P2", no, "1.00"))

        (bad,) = refusal.value.bad
        assert (bad.column, bad.reason) == ("amount", "conflict")
        assert "10.00" in bad.message
        assert "10.01" in bad.value
        assert Payment.objects.count() == 1

    def test_is_refused_whole_for_one_row_that_has_no_merchant(self) -> None:
        no = MerchantFactory.create().merchant_no
        rows = [make.payment_row(f"P{n}", no, "1.00") for n in range(2_000)]
        rows[1_234] = make.payment_row("BAD", "NOBODY", "1.00")

        with pytest.raises(FileRefused) as refusal:
            make.payments(*rows)

        (bad,) = refusal.value.bad
        assert (bad.column, bad.value, bad.reason) == ("merchant_no", "NOBODY", "unknown_merchant")
        assert not Payment.objects.exists()

    @pytest.mark.parametrize("zipped", [False, True])
    def test_is_refused_when_it_is_cut(self, zipped: bool) -> None:
        no = MerchantFactory.create().merchant_no
        lines = [payment_import.COLUMNS, *[make.payment_row(f"P{n}", no, "1.00") for n in range(9)]]
        whole = "".join(",".join(line) + "\n" for line in lines).encode()
        name = "cut.csv"
        if zipped:
            whole, name = gzip.compress(whole), "cut.csv.gz"
        cut = whole[: len(whole) - 25]

        with pytest.raises(FileRefused):
            payment_import.run(
                source=Source.from_upload(name, len(cut), io.BytesIO(cut)), at=make.AT
            )

        assert not Payment.objects.exists()


class TestTwoAtOnce:
    def test_store_common_rows_once_and_clear_them_once(self, cloned_db: str) -> None:
        merchant = MerchantFactory.create()
        make.fees(f"{merchant.merchant_no},*,*,1,,,,,kept,2016-01-01")
        rows = [make.payment_row(f"P{n}", merchant.merchant_no, "10.00") for n in range(300)]
        start = threading.Barrier(2, timeout=60)
        new: list[int] = []
        cleared: list[int] = []

        def work(first: int, last: int) -> None:
            try:
                start.wait()
                new.append(make.payments(*rows[first:last]).new)
                start.wait()
                cleared.append(make.clear().payments)
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=part) for part in ((0, 200), (100, 300))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(new) == sum(cleared) == Payment.objects.count() == 300
        assert make.balances(merchant.id) == {
            "channel_receivable": 300_000,
            "merchant_pending": 297_000,
            "fee_income": 3_000,
        }
        make.assert_proved()


@pytest.mark.django_db
class TestRecordingByCalls:
    def test_is_refused_to_a_key_that_may_not(self) -> None:
        merchant = MerchantFactory.create()
        call = self.call(merchant.merchant_no)
        key = api_keys.create(
            merchant=merchant, name="shop", scopes=["payments:read"], at=make.AT
        ).key
        off = institution()
        off.active = False

        for each in (key, off):
            with pytest.raises(Forbidden):
                payment.record(payments=[call], by=each, at=make.AT)

        assert not Payment.objects.exists()

    def call(self, merchant_no: str, **changes: object) -> dict[str, object]:
        row = dict(
            zip(payment_import.COLUMNS, make.payment_row("A1", merchant_no, ""), strict=True)
        )
        return row | {"amount_minor": 1000} | changes

    def test_again_returns_the_same_payments(self) -> None:
        no = MerchantFactory.create().merchant_no
        calls = [self.call(no, payment_no=number) for number in ("A2", "A1")]

        first = payment.record(payments=calls, by=institution(), at=make.AT)
        again = payment.record(payments=calls, by=institution(), at=make.AT)

        assert [each.payment_no for each in first] == ["A2", "A1"]
        assert [each.id for each in again] == [each.id for each in first]

    def test_names_what_is_wrong_by_its_index_and_stores_nothing(self) -> None:
        no = MerchantFactory.create().merchant_no
        calls = [self.call(no), self.call(no, payment_no="A2", amount_minor=0)]

        with pytest.raises(payment.PaymentsRefused) as refusal:
            payment.record(payments=calls, by=institution(), at=make.AT)

        assert [(row.row, row.column) for row in refusal.value.bad] == [(1, "amount_minor")]
        assert not Payment.objects.exists()

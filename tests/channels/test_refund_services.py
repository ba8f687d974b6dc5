"""Refunds: what may be refunded, whose money pays, and which fee goes back."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from channels.models import Payment, Pricing, Product, Refund, RefundBooking
from foundation import sql
from foundation.csv_intake import FileRefused
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory


def paid(amount: str, *, policy: str = "kept", number: str = "P1") -> int:
    """Bring in and clear one payment at 0.6 %; return its merchant."""
    merchant = MerchantFactory.create()
    make.fees(f"{merchant.merchant_no},*,*,0.6,,,,,{policy},2016-01-01")
    make.payments(make.payment_row(number, merchant.merchant_no, amount))
    make.clear()
    return merchant.id


@pytest.mark.django_db
class TestTheFeeOfARefund:
    @pytest.mark.parametrize(("policy", "back"), [("kept", [0, 0, 0]), ("returned", [2, 2, 2])])
    def test_goes_back_by_cumulative_shares_or_is_kept(self, policy: str, back: list[int]) -> None:
        merchant = paid("10.01", policy=policy)
        for number, amount in enumerate(("3.33", "3.33", "3.35")):
            make.refunds((f"R{number}", "P1", amount))
            make.clear()

        booked = RefundBooking.objects.order_by("id")
        assert [each.fee_returned_minor for each in booked] == back
        expected = {} if policy == "returned" else {"merchant_debt": 6, "fee_income": 6}
        assert make.balances(merchant) == expected
        make.assert_proved()


@pytest.mark.django_db
class TestWhoseMoneyPays:
    def test_several_refunds_of_one_chunk_share_pending_then_make_debt(self) -> None:
        merchant = paid("100.00")  # 99.40 pending

        make.refunds(("R1", "P1", "60.00"), ("R2", "P1", "39.50"), ("R3", "P1", "0.50"))
        make.clear()

        parts = RefundBooking.objects.order_by("id").values_list(
            "from_pending_minor", "from_available_minor", "to_debt_minor"
        )
        assert list(parts) == [(6000, 0, 0), (3940, 0, 10), (0, 0, 50)]
        assert make.balances(merchant) == {"merchant_debt": 60, "fee_income": 60}
        make.assert_proved()


@pytest.mark.django_db
class TestWithoutAPrice:
    def test_payment_and_refund_wait_until_a_version_comes(self) -> None:
        merchant = MerchantFactory.create()
        make.payments(make.payment_row("U1", merchant.merchant_no, "50.00"))
        make.refunds(("R1", "U1", "20.00"))

        waiting = make.clear()

        assert (waiting.payments, waiting.refunds, waiting.waiting) == (0, 0, 2)
        assert make.balances(merchant.id) == {}
        make.fees(f"{merchant.merchant_no},*,*,1,,,,,kept,2016-01-01")
        done = make.clear()
        assert (done.payments, done.refunds, done.waiting) == (1, 1, 0)
        assert make.balances(merchant.id)["merchant_pending"] == 5000 - 50 - 2000
        make.assert_proved()


@pytest.mark.django_db
class TestARefundFile:
    def test_never_refunds_more_than_was_paid(self) -> None:
        paid("10.00")
        with pytest.raises(FileRefused) as refusal:
            make.refunds(("R1", "P1", "6.00"), ("R2", "P1", "4.01"))
        assert "over_refunded" in [row.reason for row in refusal.value.bad]
        assert make.refunds(("R1", "P1", "6.00")).new == 1
        with pytest.raises(FileRefused) as refusal:
            make.refunds(("R2", "P1", "4.01"))
        assert [row.reason for row in refusal.value.bad] == ["over_refunded"]
        assert make.refunds(("R1", "P1", "6.00")).new == 0
        assert make.refunds(("R2", "P1", "4.00")).new == 1
        assert Refund.objects.count() == 2

    def test_names_a_payment_that_is_unknown_or_two_merchants_have(self) -> None:
        paid("10.00")
        paid("10.00")
        with pytest.raises(FileRefused) as refusal:
            make.refunds(("R1", "P1", "1.00"), ("R2", "NONE", "1.00"))
        assert [row.reason for row in refusal.value.bad] == ["ambiguous_payment", "unknown_payment"]

    def test_is_known_again_when_another_merchant_has_the_payment_s_number_too(self) -> None:
        paid("10.00")
        assert make.refunds(("R1", "P1", "6.00")).new == 1
        paid("10.00")

        again = make.refunds(("R1", "P1", "6.00"))

        assert (again.new, again.known) == (0, 1)
        with pytest.raises(FileRefused) as refusal:
            make.refunds(("R1", "P1", "6.01"), ("R2", "P1", "1.00"))
        assert [row.reason for row in refusal.value.bad] == ["ambiguous_payment"] * 2
        assert Refund.objects.count() == 1


class TestTwoAtOnce:
    def test_only_one_of_two_files_takes_what_is_left(self, cloned_db: str) -> None:
        paid("10.00")
        start = threading.Barrier(2, timeout=60)
        results: list[int | str] = []

        def refund(number: str) -> None:
            start.wait()
            try:
                results.append(make.refunds((number, "P1", "6.00")).new)
            except FileRefused as refusal:
                results.append(refusal.bad[0].reason)
            finally:
                connection.close()

        threads = [threading.Thread(target=refund, args=[number]) for number in ("R1", "R2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results, key=str) == [1, "over_refunded"]
        make.clear()
        make.assert_proved()


@pytest.mark.django_db
class TestFacts:
    @pytest.mark.parametrize("model", [Payment, Pricing, Refund, RefundBooking])
    @pytest.mark.parametrize(
        "change", ["UPDATE {} SET merchant_id = merchant_id", "DELETE FROM {}"]
    )
    def test_are_never_changed(self, model: type[Payment], change: str) -> None:
        paid("10.00")
        make.refunds(("R1", "P1", "1.00"))
        make.clear()
        assert model.objects.exists()

        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute(change.format(model._meta.db_table))

    def test_unknown_products_are_made_unreviewed(self) -> None:
        no = MerchantFactory.create().merchant_no

        make.payments(make.payment_row("N1", no, "1.00", product="never_seen"))

        assert Product.objects.get(code="never_seen").review_state == "UNREVIEWED"

"""Clearing: a chunk that cannot be booked stays and holds up no other."""

from __future__ import annotations

import pytest

from channels.models import Chunk, Payment, Pricing
from channels.services import clearing
from foundation import sql
from ledger.services import journal
from tests.factories import channels as make
from tests.factories.ledger import Book, cr, dr
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db
FREE = "*,*,*,0,,,,,kept,2016-01-01"


def brim_over(merchant_id: int) -> None:
    """Leave no room for another fen in a merchant's pending balance."""
    Book(merchant_id).post(
        dr("channel_receivable", "clear", 2**63 - 1), cr("merchant_pending", "clear", 2**63 - 1)
    )


class TestAChunkThatCannotBeBooked:
    def test_stays_is_counted_and_holds_up_no_other(self) -> None:
        full, other = MerchantFactory.create(), MerchantFactory.create()
        make.fees(FREE)
        brim_over(full.id)
        make.payments(make.payment_row("FULL", full.merchant_no, "1.00"))
        make.payments(make.payment_row("GOOD", other.merchant_no, "1.00"))

        first, again = make.clear(), make.clear()

        assert (first.payments, first.failed) == (1, 1)
        assert (again.payments, again.failed) == (0, 1)
        assert make.balances(other.id)["merchant_pending"] == 100
        assert not Pricing.objects.filter(merchant_id=full.id).exists()
        assert Chunk.objects.filter(state="NEW").count() == 1

    def test_is_booked_once_the_reason_is_gone(self) -> None:
        full = MerchantFactory.create()
        make.fees(FREE)
        brim_over(full.id)
        make.payments(make.payment_row("FULL", full.merchant_no, "1.00"))
        assert make.clear().failed == 1
        entry = sql.rows("SELECT id FROM ledger_entry WHERE merchant_id = %s", [full.id])[0]["id"]
        journal.reverse(merchant_id=full.id, entry_id=entry, source_id="undo", memo="")

        done = make.clear()

        assert (done.payments, done.failed) == (1, 0)
        assert make.balances(full.id)["merchant_pending"] == 100

    def test_a_file_of_the_largest_amounts_is_stored_and_named(self) -> None:
        merchant = MerchantFactory.create()
        make.fees(FREE)
        most = "10000000000000.00"
        rows = [
            make.payment_row(f"M{number}", merchant.merchant_no, most) for number in range(9_300)
        ]
        make.payments(*rows)

        cleared = make.clear()

        assert (cleared.payments, cleared.failed) == (0, 1)
        assert Payment.objects.count() == 9_300

    def test_small_chunks_that_went_together_go_one_by_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full, other = MerchantFactory.create(), MerchantFactory.create()
        make.fees(FREE)
        brim_over(full.id)
        for number in range(6):
            owner = full if number == 3 else other
            make.payments(make.payment_row(f"P{number}", owner.merchant_no, "1.00"))
        together: list[int] = []
        params = clearing._params

        def noted(chunks: list[sql.Row], at: object) -> dict[str, object]:
            together.append(len(chunks))
            return params(chunks, at)  # type: ignore[arg-type]

        monkeypatch.setattr(clearing, "_params", noted)

        cleared = make.clear()

        assert together == [6, 1, 1, 1, 1, 1, 1]
        assert (cleared.payments, cleared.failed) == (5, 1)
        assert make.balances(other.id)["merchant_pending"] == 500

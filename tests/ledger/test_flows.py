"""The worked flows of docs/rules/ledger.md, as far as the ledger alone posts them."""

from __future__ import annotations

import pytest

from ledger.services import journal
from tests.factories.ledger import Leg, book, cr, dr, house_book

pytestmark = pytest.mark.django_db


class TestWorkedFlows:
    def test_a_payment_is_cleared_with_its_fee_and_its_channels_cost(self) -> None:
        merchant = book()

        merchant.post(
            dr("channel_receivable", "clear", 100_00),
            cr("merchant_pending", "clear", 99_40),
            cr("fee_income", "earn", 60),
        )
        merchant.post(dr("channel_cost", "charge", 25), cr("channel_receivable", "cost", 25))

        assert merchant.balance("channel_receivable") == 99_75
        assert merchant.history("merchant_pending") == [("clear", "CR", 99_40, 1, 99_40)]
        assert merchant.balance("fee_income") == 60
        assert merchant.balance("channel_cost") == 25

    def test_a_channels_cash_passes_between_the_books(self) -> None:
        house, merchant = house_book(), book()
        merchant.clear(99_75)

        house.post(
            dr("bank", "receive", 99_75, ref="merchant_custody"),
            cr("between_books", "pass", 99_75),
            cause="cash:1",
        )
        merchant.post(
            dr("between_books", "pass", 99_75),
            cr("channel_receivable", "receive_cash", 99_75),
            cause="cash:1",
        )

        assert merchant.balance("channel_receivable") == 0
        assert house.balance("between_books") + merchant.balance("between_books") == 0
        assert house.balance("bank", ref="merchant_custody") == 99_75

    def test_a_full_refund_after_the_channels_cost_leaves_the_receivable_below_zero(self) -> None:
        merchant = book()
        merchant.clear(100_00)
        merchant.post(dr("channel_cost", "charge", 25), cr("channel_receivable", "cost", 25))

        merchant.post(
            dr("merchant_pending", "refund", 100_00), cr("channel_receivable", "refund", 100_00)
        )

        assert merchant.balance("channel_receivable") == -25
        assert merchant.balance("merchant_pending") == 0

    def test_a_refund_draws_on_pending_then_available_then_becomes_debt(self) -> None:
        merchant = book()
        merchant.fund(30_00)
        merchant.clear(50_00)

        merchant.post(
            dr("merchant_pending", "refund", 50_00),
            dr("merchant_available", "refund", 30_00),
            dr("merchant_debt", "owe", 20_00),
            cr("channel_receivable", "refund", 100_00),
        )

        assert merchant.balance("merchant_pending") == 0
        assert merchant.balance("merchant_available") == 0
        assert merchant.balance("merchant_debt") == 20_00

    def test_a_refund_with_its_fee_returned(self) -> None:
        merchant = book()
        merchant.post(
            dr("channel_receivable", "clear", 100_00),
            cr("merchant_pending", "clear", 99_40),
            cr("fee_income", "earn", 60),
        )

        merchant.post(
            dr("merchant_pending", "refund", 99_40),
            dr("fee_income", "give_back", 60),
            cr("channel_receivable", "refund", 100_00),
        )

        assert merchant.balance("fee_income") == 0
        assert merchant.balance("channel_receivable") == 0

    def test_debt_is_repaid_first_when_pending_money_settles(self) -> None:
        merchant = book()
        merchant.post(dr("merchant_debt", "owe", 20_00), cr("channel_receivable", "refund", 20_00))
        merchant.clear(99_40)

        merchant.post(
            dr("merchant_pending", "settle", 99_40),
            cr("merchant_debt", "repay", 20_00),
            cr("merchant_available", "settle", 79_40),
        )

        assert merchant.balance("merchant_debt") == 0
        assert merchant.balance("merchant_available") == 79_40

    def test_a_chargeback_takes_in_order_and_its_mirror_gives_back(self) -> None:
        merchant = book()
        merchant.fund(40_00)
        merchant.clear(50_00)
        merchant.post(
            dr("merchant_pending", "reserve", 10_00), cr("merchant_reserve", "reserve", 10_00)
        )

        lost = merchant.post(
            dr("merchant_pending", "chargeback", 40_00),
            dr("merchant_available", "chargeback", 40_00),
            dr("merchant_reserve", "chargeback", 10_00),
            dr("merchant_debt", "owe", 5_00),
            cr("channel_receivable", "chargeback", 95_00),
        )
        after = [merchant.balance(k) for k in ("merchant_available", "merchant_debt")]
        journal.reverse(
            merchant_id=merchant.merchant_id, entry_id=lost, source_id="won", memo="won again"
        )

        assert after == [0, 5_00]
        assert merchant.balance("merchant_available") == 40_00
        assert merchant.balance("merchant_reserve") == 10_00
        assert merchant.balance("merchant_debt") == 0

    def test_a_settlement_on_the_same_day_earns_its_surcharge(self) -> None:
        merchant = book()
        merchant.clear(99_40)

        merchant.post(
            dr("merchant_pending", "settle", 99_40),
            cr("merchant_available", "settle", 99_35),
            cr("fee_income", "earn", 5),
        )

        assert merchant.balance("merchant_available") == 99_35
        assert merchant.balance("fee_income") == 5

    def test_a_reserve_is_kept_and_released(self) -> None:
        merchant = book()
        merchant.clear(100_00)

        merchant.post(
            dr("merchant_pending", "reserve", 10_00), cr("merchant_reserve", "reserve", 10_00)
        )
        merchant.post(
            dr("merchant_reserve", "release", 10_00), cr("merchant_available", "release", 10_00)
        )

        assert merchant.balance("merchant_reserve") == 0
        assert merchant.balance("merchant_available") == 10_00

    def test_a_withdrawal_is_held_paid_seen_at_the_bank_and_returned(self) -> None:
        house, merchant = house_book(), book()
        merchant.fund(60_00)
        hold = merchant.hold(51_00)

        merchant.post(
            dr("merchant_available", "withdraw", 51_00, hold_id=hold),
            cr("payout_in_transit", "submit", 50_00),
            cr("fee_income", "earn", 1_00),
        )
        for side, mirror in (
            (dr, cr),
            (cr, dr),
        ):  # the bank line, and its mirror when it comes back
            merchant.post(
                side("payout_in_transit", "complete", 50_00), mirror("between_books", "pass", 50_00)
            )
            house.post(
                side("between_books", "pass", 50_00),
                mirror("bank", "move", 50_00, ref="merchant_custody"),
            )
        merchant.post(
            dr("payout_in_transit", "return", 50_00), cr("merchant_available", "return", 50_00)
        )

        assert merchant.state("merchant_available") == (59_00, 0, 3)
        assert merchant.balance("payout_in_transit") == 0
        assert house.balance("between_books") == merchant.balance("between_books") == 0

    def test_a_failed_payout_that_was_paid_after_all_is_disputed_and_collected(self) -> None:
        merchant = book()

        merchant.post(
            dr("disputed_receivable", "park", 50_00), cr("payout_in_transit", "submit", 50_00)
        )
        merchant.post(
            dr("merchant_debt", "owe", 50_00), cr("disputed_receivable", "resolve", 50_00)
        )

        assert merchant.balance("disputed_receivable") == 0
        assert merchant.balance("payout_in_transit") == 50_00
        assert merchant.balance("merchant_debt") == 50_00

    @pytest.mark.parametrize(
        ("entries", "left"),
        [
            pytest.param(  # a prepaid card
                [
                    [
                        dr("channel_receivable", "top_up", 200_00),
                        dr("promotion", "charge", 10_00),
                        cr("prepaid_card", "top_up", 210_00),
                    ],
                    [
                        dr("issuer_prefunded", "advance", 80_00),
                        cr("merchant_pending", "advance", 80_00),
                    ],
                    [
                        dr("prepaid_card", "spend", 90_00),
                        cr("issuer_prefunded", "consume", 80_00),
                        cr("merchant_pending", "spend", 10_00),
                    ],
                    [
                        dr("prepaid_card", "redeem", 100_00),
                        cr("channel_receivable", "redeem", 100_00),
                    ],
                    [dr("prepaid_card", "expire", 20_00), cr("breakage", "earn", 20_00)],
                ],
                {
                    "prepaid_card": 0,
                    "issuer_prefunded": 0,
                    "merchant_pending": 90_00,
                    "breakage": 20_00,
                },
                id="card",
            ),
            pytest.param(  # a customer's deposit
                [
                    [
                        dr("channel_receivable", "take", 99_00),
                        cr("customer_deposit", "take", 99_00),
                    ],
                    [
                        dr("customer_deposit", "claim", 30_00),
                        cr("merchant_pending", "claim", 30_00),
                    ],
                    [
                        dr("customer_deposit", "give_back", 69_00),
                        cr("channel_receivable", "give_back", 69_00),
                    ],
                ],
                {"customer_deposit": 0, "merchant_pending": 30_00, "channel_receivable": 30_00},
                id="deposit",
            ),
            pytest.param(  # a merchant's margin
                [
                    [
                        dr("channel_receivable", "clear", 50_00),
                        cr("merchant_pending", "clear", 50_00),
                    ],
                    [
                        dr("merchant_pending", "settle", 50_00),
                        cr("merchant_available", "settle", 50_00),
                    ],
                    [
                        dr("merchant_available", "fund_margin", 50_00),
                        cr("merchant_margin", "pay_in", 50_00),
                    ],
                    [dr("merchant_debt", "owe", 20_00), cr("channel_receivable", "refund", 20_00)],
                    [dr("merchant_margin", "claim", 20_00), cr("merchant_debt", "repay", 20_00)],
                    [
                        dr("merchant_margin", "give_back", 30_00),
                        cr("merchant_available", "fund_margin", 30_00),
                    ],
                ],
                {"merchant_margin": 0, "merchant_debt": 0, "merchant_available": 30_00},
                id="margin",
            ),
            pytest.param(  # a fee that is only told, and one that cannot be netted
                [
                    [dr("fee_receivable", "charge", 60), cr("fee_income", "earn", 60)],
                    [dr("merchant_debt", "owe", 40), cr("fee_income", "earn", 40)],
                ],
                {"fee_receivable": 60, "fee_income": 1_00, "merchant_debt": 40},
                id="fees",
            ),
        ],
    )
    def test_of_cards_deposits_margins_and_fees(
        self, entries: list[list[Leg]], left: dict[str, int]
    ) -> None:
        merchant = book()

        for legs in entries:
            merchant.post(*legs)

        assert {kind: merchant.balance(kind) for kind in left} == left

    def test_of_the_house_alone(self) -> None:
        house = house_book()

        house.post(dr("bank", "receive", 900, ref="own"), cr("capital", "contribute", 900))
        house.post(dr("channel_float", "fund", 500, ref="wx"), cr("bank", "pay", 500, ref="own"))
        house.post(
            dr("bank", "move", 50, ref="own"), cr("bank", "move", 50, ref="merchant_custody")
        )
        house.post(dr("bank", "receive", 7, ref="merchant_custody"), cr("suspense", "park", 7))

        assert house.balance("bank", ref="own") == 450
        assert house.balance("bank", ref="merchant_custody") == -43
        assert house.balance("suspense") == -7

    def test_one_entry_may_hold_two_currencies_that_each_balance(self) -> None:
        merchant = book()

        merchant.post(
            dr("channel_receivable", "clear", 100_00),
            cr("merchant_pending", "clear", 100_00),
            dr("channel_receivable", "clear", 5_000, currency="JPY"),
            cr("merchant_pending", "clear", 5_000, currency="JPY"),
        )

        assert merchant.balance("merchant_pending") == 100_00
        assert merchant.balance("merchant_pending", "JPY") == 5_000

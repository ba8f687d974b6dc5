"""`verify` names what a superuser changes in one column, wherever another fact tells it."""

from __future__ import annotations

import io
import json
from datetime import date, datetime
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command

from channels.simulator.book import ZONE
from foundation import clock, registries
from foundation.services import approval_policy
from settlement.services import payout as payouts
from settlement.services import payout_statement, schedule
from tests.factories import channels as facts
from tests.factories import faults
from tests.factories import payout as make
from tests.factories import simulator as simulators
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.settlement.runs import settle

A1 = " WHERE payment_no = 'A1'"
R1 = " WHERE refund_no = 'RA1'"
OWN = " WHERE source_kind = 'refund'"
PAID = " WHERE status = 'SUCCEEDED'"

FAULTS = [
    # what came in
    ("C4", "UPDATE channels_payment SET captured_at = captured_at + interval '1 day'" + A1),
    ("C4", "UPDATE channels_payment SET captured_at = captured_at + interval '2 hours'" + A1),
    ("C4", "UPDATE channels_payment SET business_date = business_date + 1" + A1),
    ("C4", "UPDATE channels_payment SET intake_id = (SELECT max(id) FROM channels_intake)" + A1),
    ("C4", "UPDATE channels_refund SET refunded_at = refunded_at + interval '1 day'" + R1),
    ("C4", "UPDATE channels_refund SET business_date = business_date - 1" + R1),
    ("C4", "UPDATE channels_intake SET cut_off = '13:00' WHERE kind = 'PAYMENT'"),
    ("C4", "UPDATE channels_intake SET zone = 'America/New_York' WHERE kind = 'REFUND'"),
    ("C4", "UPDATE channels_intake SET kind = 'REFUND'"),
    ("C4", "UPDATE channels_intake SET stored = 0"),
    ("C4", "UPDATE channels_chunk SET facts = facts + 1"),
    ("C4", "UPDATE channels_chunk SET cleared_at = NULL"),
    ("H1", "UPDATE channels_fee_rule SET cap = 100"),
    ("H1", "DELETE FROM channels_fee_rule"),
    ("H1", "UPDATE merchants_bank_account SET holder = 'x'"),
    ("H1", "UPDATE settlement_payout_fee_rule SET fee_on_return = 'returned'"),
    # the ledger
    ("L2", "UPDATE ledger_entry SET accounting_date = accounting_date + 1"),
    ("L2", "UPDATE ledger_entry SET booked_at = booked_at - interval '3 days'"),
    ("L2", "UPDATE ledger_entry SET content_sha256 = sha256('x')"),
    ("L2", "UPDATE ledger_posting SET operation = 'refund' WHERE operation = 'clear'"
           " AND account_kind = 'channel_receivable'"),
    ("L2", "UPDATE ledger_posting SET operation = 'submit' WHERE operation = 'return'"),
    ("L2", "UPDATE ledger_posting SET posted_at = posted_at - interval '1 day'"),
    ("L2", "UPDATE ledger_posting_line SET fact_id = fact_id + 1 WHERE fact_kind = 'payout'"),
    ("L2", "UPDATE ledger_account SET posted_at = posted_at + interval '1 hour'"),
    ("L2", "UPDATE ledger_account SET opened_at = opened_at + interval '1 day'"),
    ("L2", "UPDATE ledger_account SET ref_id = 'x' WHERE ref_kind = ''"),
    ("L2", "UPDATE ledger_hold SET resolved_at = resolved_at + interval '1 day'"),
    ("L2", "UPDATE ledger_hold SET opened_at = opened_at + interval '1 day'"),
    ("L2", "UPDATE ledger_accounting_day SET cut_off = '23:59:59', zone = 'Etc/GMT-14'"),
    ("I4", "UPDATE ledger_account_kind SET ends_with_merchant = NOT ends_with_merchant"),
    ("I4", "UPDATE ledger_ability SET legal_source = 'x' WHERE operation = 'withdraw'"),
    ("I4", "INSERT INTO ledger_ability (account_kind, operation, side, legal_source)"
           " VALUES ('merchant_pending', 'withdraw', 'DR', 'x')"),
    # what is due and settled
    ("S4", "UPDATE settlement_due SET business_date = business_date + 1 WHERE NOT at_once"),
    ("S4", "UPDATE settlement_due SET due_date = due_date + 1 WHERE source_kind = 'payment'"),
    ("S4", "UPDATE settlement_due SET due_date = due_date + 1" + OWN),
    ("S4", "UPDATE foundation_business_day SET is_business_day = false WHERE date = '2026-03-03'"),
    ("S4", "UPDATE settlement_due SET at_once = true, due_date = business_date" + OWN),
    ("S4", "UPDATE settlement_due SET explanation = 'manual' WHERE explanation = 'schedule'"),
    ("S4", "UPDATE settlement_due SET schedule_code = 'D7' WHERE source_kind = 'payment'"),
    ("S4", "UPDATE settlement_due SET origin_id = NULL" + OWN),
    ("S4", "UPDATE settlement_due SET currency = 'USD'"),
    ("S4", "UPDATE settlement_batch SET run_id = (SELECT max(id) FROM settlement_run)"),
    ("S4", "UPDATE settlement_batch SET merchant_to = merchant_from"),
    ("S4", "UPDATE settlement_batch SET cycle = cycle + 1"),
    ("S4", "UPDATE settlement_batch SET frozen_at = NULL"),
    ("S4", "UPDATE settlement_item SET cycle = cycle + 1"),
    ("S4", "UPDATE settlement_item SET posted_at = posted_at + interval '1 hour'"),
    ("S4", "UPDATE settlement_item SET closed_at = NULL, state = 'CLOSED'"),
    ("S4", "UPDATE ledger_hold SET source_id = 'x' WHERE source_kind = 'settlement'"),
    ("S4", "UPDATE ledger_entry SET source_id = 'x' WHERE source_kind = 'settlement'"),
    ("S4", "UPDATE ledger_entry SET occurred_at = occurred_at + interval '1 hour'"
           " WHERE source_kind = 'settlement'"),
    # what is paid out
    ("P5", "UPDATE settlement_withdrawal SET number = 'x' || number"),
    ("P5", "UPDATE settlement_withdrawal SET requested_at = requested_at - interval '1 hour'"),
    ("P5", "UPDATE settlement_withdrawal SET business_date = business_date + 1"),
    ("P5", "UPDATE settlement_withdrawal SET closed_at = closed_at + interval '1 hour'"),
    ("P5", "UPDATE settlement_withdrawal SET fee_rule_id = NULL"),
    ("P5", "UPDATE settlement_withdrawal SET requested_by_id = gen_random_uuid()"),
    ("P5", "UPDATE settlement_payout_fee_rule SET fixed_minor = fixed_minor + 1"),
    ("P5", "UPDATE settlement_withdrawal_transition SET at = at - interval '1 day'"
           " WHERE sequence = 1"),
    ("P5", "UPDATE settlement_withdrawal_transition SET from_status = 'REVIEW'"
           " WHERE to_status = 'PAID'"),
    ("P5", "UPDATE settlement_withdrawal_transition SET to_status = 'REVIEW'"
           " WHERE to_status = 'PAYING'"),
    ("P5", "UPDATE settlement_payout_attempt SET number = number || '0'"),
    ("P5", "UPDATE settlement_payout_attempt SET amount_minor = amount_minor + 1"),
    ("P5", "UPDATE settlement_payout_attempt SET created_at = created_at - interval '1 hour'"),
    ("P5", "UPDATE settlement_payout_attempt SET sent_at = sent_at + interval '1 hour'"),
    ("P5", "UPDATE settlement_payout_attempt SET paid_at = paid_at + interval '1 hour'" + PAID),
    ("P5", "UPDATE settlement_payout_transition SET sequence = sequence + 100"),
    ("P5", "UPDATE settlement_payout_evidence SET raw = 'x'"),
    ("P5", "UPDATE settlement_payout_statement SET raw = 'x'"),
    ("P5", "UPDATE settlement_bank_line SET order_no = 'x'"),
    ("P5", "UPDATE settlement_bank_line SET payee_hash = 'x'"),
    ("P5", "UPDATE settlement_bank_line SET cause = 'x'"),
    ("P5", "UPDATE settlement_bank_line SET booked_at = booked_at + interval '1 hour'"),
    ("P5", "UPDATE ledger_hold SET operation = 'fee' WHERE source_kind = 'withdrawal'"),
    ("P5", "UPDATE ledger_entry SET memo = 'x' WHERE source_kind = 'payout_paid'"),
    ("P5", "UPDATE ledger_entry SET occurred_at = occurred_at + interval '1 day'"
           " WHERE source_kind = 'clearing'"),
    # keys and proposals
    ("K1", "UPDATE settlement_withdrawal SET sequence = sequence + 1"),
    ("K1", "UPDATE settlement_withdrawal SET bank_account_id = bank_account_id + 1000"),
    ("K1", "UPDATE settlement_payout_evidence SET attempt_id = attempt_id + 1000"),
    ("K1", "UPDATE ledger_hold SET currency = 'USD'"),
    ("A1", "UPDATE foundation_approval SET after = '{\"x\": 2}'"),
    ("A1", "UPDATE foundation_approval SET effect_minor = 2, effect_currency = 'CNY'"),
    ("A1", "UPDATE foundation_approval SET state = 'APPROVED', closed_at = now()"),
    ("A1", "UPDATE foundation_approval SET actor = 'x'"),
]  # fmt: skip


def _live_through_everything(folder: Path) -> None:
    """Facts, refunds, settlement at once and later, payouts in each state, a day file."""
    first, second = (MerchantFactory.create().merchant_no for _ in range(2))
    facts.fees(
        "*,*,*,0.9,,,,CNY,kept,2016-01-01", f"{second},*,*,1,0.10,0.20,5,CNY,returned,2016-01-01"
    )
    hasty = MerchantFactory.create()
    schedule.change(merchant_id=hasty.id, code="T0", effective_from=date(2026, 1, 1))
    facts.payments(
        *(
            facts.payment_row(f"{letter}{hour}", number, "100.00",
                              captured_at=f"2026-03-02T1{hour}:00:00+08:00")
            for letter, number in (("A", first), ("B", second), ("C", hasty.merchant_no))
            for hour in range(3)
        )
    )  # fmt: skip
    facts.clear()
    facts.refunds(("RA1", "A1", "40.00"), ("RB1", "B1", "11.11"))
    facts.clear()
    settle(date(2026, 3, 2))
    settle(date(2026, 3, 3))
    make.fee()
    with simulators.running(folder) as running:
        make.address(running.url)
        for status in ("PROCESSING", "SUCCEEDED", "FAILED", "RETURNED"):
            make.attempt(status)
        payouts.send(**make.request(make.payee(), 30_00).key, at=make.NOON)
        today = datetime.now(ZONE).date()
        payout_statement.fetch(channel_code="simulator", day=today, at=clock.now())
    approval_policy.propose(
        action="settlement.withdrawal", currency="CNY", from_amount_minor=1, checkers_needed=2,
        reason="a test", maker=UserFactory(), at=make.NOON,
    )  # fmt: skip


class TestVerify:
    def test_names_each_changed_column(self, cloned_db: str, tmp_path: Path) -> None:
        _live_through_everything(tmp_path)
        with faults.superuser():
            assert {name for name, _check in registries.invariant_checks.items()
                    if faults.found(name)} == set()  # fmt: skip
            overlooked = [faults.silent(check, fault) for check, fault in FAULTS]
        assert [text for text in overlooked if text] == []

    def test_ends_with_1(self, superuser: psycopg.Connection) -> None:
        number = MerchantFactory.create().merchant_no
        facts.payments(facts.payment_row("A1", number, "1.00"))
        superuser.execute("UPDATE channels_payment SET business_date = business_date + 1")
        out = io.StringIO()

        with pytest.raises(SystemExit) as ended:
            call_command("verify", "--json", stdout=out)

        assert ended.value.code == 1
        checks = json.loads(out.getvalue())["checks"]
        assert {name for name, broken in checks.items() if broken} == {"C4"}

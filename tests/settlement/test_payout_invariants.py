"""`verify` finds each fault around payouts that a superuser plants."""

from __future__ import annotations

import pytest

from foundation import registries
from tests.factories import payout as make


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()


FAULTS = [
    ("I7", "SUCCEEDED", "UPDATE settlement_payout_attempt SET withdrawal_id = %(withdrawal)s"),
    ("I9", "UNKNOWN", "UPDATE ledger_hold SET state = 'RELEASED', resolved_at = now()"),
    ("I9", "UNKNOWN", "UPDATE settlement_withdrawal SET status = 'FAILED'"),
    ("I9", "FAILED", "UPDATE ledger_hold SET state = 'OPEN', resolved_at = NULL"),
    ("P1", "SUCCEEDED", "UPDATE settlement_payout_attempt SET status = 'FAILED'"),
    ("P1", "SUCCEEDED", "UPDATE ledger_account SET balance = 1 WHERE kind = 'payout_in_transit'"),
    ("P2", "SUCCEEDED", "UPDATE settlement_withdrawal SET paid_fee_minor = 1"),
    ("P2", "RETURNED", "UPDATE settlement_withdrawal SET paid_minor = amount_minor"),
]


@pytest.mark.parametrize(("check", "status", "fault"), FAULTS)
def test_names_the_fault(superuser, check, status, fault):
    attempt = make.attempt(status)
    make.attempt(status)
    assert make.broken() == []

    if "%(withdrawal)s" in fault:
        superuser.execute("DROP INDEX attempt_one_ever_paid")
        superuser.execute("UPDATE settlement_payout_attempt SET attempt_no = id")
        superuser.execute(
            "UPDATE settlement_payout_attempt SET merchant_id = %(merchant)s",
            {"merchant": attempt.merchant_id},
        )
    superuser.execute(fault, {"withdrawal": attempt.withdrawal_id})

    found = {finding.check for finding in registries.invariant_checks.get(check)()}
    assert found == {check}

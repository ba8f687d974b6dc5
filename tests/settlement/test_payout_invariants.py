"""`verify` finds each fault around payouts that a superuser plants."""

from __future__ import annotations

import pytest

from foundation import registries
from tests.factories import payout as make

FREED = ("paid_when", "fee_once", "closed_when", "paid_whole")
ATTEMPT, WITHDRAWAL = "UPDATE settlement_payout_attempt SET ", "UPDATE settlement_withdrawal SET "
LINE = """
INSERT INTO settlement_bank_line (merchant_id, statement_id, channel_id, line_no, kind, order_no,
    channel_no, amount_minor, currency, payee_hash, moved_at, attempt_id, state, cause, booked_at)
SELECT merchant_id, 1, channel_id, id, 'PAID', number, '', amount_minor, currency, payee_hash,
    now(), id, 'BOOKED', 'x', now() FROM settlement_payout_attempt"""
SWAPPED = """ status = CASE status WHEN 'SUCCEEDED' THEN 'FAILED' ELSE 'SUCCEEDED' END"""


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()


FAULTS = [
    ("I9", "UNKNOWN", "UPDATE ledger_hold SET state = 'RELEASED', resolved_at = now()"),
    ("I9", "UNKNOWN", WITHDRAWAL + "status = 'FAILED', closed_at = now()"),
    ("I9", "FAILED", "UPDATE ledger_hold SET state = 'OPEN', resolved_at = NULL"),
    ("I9", "SUCCEEDED", "UPDATE ledger_hold SET amount_minor = amount_minor + 1"),
    ("I9", "FAILED", "UPDATE ledger_hold SET amount_minor = amount_minor - 1"),
    ("I4", "UNKNOWN", "ALTER TABLE settlement_withdrawal DISABLE TRIGGER withdrawal_steps"),
    ("P4", "SUCCEEDED", WITHDRAWAL + "authority_reference = 'key:none'"),
    ("P4", "SUCCEEDED", WITHDRAWAL + "authority = 'STANDING_INSTRUCTION'"),
    ("P1", "SUCCEEDED", ATTEMPT + "status = 'FAILED'"),
    ("P1", "SUCCEEDED", "UPDATE ledger_account SET balance = 1 WHERE kind = 'payout_in_transit'"),
    ("P1", "SUCCEEDED", LINE),
    ("P1", "RETURNED", "DELETE FROM ledger_posting WHERE operation = 'return'"),
    ("P1", "RETURNED", "UPDATE ledger_entry SET memo = '' WHERE source_kind = 'payout_returned'"),
    ("P2", "SUCCEEDED", WITHDRAWAL + "paid_fee_minor = 1"),
    ("P2", "RETURNED", WITHDRAWAL + "paid_minor = amount_minor"),
    ("P2", "FAILED", WITHDRAWAL + "paid_minor = amount_minor"),
    ("P2", "SUCCEEDED", "UPDATE ledger_posting SET amount_minor = 1 WHERE operation = 'withdraw'"),
    ("P3", "UNKNOWN", ATTEMPT + "status = 'SUCCEEDED', paid_at = now()"),
    ("P3", "SUCCEEDED", "DELETE FROM settlement_payout_evidence"),
    ("P3", "FAILED", "DELETE FROM settlement_payout_evidence WHERE verdict = 'FAIL'"),
    ("P3", "SUCCEEDED", "UPDATE settlement_payout_evidence SET amount_minor = 1"),
    ("P3", "SUCCEEDED", "UPDATE settlement_payout_evidence SET payee_hash = 'other'"),
    ("P3", "FAILED", LINE),
    ("P3", "DISPUTED", WITHDRAWAL + "status = 'FAILED'"),
]


def found(check: str) -> set[str]:
    return {finding.check for finding in registries.invariant_checks.get(check)()}


@pytest.mark.parametrize(("check", "status", "fault"), FAULTS)
def test_names_the_fault(superuser, check, status, fault):
    make.attempt(status)
    make.attempt(status)
    assert make.broken() == []
    for name in FREED:
        superuser.execute(f"ALTER TABLE settlement_withdrawal DROP CONSTRAINT withdrawal_{name}")

    superuser.execute(fault)

    assert found(check) == {check}


def test_names_what_was_paid_twice(superuser):
    attempt = make.attempt("SUCCEEDED")
    make.attempt("SUCCEEDED")

    superuser.execute("DROP INDEX attempt_one_ever_paid")
    superuser.execute(ATTEMPT + "attempt_no = id")
    superuser.execute(
        ATTEMPT + "merchant_id = %s, withdrawal_id = %s",
        [attempt.merchant_id, attempt.withdrawal_id],
    )

    assert found("I7") == {"I7"}


@pytest.mark.parametrize("check", ["P1", "P2"])
def test_names_two_faults_that_outweigh_each_other(superuser, check):
    account = make.payee(200_00)
    for status in ("SUCCEEDED", "FAILED"):
        make.attempt(status, account)
    for name in FREED:
        superuser.execute(f"ALTER TABLE settlement_withdrawal DROP CONSTRAINT withdrawal_{name}")

    superuser.execute(ATTEMPT + SWAPPED + ", paid_at = now()")
    superuser.execute(WITHDRAWAL + "paid_minor = amount_minor - paid_minor")

    assert found(check) == {check}


class TestToken:
    @pytest.fixture
    def made(self, cloned_db):
        account = make.payee(200_00)
        user = make.owner(account.merchant)
        return [make.request(account, authority=make.token(account, user)) for _ in range(2)]

    @pytest.mark.parametrize(
        "fault",
        [
            WITHDRAWAL + "authority_reference = 'token:1'",
            WITHDRAWAL + "authority_reference = 'token:99'",
            WITHDRAWAL + "amount_minor = 1",
            "UPDATE merchants_verification_token SET payee = 'x'",
            "UPDATE merchants_verification_token SET used_at = NULL",
        ],
    )
    def test_that_does_not_fit_is_named(self, superuser, made, fault):
        assert make.broken() == []
        superuser.execute("DROP INDEX withdrawal_token_once")

        superuser.execute(fault)

        assert found("P4") == {"P4"}

"""For I10 and C1 to C3: green before, one planted fault, and `verify` says that name."""

from __future__ import annotations

import io
import json

import psycopg
import pytest
from django.core.management import call_command

from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

NAMES = ["I10", "C1", "C2", "C3"]


def verify() -> tuple[int, set[str]]:
    """Ask `verify --json`; return its exit code and the names of what is broken."""
    out, code = io.StringIO(), 0
    try:
        call_command("verify", "--json", "--only", *NAMES, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, {name for name, found in json.loads(out.getvalue())["checks"].items() if found}


@pytest.fixture
def lived(superuser: psycopg.Connection) -> psycopg.Connection:
    """
    Two merchants with payments, refunds kept and returned, and facts without a price; versions a
    year older than the clearing.
    """
    first, second = (MerchantFactory.create().merchant_no for _ in range(2))
    make.fees(
        "*,*,*,0.9,,,,CNY,kept,2016-01-01",
        f"{first},*,*,0.6,,,,CNY,kept,2016-01-01",
        f"{first},*,*,0.5,,,,CNY,kept,2026-03-02",
        f"{second},*,*,1,0.10,0.20,5,CNY,returned,2016-01-01",
    )
    superuser.execute("UPDATE channels_fee_rule SET created_at = '2025-01-01'")
    make.payments(
        make.payment_row("A1", first, "100.00"),
        make.payment_row("A2", first, "200.00", captured_at="2026-03-01T12:00:00+08:00"),
        make.payment_row("B1", second, "33.33"),
        make.payment_row("B2", second, "10.00", channel="other"),
        make.payment_row("USD", first, "1.00", currency="USD"),
    )
    make.clear()
    make.refunds(("RA1", "A1", "40.00"), ("RB1", "B1", "11.11"), ("RA2", "A2", "5.00"))
    make.clear()
    make.refunds(("RB2", "B1", "22.22"))
    make.clear()
    assert verify() == (0, set())
    return superuser


A1 = "payment_id = (SELECT id FROM channels_payment WHERE payment_no = 'A1')"
LAST = "refund_id = (SELECT id FROM channels_refund WHERE refund_no = 'RB2')"
FAULTS = [
    pytest.param(
        {"I10", "C2"},
        "UPDATE channels_refund SET amount_minor = amount_minor + 1 WHERE refund_no = 'RB2'",
        id="a refund above its payment",
    ),
    pytest.param(
        {"I10", "C2"},
        "UPDATE channels_refund SET amount_minor = amount_minor - 1 WHERE refund_no = 'RB1'",
        id="a refund off by one fen before another",
    ),
    pytest.param(
        {"I10"},
        "UPDATE channels_refund SET refunded_before_minor = 1 WHERE refund_no = 'RA1'",
        id="a refund that is not where it says in the chain",
    ),
    pytest.param(
        {"I10", "C3"},
        "UPDATE channels_refund SET currency = 'USD' WHERE refund_no = 'RA1'",
        id="a refund in another currency",
    ),
    pytest.param(
        {"I10", "C2"},
        "UPDATE channels_refund SET payment_id = (SELECT id FROM channels_payment"
        " WHERE payment_no = 'USD') WHERE refund_no = 'RA1'",
        id="a refund of another payment",
    ),
    pytest.param(
        {"C1", "C2", "C3"},
        f"DELETE FROM channels_pricing WHERE {A1}",
        id="a booked payment that has no price",
    ),
    pytest.param(
        {"C1"},
        "DELETE FROM channels_unpriced",
        id="a payment that is booked nowhere and waits nowhere",
    ),
    pytest.param(
        {"C1"},
        "UPDATE channels_chunk SET state = 'NEW' WHERE kind = 'PAYMENT'",
        id="a chunk that would be cleared a second time",
    ),
    pytest.param(
        {"C1", "C3"},
        f"DELETE FROM channels_refund_booking WHERE {LAST}",
        id="a booked refund without its booking",
    ),
    pytest.param(
        {"C2", "C3"},
        f"UPDATE channels_pricing SET fee_minor = fee_minor + 1 WHERE {A1}",
        id="a fee off by one fen",
    ),
    pytest.param(
        {"C2"},
        "WITH off AS (UPDATE channels_pricing SET fee_minor = fee_minor + 1 WHERE " + A1 + "),"
        " line AS (UPDATE ledger_posting_line SET amount_minor = amount_minor - 1"
        " WHERE fact_kind = 'payment' AND fact_id ="
        " (SELECT id FROM channels_payment WHERE payment_no = 'A1')"
        " RETURNING merchant_id, posting_id),"
        " entry AS (SELECT p.merchant_id, p.entry_id FROM ledger_posting p JOIN line"
        " ON line.posting_id = p.id)"
        " UPDATE ledger_posting p SET amount_minor = p.amount_minor"
        " + CASE p.account_kind WHEN 'fee_income' THEN 1 ELSE -1 END FROM entry"
        " WHERE p.entry_id = entry.entry_id AND p.account_kind <> 'channel_receivable'",
        id="a fee off by one fen with postings that agree and balance",
    ),
    pytest.param(
        {"C2"},
        "UPDATE channels_pricing SET fee_rule_id = (SELECT id FROM channels_fee_rule"
        f" WHERE rate_percent = 1) WHERE {A1}",
        id="a version of another merchant",
    ),
    pytest.param(
        {"C2"},
        "INSERT INTO channels_fee_rule (merchant_id, currency, rate_percent, fixed, minimum,"
        " fee_on_refund, effective_from, created_at) SELECT merchant_id, currency, rate_percent,"
        " fixed, minimum, fee_on_refund, '2016-02-02', '2025-01-01' FROM channels_fee_rule"
        " WHERE rate_percent = 0.6",
        id="a version that was not the latest, though of the same price",
    ),
    pytest.param(
        {"C2"},
        "UPDATE channels_fee_rule SET rate_percent = 0.55 WHERE rate_percent = 0.5",
        id="a version edited after it priced",
    ),
    pytest.param(
        {"C2"},
        "UPDATE channels_fee_rule SET effective_from = '2026-03-03' WHERE rate_percent = 0.5",
        id="a version that had not begun",
    ),
    pytest.param(
        {"C2", "C3"},
        "UPDATE channels_refund_booking SET fee_returned_minor = fee_returned_minor + 1,"
        f" from_pending_minor = from_pending_minor - 1 WHERE {LAST}",
        id="a fee given back off by one fen",
    ),
    pytest.param(
        {"C3"},
        "UPDATE channels_refund_booking SET from_pending_minor = from_pending_minor - 1,"
        f" to_debt_minor = to_debt_minor + 1 WHERE {LAST}",
        id="a refund taken from elsewhere than booked",
    ),
    pytest.param(
        {"C3"},
        "DELETE FROM ledger_posting_line WHERE fact_kind = 'payment'",
        id="lines of payments deleted",
    ),
    pytest.param(
        {"C3"},
        "UPDATE ledger_posting_line SET fact_id = -fact_id WHERE fact_kind = 'payment'"
        " AND fact_id = (SELECT id FROM channels_payment WHERE payment_no = 'A1')",
        id="a line of another fact",
    ),
    pytest.param(
        {"C3"},
        "UPDATE ledger_posting_line SET fact_id = CASE fact_id"
        " WHEN (SELECT id FROM channels_payment WHERE payment_no = 'A1')"
        " THEN (SELECT id FROM channels_payment WHERE payment_no = 'B1')"
        " ELSE (SELECT id FROM channels_payment WHERE payment_no = 'A1') END"
        " WHERE fact_kind = 'payment' AND fact_id IN"
        " (SELECT id FROM channels_payment WHERE payment_no IN ('A1', 'B1'))",
        id="two merchants' payments exchanged",
    ),
    pytest.param(
        {"C3"},
        "DELETE FROM ledger_posting WHERE entry_id = (SELECT min(id) FROM ledger_entry"
        " WHERE source_kind = 'refund')",
        id="a booked refund without postings",
    ),
    pytest.param(
        {"C2", "C3"},
        "UPDATE channels_payment SET amount_minor = amount_minor + 10000 WHERE payment_no = 'A1'",
        id="a payment larger than what was booked",
    ),
    pytest.param(
        {"C3"},
        "UPDATE channels_payment SET channel_id = (SELECT id FROM channels_channel"
        " WHERE code = 'other') WHERE payment_no = 'A1'",
        id="a payment moved to another channel",
    ),
]


def payer_of_a1(connection: psycopg.Connection) -> str:
    """Return the number of the merchant of payment A1."""
    row = connection.execute(
        "SELECT merchant_no FROM merchants_merchant m JOIN channels_payment p"
        " ON p.merchant_id = m.id WHERE p.payment_no = 'A1'"
    ).fetchone()
    assert row is not None
    return str(row[0])


class TestVerify:
    @pytest.mark.parametrize(("names", "fault"), FAULTS)
    def test_names_the_invariant_that(
        self, names: set[str], fault: str, lived: psycopg.Connection
    ) -> None:
        assert lived.execute(fault.encode()).rowcount > 0

        assert verify() == (1, names)

    def test_leaves_alone_a_version_that_came_after_the_clearing(
        self, lived: psycopg.Connection
    ) -> None:
        make.fees("*,card,*,0.1,,,,CNY,kept,2016-01-01")
        make.fees(f"{payer_of_a1(lived)},*,*,0.1,,,,CNY,kept,2016-02-02")

        assert verify() == (0, set())

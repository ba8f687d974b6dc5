"""For each of I1 to I6: green before, one planted fault, and `verify` says that name."""

from __future__ import annotations

import io
import json
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from ledger.services import hold as holds
from ledger.services import journal
from tests.factories.ledger import Book, Bulk, book, cr, dr, house_book

_NAMES = ["I1", "I2", "I3", "I4", "I5", "I6"]


def _verify() -> tuple[int, dict[str, list[Any]]]:
    """Ask `verify --json` for the ledger's checks; return its exit code and what is broken."""
    out, code = io.StringIO(), 0
    try:
        call_command("verify", "--json", "--only", *_NAMES, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    report = json.loads(out.getvalue())
    assert report["ok"] == (code == 0)
    assert list(report["checks"]) == _NAMES
    return code, {name: found for name, found in report["checks"].items() if found}


def _live_through_everything() -> Book:
    """Make a book with lines, holds in every state, a reversal and a passage on its way."""
    merchant, other, house, bulk = book(), book(), house_book(), Bulk()
    other.clear(5_00)
    bulk.entry(
        merchant,
        "chunk",
        dr("channel_receivable", "clear", 100_60),
        cr("merchant_pending", "clear", 100_00),
        cr("fee_income", "earn", 60),
    )
    bulk.lines(merchant, "chunk", "merchant_pending", "clear", [(1, 50_00), (2, 30_00), (3, 20_00)])
    bulk.post()
    merchant.fund(500_00)
    for minor in (51_00, 51_00):
        merchant.post(
            dr("merchant_available", "withdraw", minor, hold_id=merchant.hold(60_00)),
            cr("payout_in_transit", "submit", minor),
        )
    holds.release(merchant_id=merchant.merchant_id, hold_id=merchant.hold(51_00, cause="released"))
    merchant.hold(7_00, cause="open")
    wrong = merchant.clear(9_00)
    journal.reverse(merchant_id=merchant.merchant_id, entry_id=wrong, source_id="r", memo="wrong")
    house.post(
        dr("bank", "receive", 3_00, ref="merchant_custody"), cr("between_books", "pass", 3_00)
    )
    return merchant


_SOME_CAPTURE = "(SELECT min(id) FROM ledger_hold WHERE state = 'CAPTURED')"
_INSERT_ENTRY = """
INSERT INTO ledger_entry (merchant_id, source_kind, source_id, content_sha256, accounting_date,
                          occurred_at, memo, actor, request_id, booked_at, xid8)
SELECT merchant_id, source_kind, source_id || '{suffix}', content_sha256, accounting_date,
       occurred_at, memo, actor, request_id, booked_at, xid8 FROM ledger_entry LIMIT 1"""

FAULTS = [
    pytest.param(
        {"I1", "I2"},
        "UPDATE ledger_posting SET amount_minor = amount_minor + 1"
        " WHERE account_kind = 'fee_income'",
        id="a posting off by one fen",
    ),
    pytest.param({"I1"}, _INSERT_ENTRY.format(suffix="empty"), id="an entry without postings"),
    pytest.param(
        {"I1"},
        "UPDATE ledger_posting SET xid8 = '3' WHERE account_kind = 'fee_income'",
        id="a posting of another transaction than its entry",
    ),
    pytest.param(
        {"I1", "I2"},
        "UPDATE ledger_posting SET merchant_id = (SELECT id FROM merchants_merchant"
        " WHERE kind = 'HOUSE') WHERE account_kind = 'fee_income'",
        id="a posting in another book",
    ),
    pytest.param(
        {"I1", "I2"},
        "DELETE FROM ledger_posting WHERE account_kind = 'fee_income'",
        id="a posting deleted",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'fee_income'",
        id="a balance off by one fen",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_account SET balance = balance + 1"
        " WHERE kind IN ('fee_income', 'channel_receivable') AND merchant_id ="
        " (SELECT merchant_id FROM ledger_account WHERE kind = 'fee_income')",
        id="two balances off in a book that still sums to zero",
    ),
    pytest.param(
        {"I2"},
        "WITH moved AS (UPDATE ledger_account SET seq = seq + 1 WHERE kind = 'fee_income')"
        " UPDATE ledger_posting SET seq = seq + 1 WHERE account_kind = 'fee_income'",
        id="a gap in seq",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting SET balance_after = balance_after - 1"
        " WHERE account_kind = 'payout_in_transit' AND seq = 1",
        id="a balance after off by one fen",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting SET posted_at = posted_at - interval '1 hour'"
        " WHERE account_kind = 'payout_in_transit' AND seq = 2",
        id="a posting dated before the one it follows",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_account SET balance = balance + CASE kind WHEN 'merchant_pending' THEN 1"
        " ELSE -1 END WHERE kind IN ('merchant_pending', 'payout_in_transit')",
        id="two balances off that make up for each other",
    ),
    pytest.param(
        {"I2", "I6"},
        "UPDATE ledger_posting SET amount_minor = amount_minor + 1"
        " WHERE entry_id = (SELECT max(entry_id) FROM ledger_posting"
        " WHERE account_kind = 'payout_in_transit')",
        id="both sides of an entry off by one fen",
    ),
    pytest.param(
        {"I2", "I4"},
        "UPDATE ledger_posting SET side = CASE side WHEN 'DR' THEN 'CR' ELSE 'DR' END"
        " WHERE entry_id = (SELECT min(id) FROM ledger_entry)",
        id="the sides of an entry exchanged",
    ),
    pytest.param(
        {"I1"},
        "UPDATE ledger_posting SET currency = 'USD' WHERE entry_id ="
        " (SELECT min(id) FROM ledger_entry)",
        id="an entry in another currency than its accounts",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting SET seq = seq + 100 WHERE account_kind = 'payout_in_transit';"
        "UPDATE ledger_posting SET seq = 103 - seq WHERE account_kind = 'payout_in_transit'",
        id="two postings in exchanged order",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting_line SET amount_minor = amount_minor + CASE line_no WHEN 1 THEN 1"
        " ELSE -1 END WHERE line_no < 3",
        id="two lines off that make up for each other",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting_line SET amount_minor = amount_minor + 1 WHERE line_no = 3",
        id="a line off by one fen",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting_line SET balance_after = balance_after + 1 WHERE line_no = 2",
        id="the balance after a line in the middle",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting_line SET line_no = 9 WHERE line_no = 3",
        id="a gap in the line numbers",
    ),
    pytest.param(
        {"I2"},
        "INSERT INTO ledger_posting_line (merchant_id, posting_id, account_id, seq, line_no,"
        " fact_kind, fact_id, amount_minor, balance_after) SELECT merchant_id, posting_id,"
        " account_id, 999, 1, fact_kind, 99, 5, 5 FROM ledger_posting_line LIMIT 1",
        id="a line without a posting",
    ),
    pytest.param(
        {"I2"},
        "UPDATE ledger_posting SET posted_at = posted_at - interval '2 days'"
        " WHERE account_kind = 'between_books'",
        id="a passage that never arrived",
    ),
    pytest.param(
        {"I3"},
        "UPDATE ledger_account SET held = held + 1 WHERE kind = 'merchant_available' AND held > 0",
        id="held off by one fen",
    ),
    pytest.param({"I3"}, "DELETE FROM ledger_hold WHERE state = 'OPEN'", id="an open hold deleted"),
    pytest.param(
        {"I3"},
        "UPDATE ledger_account SET never_negative = false WHERE kind = 'merchant_available'",
        id="an account that may go below zero where its kind may not",
    ),
    pytest.param(
        {"I3"},
        "INSERT INTO ledger_account (merchant_id, kind, currency, ref_kind, ref_id, normal_side,"
        " never_negative, balance, held, seq, opened_at) SELECT merchant_id, 'bank', currency, '',"
        " 'own', 'DR', false, 0, 0, 0, opened_at FROM ledger_account WHERE kind = 'fee_income'",
        id="an account of the house in a merchant's book",
    ),
    pytest.param(
        {"I3"},
        "UPDATE ledger_hold SET account_id = (SELECT min(id) FROM ledger_account"
        " WHERE kind = 'merchant_pending') WHERE state = 'OPEN'",
        id="a hold moved to another account",
    ),
    pytest.param(
        {"I3"},
        "UPDATE ledger_hold SET state = 'RELEASED', resolved_at = now() WHERE state = 'OPEN'",
        id="a hold resolved that is still held",
    ),
    pytest.param(
        {"I3", "I4"},
        "ALTER TABLE ledger_account DROP CONSTRAINT account_not_below_zero;"
        "UPDATE ledger_hold SET amount_minor = 10000000 WHERE state = 'OPEN';"
        "UPDATE ledger_account SET held = 10000000 WHERE held > 0",
        id="more held than is there",
    ),
    pytest.param(
        {"I4"},
        "ALTER TABLE ledger_posting DISABLE TRIGGER append_only",
        id="a trigger switched off",
    ),
    pytest.param(
        {"I4"}, "DROP TRIGGER balanced ON ledger_posting", id="the balance trigger dropped"
    ),
    pytest.param({"I4"}, "SELECT ledger_guards(false)", id="every trigger taken off"),
    pytest.param(
        {"I4"},
        "ALTER TABLE ledger_posting DROP CONSTRAINT posting_ability_fk",
        id="the ability key dropped",
    ),
    pytest.param(
        {"I4"},
        "GRANT DELETE ON ledger_posting TO countinghouse_product",
        id="a right to write granted to the product",
    ),
    pytest.param(
        {"I4"},
        "GRANT INSERT ON ledger_entry TO countinghouse_app",
        id="a right to write granted to one of its roles",
    ),
    pytest.param(
        {"I4"},
        "GRANT UPDATE (balance) ON ledger_account TO countinghouse_product",
        id="a right to write one column",
    ),
    pytest.param(
        {"I4"}, "GRANT TRUNCATE ON ledger_hold TO PUBLIC", id="a right to write for everybody"
    ),
    pytest.param(
        {"I4"}, "GRANT TRIGGER ON foundation_audit_event TO PUBLIC", id="a right to put triggers on"
    ),
    pytest.param(
        {"I4"},
        "GRANT CREATE ON SCHEMA public TO countinghouse_product",
        id="a right to make things",
    ),
    pytest.param(
        {"I4"},
        "ALTER TABLE foundation_audit_event DISABLE TRIGGER refuse_change",
        id="the audit trail open to change",
    ),
    pytest.param(
        {"I4"},
        "DROP TRIGGER refuse_truncate ON channels_payment",
        id="payments open to be emptied",
    ),
    pytest.param(
        {"I4"},
        "DROP TRIGGER append_only ON ledger_entry; CREATE TRIGGER append_only BEFORE UPDATE"
        " ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_stamp()",
        id="a trigger that calls something else",
    ),
    pytest.param(
        {"I4"},
        "DROP TRIGGER append_only ON ledger_entry; CREATE TRIGGER append_only BEFORE UPDATE"
        " OR DELETE ON ledger_entry FOR EACH ROW WHEN (OLD.memo = '') EXECUTE FUNCTION"
        " ledger_refuse_change()",
        id="a trigger that is called for some rows only",
    ),
    pytest.param(
        {"I4"},
        "DROP TRIGGER stamp ON ledger_posting; CREATE TRIGGER stamp BEFORE INSERT ON ledger_posting"
        " FOR EACH ROW WHEN (NEW.xid8 IS NULL) EXECUTE FUNCTION ledger_stamp()",
        id="a stamp that lets forged ones pass",
    ),
    pytest.param(
        {"I4"},
        "CREATE OR REPLACE FUNCTION ledger_check_postings() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'",
        id="a guard that lets everything through",
    ),
    pytest.param({"I4"}, "DROP INDEX entry_reversed_once", id="the key of reversals dropped"),
    pytest.param(
        {"I4"},
        "GRANT UPDATE ON ledger_accounting_day TO countinghouse_product",
        id="a right to move the accounting day",
    ),
    pytest.param(
        {"I4"},
        "UPDATE ledger_posting SET operation = 'withdraw' WHERE account_kind = 'merchant_pending'"
        " AND operation = 'settle'",
        id="a posting that its kind of account may never do",
    ),
    pytest.param(
        {"I4"},
        "UPDATE ledger_hold SET operation = 'clear' WHERE state = 'OPEN'",
        id="a hold for what its kind of account may never do",
    ),
    pytest.param(
        {"I4"},
        "UPDATE ledger_entry SET reverses_id = (SELECT min(id) FROM ledger_entry)"
        " WHERE reverses_id IS NOT NULL",
        id="a reversal of another entry",
    ),
    pytest.param(
        {"I4"},
        "UPDATE ledger_entry SET reverses_id = NULL WHERE reverses_id IS NOT NULL",
        id="a reversal of nothing",
    ),
    pytest.param(
        {"I4"},
        "UPDATE ledger_entry SET reverses_id = 1000000 WHERE source_id = 'chunk'",
        id="an entry that calls itself a reversal",
    ),
    pytest.param(
        {"I5"},
        "ALTER TABLE ledger_entry DROP CONSTRAINT entry_one_per_cause;"
        "UPDATE ledger_entry SET source_kind = 'test', source_id = 'chunk'"
        " WHERE source_kind = 'reversal'",
        id="one cause with two entries",
    ),
    pytest.param(
        {"I5"},
        "ALTER TABLE ledger_entry DROP CONSTRAINT entry_one_per_cause",
        id="the key of causes dropped",
    ),
    pytest.param(
        {"I6"},
        f"UPDATE ledger_hold SET captured_minor = captured_minor - 1 WHERE id = {_SOME_CAPTURE}",
        id="a capture of another amount than its posting",
    ),
    pytest.param(
        {"I6"},
        "UPDATE ledger_hold h SET state = 'CAPTURED', captured_minor = h.amount_minor,"
        " entry_id = (SELECT max(id) FROM ledger_entry) WHERE h.source_id = 'released'",
        id="a capture without a posting",
    ),
    pytest.param(
        {"I6"},
        "UPDATE ledger_hold h SET state = 'CAPTURED', captured_minor = c.captured_minor,"
        f" entry_id = c.entry_id FROM ledger_hold c WHERE c.id = {_SOME_CAPTURE}"
        " AND h.source_id = 'released'",
        id="two holds captured by one posting",
    ),
]


class TestVerify:
    @pytest.mark.parametrize(("names", "fault"), FAULTS)
    def test_names_the_invariant_that(
        self, names: set[str], fault: str, superuser: psycopg.Connection
    ) -> None:
        _live_through_everything()
        assert _verify() == (0, {})

        superuser.execute(fault)

        code, broken = _verify()
        assert code == 1
        assert set(broken) == names

    def test_says_where_how_much_was_expected_and_what_was_found(
        self, superuser: psycopg.Connection
    ) -> None:
        merchant = book()
        merchant.clear(100_00)

        superuser.execute(
            "UPDATE ledger_account SET balance = 10001 WHERE kind = 'merchant_pending'"
        )

        _, broken = _verify()
        account = merchant.account("merchant_pending")
        assert [finding["subject"] for finding in broken["I2"]] == [
            "book",
            f"merchant_pending account {account}",
        ]
        finding = broken["I2"][1]
        assert (finding["merchant_id"], finding["currency"]) == (merchant.merchant_id, "CNY")
        assert finding["expected"].startswith("balance 10000,")
        assert finding["found"].startswith("balance 10001,")

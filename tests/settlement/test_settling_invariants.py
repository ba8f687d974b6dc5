"""`verify` finds each fault around settling that a superuser plants."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest

from foundation import registries
from settlement.services import schedule
from tests.factories import settlement as make
from tests.settlement.runs import assert_proved, settle

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
FIRST = "(SELECT min(source_id) FROM settlement_line)"

FAULTS = [
    pytest.param(
        {"I8"},
        "ALTER TABLE settlement_line DROP CONSTRAINT line_one_per_source;"
        f"INSERT INTO settlement_line SELECT * FROM settlement_line WHERE source_id = {FIRST}",
        id="a payment on two lines",
    ),
    pytest.param(
        {"I8", "S1", "S2"},
        f"DELETE FROM settlement_line WHERE source_id = {FIRST}",
        id="a line deleted",
    ),
    pytest.param(
        {"I8"},
        f"UPDATE settlement_line SET amount_minor = amount_minor + 1 WHERE source_id = {FIRST}",
        id="a line off by one fen",
    ),
    pytest.param(
        {"I8"}, "UPDATE settlement_item SET entry_id = NULL", id="a posted item without its entry"
    ),
    pytest.param(
        {"I8", "S3"},
        "UPDATE settlement_item SET state = 'COLLECTED'",
        id="a booked item set back before its posting",
    ),
    pytest.param(
        {"I8"},
        "UPDATE ledger_hold SET amount_minor = amount_minor + 1",
        id="a captured hold with another amount",
    ),
    pytest.param(
        {"S1"},
        "UPDATE settlement_due SET amount_minor = amount_minor + 1"
        " WHERE source_id NOT IN (SELECT source_id FROM settlement_line)",
        id="an open due off by one fen",
    ),
    pytest.param(
        {"S2"},
        "UPDATE settlement_position SET open_from = NULL",
        id="an open due that no run would look for",
    ),
    pytest.param({"S3"}, "DELETE FROM settlement_exposure", id="an advance that nobody sees"),
    pytest.param(
        {"S3"},
        "UPDATE settlement_exposure SET amount_minor = amount_minor - 1",
        id="an advance off by one fen",
    ),
]


@pytest.mark.parametrize(("names", "fault"), FAULTS)
def test_names_the_fault(names: set[str], fault: str, superuser: psycopg.Connection) -> None:
    merchant = make.merchant()
    make.payment(merchant, 100_00, MONDAY)
    make.payment(merchant, 50_00, MONDAY)
    make.payment(merchant, 7_00, TUESDAY)  # stays open
    hasty = make.merchant()
    schedule.change(merchant_id=hasty, code="T0", effective_from=TUESDAY)
    make.payment(hasty, 30_00, TUESDAY)
    settle(TUESDAY)
    assert_proved()

    superuser.execute(fault)

    checks = registries.invariant_checks
    assert {name for name in ("I8", "S1", "S2", "S3") if list(checks.get(name)())} == names

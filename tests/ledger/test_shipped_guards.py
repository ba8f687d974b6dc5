"""I4 looks at every guard that any package ships, not at the ledger's alone."""

from __future__ import annotations

import psycopg

from ledger.selectors.guard_invariants import guarded_history

FAULTS = (
    "DROP TRIGGER staff_account_made ON foundation_user",
    "ALTER TABLE merchants_application_transition DISABLE TRIGGER refuse_change",
    "CREATE OR REPLACE FUNCTION foundation_by_operator() RETURNS boolean LANGUAGE sql"
    " AS 'SELECT true'",
    "DROP FUNCTION foundation_approved_now",
)


def test_names_what_was_taken_away(superuser: psycopg.Connection) -> None:
    assert list(guarded_history()) == []
    for fault in FAULTS:
        superuser.execute(fault)

    found = {finding.subject: finding.found for finding in guarded_history()}

    assert found == {
        "foundation_user staff_account_made": "missing",
        "merchants_application_transition refuse_change": "off",
        "function foundation_by_operator": "changed",
        "function foundation_approved_now": "missing",
    }

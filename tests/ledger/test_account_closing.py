"""Accounts end with their merchant: closed, empty, opened again by what comes late (LG-13)."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from foundation import registries, sql
from ledger import chart, errors
from ledger.models import Account, AccountKind, AccountStep
from ledger.services import hold as holds
from tests.factories import merchant_state
from tests.factories.ledger import Book, book, cr, dr

LATE = "returned"


def closed(made: Book | None = None) -> Book:
    """Return the book of a closed merchant that once had money."""
    made = made or book()
    made.clear(9_00)
    made.post(dr("merchant_pending", "settle", 9_00), cr("merchant_available", "settle", 9_00))
    made.post(dr("merchant_available", "withdraw", 9_00), cr("payout_in_transit", "submit", 9_00))
    made.post(dr("payout_in_transit", "complete", 9_00), cr("between_books", "pass", 9_00))
    for status in ("CLOSING", "CLOSED"):
        merchant_state.stand(made.merchant_id, status)
    return made


def late(made: Book) -> int:
    """Book what the bank sent back after all."""
    return made.post(
        dr("between_books", "pass", 9_00), cr("merchant_available", "return", 9_00), cause=LATE
    )


def accounts(made: Book) -> dict[str, bool]:
    """Return which accounts are closed, by kind."""
    found = Account.objects.filter(merchant_id=made.merchant_id)
    return {row.kind_id: row.closed_at is not None for row in found}


def steps(made: Book, kind: str) -> list[tuple[str, int | None]]:
    found = AccountStep.objects.filter(merchant_id=made.merchant_id, account__kind=kind)
    return list(found.order_by("id").values_list("step", "entry_id"))


@pytest.mark.django_db
class TestClosing:
    def test_closes_what_ends_with_the_merchant_and_leaves_what_is_ours(self):
        made = closed()

        assert accounts(made) == {
            "merchant_pending": True, "merchant_available": True, "payout_in_transit": True,
            "channel_receivable": False, "between_books": False,
        }  # fmt: skip
        assert steps(made, "merchant_available") == [("CLOSED", None)]
        assert not list(registries.invariant_checks.get("L1")())

    def test_the_chart_says_which_kinds_end(self):
        ending = AccountKind.objects.filter(ends_with_merchant=True)
        assert set(ending.values_list("kind", flat=True)) == set(chart.ENDING)

    def test_opens_all_of_them_when_closing_is_taken_up_and_closes_them_anew(self):
        made = closed()
        merchant_state.stand(made.merchant_id, "CLOSING")
        assert not any(accounts(made).values())

        merchant_state.stand(made.merchant_id, "CLOSED")

        assert [step for step, _entry in steps(made, "merchant_pending")] == [
            "CLOSED", "REOPENED", "CLOSED",
        ]  # fmt: skip
        assert accounts(made)["merchant_pending"]

    def test_late_money_is_booked_and_opens_its_account_alone(self):
        made = closed()

        entry = late(made)

        assert accounts(made)["merchant_available"] is False
        assert accounts(made)["merchant_pending"] is True
        assert steps(made, "merchant_available") == [("CLOSED", None), ("REOPENED", entry)]
        assert (
            Account.objects.get(
                merchant_id=made.merchant_id, kind="merchant_available"
            ).balance_minor
            == 9_00
        )
        assert not list(registries.invariant_checks.get("L1")())

    def test_a_posting_that_is_refused_opens_nothing(self):
        made = closed()

        with pytest.raises(errors.InsufficientAvailableBalance), transaction.atomic():
            made.post(dr("merchant_available", "withdraw", 1), cr("payout_in_transit", "submit", 1))

        assert accounts(made)["merchant_available"] is True
        assert len(steps(made, "merchant_available")) == 1

    def test_holds_nothing_in_an_account_that_may_go_below_zero_either(self):
        made = closed()
        with pytest.raises(DatabaseError, match="account_closed_is_empty"), transaction.atomic():
            holds.open_hold(
                merchant_id=made.merchant_id, account_id=made.account("payout_in_transit"),
                operation="complete", amount_minor=1, source_kind="test", source_id="h",
            )  # fmt: skip


@pytest.mark.django_db
class TestRawSql:
    @pytest.mark.parametrize(
        ("statement", "refusal"),
        [
            ("SELECT ledger_close_accounts(ARRAY[%(open)s], 'x', 'x')", "merchant_not_closed"),
            ("SELECT ledger_close_accounts(ARRAY[%(closed)s, NULL], 'x', 'x')", "not_closed"),
            ("SELECT ledger_reopen_accounts(ARRAY[%(closed)s], 'x', 'x')", "merchant_closed"),
            ("UPDATE ledger_account SET closed_at = NULL", "permission denied"),
            ("UPDATE ledger_account SET closed_at = now()", "permission denied"),
            (
                "INSERT INTO ledger_account_step (merchant_id, account_id, step, at, actor,"
                " request_id) SELECT merchant_id, id, 'REOPENED', now(), '', ''"
                " FROM ledger_account",
                "permission denied",
            ),
            ("DELETE FROM ledger_account_step", "permission denied"),
            ("UPDATE ledger_account_kind SET ends_with_merchant = false", "permission denied"),
        ],
    )
    def test_closes_and_opens_nothing(self, statement, refusal):
        other, made = book(), closed()
        other.clear(1_00)

        with (
            pytest.raises(DatabaseError, match=refusal),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, {"open": other.merchant_id, "closed": made.merchant_id})

    def test_the_accounts_are_asked_again_when_they_are_closed(self, monkeypatch):
        made = closed()
        late(made)

        with pytest.raises(errors.AccountNotEmpty, match=r"9\.00 CNY"), errors.named():
            sql.rows("SELECT ledger_close_accounts(%s::bigint[], '', '')", [[made.merchant_id]])


FAULTS = {
    "money": "UPDATE ledger_account SET balance = 1 WHERE closed_at IS NOT NULL",
    "held": "UPDATE ledger_account SET held = 1 WHERE kind = 'payout_in_transit'",
    "opened without a line": "UPDATE ledger_account SET closed_at = NULL",
    "closed without a line": "UPDATE ledger_account SET closed_at = now()",
    "a merchant that is active": "UPDATE merchants_merchant SET status = 'ACTIVE'",
    "an open hold": "INSERT INTO ledger_hold (merchant_id, account_id, account_kind, currency,"
    " operation, side, amount_minor, state, source_kind, source_id, reason, opened_at, resolved_by,"
    " actor, request_id) SELECT merchant_id, id, kind, currency, 'withdraw', 'DR', 1, 'OPEN', 'x',"
    " 'x', '', now(), '', '', '' FROM ledger_account WHERE kind = 'merchant_available'",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_names_a_closed_account_that_is_not(
    fault: str, cloned_db: str, superuser: psycopg.Connection
) -> None:
    closed()
    check = registries.invariant_checks.get("L1")
    assert not list(check())
    superuser.execute("ALTER TABLE ledger_account DROP CONSTRAINT account_closed_is_empty")

    superuser.execute(FAULTS[fault])  # type: ignore[arg-type]

    assert {finding.check for finding in check()} == {"L1"}
    assert any(
        finding.subject == "ledger_account account_closed_is_empty"
        for finding in registries.invariant_checks.get("I4")()
    )

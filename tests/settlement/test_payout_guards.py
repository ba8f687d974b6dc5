"""What the database refuses about payouts when Python is wrong or passed by."""

from __future__ import annotations

import pytest
from django.db import transaction

from channels.adapters.base import Kind
from foundation import sql
from foundation.money import Money
from merchants.services import bank_account as bank_accounts
from settlement.models import PayoutChannel, Withdrawal
from settlement.services import payout_result
from settlement.services.payout_verdict import Verdict
from tests.factories import payout as make
from tests.settlement.guards import attempt_step, copied, refused, step

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _channel(settings):
    make.address()
    make.fee(1_00)


class TestAttempt:
    def test_is_born_only_for_a_withdrawal_that_waits_and_once(self):
        account = make.payee(500_00)
        attempt = make.attempt("SENDING", account)
        waiting, ended = make.request(account), make.attempt("FAILED", account).withdrawal
        foreign = make.request(make.payee())
        new = {
            "status": "'READY'",
            "sequence": "1",
            "sent_at": "NULL",
            "lease_owner": "''",
            "lease_expires_at": "NULL",
            "fence": "0",
        }

        def insert(withdrawal: Withdrawal, why: str, **changes: str) -> None:
            named = {"withdrawal_id": str(withdrawal.id), "number": f"'{withdrawal.number}-1'"}
            refused(why, copied(attempt, **(new | named | changes)) + str(attempt.id))

        insert(ended, "not_payable")
        insert(attempt.withdrawal, "not_payable", attempt_no="2")
        insert(foreign, "not_payable")
        insert(foreign, "pair_differs", merchant_id=str(foreign.merchant_id))
        insert(waiting, "not_payable", number="'W26030000001-000001-1'")
        insert(waiting, "attempt_of_withdrawal", amount_minor="amount_minor + 1")
        insert(waiting, "attempt_of_withdrawal|not_payable", currency="'USD'")
        insert(waiting, "pair_differs|has_history")
        insert(waiting, "cannot be SUCCEEDED", status="'SUCCEEDED'", paid_at="now()")
        bank_accounts.disable(
            merchant_id=account.merchant_id, bank_account_id=account.id, note="stolen", at=make.NOON
        )
        insert(waiting, "not_payable")

    @pytest.mark.parametrize("status", ["SENDING", "PROCESSING", "UNKNOWN"])
    def test_has_not_succeeded_without_news(self, status):
        attempt = make.attempt(status)
        ids = {"id": attempt.withdrawal_id, "attempt": attempt.id}
        paid = attempt_step("SUCCEEDED", ", paid_at = now()")
        closed = ", paid_minor = amount_minor, paid_fee_minor = fee_minor, closed_at = now()"

        refused("hold_does_not_fit", *step("PAID", closed), **ids)
        refused("no_proof|pair_differs", *paid, **ids)
        refused("no_proof|pair_differs|hold_does_not_fit", *paid, *step("PAID", closed), **ids)

    def test_has_not_failed_without_a_query_or_two_persons(self):
        attempt = make.attempt("UNKNOWN")
        make.news(attempt, Kind.FAILED_CODE)
        ids = {"id": attempt.withdrawal_id, "attempt": attempt.id}
        release = (
            f"SELECT ledger_hold_release({attempt.merchant_id}, {attempt.withdrawal.hold_id},"
            " 'x', 'x')"
        )
        both = [*attempt_step("FAILED"), release, *step("FAILED", ", closed_at = now()")]
        told = (
            "INSERT INTO settlement_payout_evidence (merchant_id, attempt_id, source, kind, code,"
            " currency, payee_hash, order_no, channel_no, event_id, doubt, raw,"
            " raw_sha256, verdict, sequence, received_at, actor, request_id)"
            " SELECT merchant_id, id, '{source}',"
            " 'FAILED_CODE', '', '', '', number, '', '', '', '', '', '{verdict}', sequence, now(),"
            " '', '' FROM settlement_payout_attempt WHERE id = %(attempt)s"
        )

        refused("no_proof", *both, **ids)
        refused("no_proof", *both, told.format(source="CALLBACK", verdict="FAIL"), **ids)
        refused("no_proof", *both, told.format(source="DECISION", verdict="DECIDED"), **ids)
        refused("no_proof", *both, told.format(source="QUERY", verdict="COOL"), **ids)

    @pytest.mark.parametrize(
        "other",
        [
            {"amount": Money(50_01, "CNY")},
            {"amount": Money(50_00, "USD")},
            {"amount": None},
            {"payee_hash": "x"},
            {"payee_hash": ""},
            {"order_no": "x"},
            {"kind": Kind.PROCESSING},
        ],
    )
    @pytest.mark.parametrize("verdict", [Verdict.PAY, Verdict.PAY_AND_RETURN])
    def test_has_not_succeeded_by_news_about_something_else(self, monkeypatch, other, verdict):
        attempt = make.attempt("SENDING")
        monkeypatch.setattr(payout_result, "judge", lambda *given, **more: verdict)

        make.news(attempt, **{"kind": Kind.SUCCESS} | other)

        refused("no_proof")
        transaction.set_rollback(True)

    @pytest.mark.parametrize(
        "change",
        [
            "amount_minor = 1",
            "payee_hash = 'x'",
            "number = 'x'",
            "withdrawal_id = withdrawal_id + 1",
            "channel_id = channel_id + 1",
            "currency = 'USD'",
            "sent_at = now()",
            "paid_at = NULL",
            "merchant_id = merchant_id + 1",
        ],
    )
    def test_never_changes_what_was_sent(self, change):
        attempt = make.attempt("SUCCEEDED")

        refused(
            "frozen|foreign key|keep|cannot",
            f"UPDATE settlement_payout_attempt SET {change} WHERE id = %(id)s",
            id=attempt.id,
        )


class TestHistory:
    @pytest.mark.parametrize(
        "table",
        [
            "settlement_withdrawal",
            "settlement_payout_attempt",
            "settlement_withdrawal_transition",
            "settlement_payout_transition",
            "settlement_payout_evidence",
            "settlement_payout_callback",
            "settlement_payout_statement",
            "settlement_payout_fee_rule",
            "settlement_payout_status",
            "settlement_payout_case",
            "settlement_payee_block",
            "settlement_bank_line",
            "settlement_standing_instruction",
            "merchants_bank_account",
            "merchants_verification_token",
            "foundation_approval",
            "foundation_approval_decision",
        ],
    )
    def test_is_never_deleted_or_emptied(self, table):
        make.attempt("DISPUTED")

        refused("refuse|frozen|cannot|denied|once|keep|append|never", f"TRUNCATE {table} CASCADE")
        privileges = sql.rows(
            "SELECT has_table_privilege(current_user, %s, 'DELETE') AS may", [table]
        )
        triggers = sql.rows(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname ~ 'refuse'",
            [table],
        )
        assert triggers or not privileges[0]["may"]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE settlement_payout_evidence SET verdict = 'NOTHING'",
            "UPDATE settlement_payout_transition SET to_status = 'FAILED'",
            "UPDATE settlement_withdrawal_transition SET actor = 'nobody'",
            "UPDATE settlement_payout_status SET meaning = 'FAILED_CODE'",
            "UPDATE settlement_payout_case SET detail = ''",
            "UPDATE merchants_bank_account SET holder = 'Mallory'",
            "UPDATE merchants_bank_account SET number_hash = ''",
            "UPDATE merchants_bank_account SET currency = 'USD'",
            "UPDATE merchants_verification_token SET amount_minor = 1",
            "UPDATE settlement_payout_fee_rule SET fixed_minor = 0",
        ],
    )
    def test_is_never_rewritten(self, statement):
        attempt = make.attempt("DISPUTED")
        make.token(attempt.withdrawal.bank_account, make.owner(attempt.merchant))

        refused("refuse|frozen|cannot|denied|once|keep|append|never", statement)


class TestStatusMap:
    @pytest.mark.parametrize("version", [1, 2])
    def test_grows_only_by_two_persons(self, version):
        channel = PayoutChannel.objects.get()

        refused(
            "nobody approved",
            "INSERT INTO settlement_payout_status (channel_id, code, version, meaning, note,"
            " approval_id, created_at, actor) VALUES"
            " (%(channel)s, 'TIMEOUT', %(version)s, 'FAILED_CODE', '', 1, now(), 'x')",
            channel=channel.id,
            version=version,
        )


class TestBankLine:
    INSERT = (
        "INSERT INTO settlement_bank_line (merchant_id, statement_id, channel_id, line_no, kind,"
        " order_no, channel_no, amount_minor, currency, payee_hash, moved_at, attempt_id, state,"
        " cause, booked_at) SELECT merchant_id, %(statement)s, channel_id, {line}, 'PAID', number,"
        " '', amount_minor + {more}, currency, payee_hash, now(), {attempt}, '{state}', '{cause}',"
        " now() FROM settlement_payout_attempt WHERE id = %(attempt)s"
    )

    @pytest.fixture
    def line(self):
        attempt = make.attempt("SUCCEEDED")
        sql.execute(
            "INSERT INTO settlement_payout_statement (channel_id, day, sha256, raw, line_count,"
            " actor) VALUES (%s, '2026-03-02', 'x', '', 1, 'x')",
            [attempt.channel_id],
        )
        statement = sql.rows("SELECT max(id) AS id FROM settlement_payout_statement")[0]["id"]
        return {"attempt": attempt.id, "statement": statement}

    def insert(self, **changes: object) -> str:
        given: dict[str, object] = {
            "line": 1,
            "more": 0,
            "attempt": "NULL",
            "state": "RECORDED",
            "cause": "",
        }
        return self.INSERT.format(**given | changes)

    def test_begins_unbooked(self, line):
        refused(
            "refuse|frozen|cannot|denied|once|keep|append|never",
            self.insert(state="BOOKED", cause="x", attempt="id"),
            **line,
        )
        refused("cannot be RECORDED", self.insert(attempt="id"), **line)
        sql.execute(self.insert(), line)
        refused("bank_line_once", self.insert(line=2), **line)

    def test_is_booked_only_by_an_entry_and_for_an_attempt_it_fits(self, line):
        sql.execute(self.insert(more=1), line)
        book = (
            "UPDATE settlement_bank_line SET state = 'BOOKED', cause = 'x', booked_at = now(),"
            " attempt_id = %(attempt)s"
        )

        refused("not about that attempt", book, **line)
        refused(
            "no entry books",
            "UPDATE settlement_bank_line SET state = 'RECORDED'",
            book.replace(", attempt_id = %(attempt)s", ""),
            **line,
        )
        refused("frozen", "UPDATE settlement_bank_line SET amount_minor = amount_minor - 1")

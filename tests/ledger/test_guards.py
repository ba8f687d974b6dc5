"""What the database itself refuses: to the product's role, to the owner, and at COMMIT."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql as psql

from foundation import sql
from tests.factories.ledger import Book, Bulk, book, cr, dr

_TABLES = ["ledger_entry", "ledger_posting", "ledger_posting_line", "ledger_account", "ledger_hold"]
_LAW = ["ledger_ability", "ledger_account_kind", "ledger_subject", "ledger_accounting_day"]

_ENTRY = """
INSERT INTO ledger_entry (merchant_id, source_kind, source_id, content_sha256, accounting_date,
                          occurred_at, memo, actor, request_id, booked_at, xid8)
VALUES (%(merchant)s, 'raw', %(cause)s, '', '2026-03-02', now(), '', 'test', '', now(), '1')
RETURNING id"""
_POSTING = """
INSERT INTO ledger_posting (merchant_id, entry_id, account_id, account_kind, currency, operation,
                            side, amount_minor, seq, balance_after, posted_at, booked_at, xid8)
SELECT a.merchant_id, %(entry)s, a.id, a.kind, a.currency, 'clear', w.side, w.amount,
       a.seq + %(step)s, 0, now(), now(), '1'
  FROM (VALUES ('channel_receivable', 'DR', %(debit)s::bigint),
               ('merchant_pending', 'CR', %(credit)s::bigint)) AS w (kind, side, amount)
  JOIN ledger_account a ON a.merchant_id = %(merchant)s AND a.kind = w.kind
 WHERE w.amount IS NOT NULL"""

_causes = itertools.count(1)


@pytest.fixture
def merchant(cloned_db: str) -> Book:
    """A book with one of everything: lined and unlined postings and an open hold."""
    made, bulk = book(), Bulk()
    bulk.entry(made, "c", dr("channel_receivable", "clear", 9), cr("merchant_pending", "clear", 9))
    bulk.lines(made, "c", "merchant_pending", "clear", [(1, 4), (2, 5)])
    bulk.post()
    made.fund(100_00)
    made.hold(1_00)
    return made


@pytest.fixture
def owner(cloned_db: str) -> Iterator[psycopg.Connection]:
    """The owner of the tables, who passes every grant but no trigger and no key."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection:
        yield connection


@pytest.fixture
def application(cloned_db: str) -> Iterator[psycopg.Connection]:
    """The application's role by raw SQL."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def _entry(connection: psycopg.Connection, merchant: Book) -> int:
    row = connection.execute(
        _ENTRY, {"merchant": merchant.merchant_id, "cause": f"raw:{next(_causes)}"}
    ).fetchone()
    assert row is not None
    return int(row[0])


def _postings(
    connection: psycopg.Connection,
    merchant: Book,
    entry_id: int,
    debit: int | None = 5,
    credit: int | None = 5,
    step: int = 1,
) -> None:
    connection.execute(
        _POSTING,
        {
            "merchant": merchant.merchant_id,
            "entry": entry_id,
            "debit": debit,
            "credit": credit,
            "step": step,
        },
    )


class TestTheApplicationsRole:
    def test_reads_and_cannot_write(self, merchant: Book, application: psycopg.Connection) -> None:
        for table in [*_TABLES, *_LAW]:
            name = psql.Identifier(table)
            column = application.execute(
                "SELECT attname FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 LIMIT 1",
                [table],
            ).fetchone()
            assert column is not None
            same = psql.Identifier(column[0])

            assert application.execute(psql.SQL("SELECT FROM {}").format(name)).rowcount > 0
            for statement in (
                psql.SQL("INSERT INTO {} SELECT * FROM {}").format(name, name),
                psql.SQL("UPDATE {} SET {} = {}").format(name, same, same),
                psql.SQL("DELETE FROM {}").format(name),
                psql.SQL("TRUNCATE {}").format(name),
                psql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(name),
                psql.SQL("DROP TABLE {}").format(name),
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    application.execute(statement)

    def test_cannot_go_around_the_functions(self, application: psycopg.Connection) -> None:
        for statement in (
            "SELECT ledger_guards(false)",
            "SELECT ledger_intake_captures(gen_random_uuid(), '')",
            "SELECT ledger_intake_entries(gen_random_uuid(), now(), '', '')",
            "DELETE FROM ledger_intake_posting",
            "UPDATE ledger_intake_line SET amount_minor = 1",
            "INSERT INTO ledger_intake_entry VALUES (gen_random_uuid(), 1, '', '', '', 1)",
            "SET ROLE countinghouse_writer",
            "SET session_replication_role = replica",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement)

    def test_cannot_shadow_a_table_with_a_temporary_one(
        self, merchant: Book, application: psycopg.Connection
    ) -> None:
        application.execute("CREATE TEMP TABLE ledger_account (LIKE public.ledger_account)")
        application.execute("SET search_path = pg_temp, public")
        application.execute(
            "SELECT public.ledger_hold_open(%s, %s, 'withdraw', 7, 'raw', 'shadow', NULL, '', '',"
            " '')",
            [merchant.merchant_id, merchant.account("merchant_available")],
        )

        assert merchant.held("merchant_available") == 1_07


class TestTheOwner:
    def test_cannot_change_history(self, merchant: Book, owner: psycopg.Connection) -> None:
        for table in _TABLES[:3]:
            for statement in ("UPDATE {} SET merchant_id = merchant_id", "DELETE FROM {}"):
                with pytest.raises(psycopg.DatabaseError, match=r"ledger\.append_only"):
                    owner.execute(psql.SQL(statement).format(psql.Identifier(table)))
                owner.rollback()

    def test_cannot_delete_accounts_or_holds(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        for statement in ("DELETE FROM ledger_account", "DELETE FROM ledger_hold"):
            with pytest.raises(psycopg.DatabaseError, match=r"ledger\.append_only"):
                owner.execute(statement)
            owner.rollback()

    def test_cannot_truncate(self, merchant: Book, owner: psycopg.Connection) -> None:
        for table in _TABLES:
            with pytest.raises(psycopg.DatabaseError):
                owner.execute(psql.SQL("TRUNCATE {}").format(psql.Identifier(table)))
            owner.rollback()
            with pytest.raises(psycopg.DatabaseError, match=r"ledger\.append_only"):
                owner.execute(psql.SQL("TRUNCATE {} CASCADE").format(psql.Identifier(table)))
            owner.rollback()

    def test_cannot_change_what_an_account_is(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        for column in (
            "merchant_id",
            "kind",
            "currency",
            "ref_kind",
            "ref_id",
            "normal_side",
            "never_negative",
            "opened_at",
        ):
            name = psql.Identifier(column)
            with pytest.raises(psycopg.DatabaseError, match=r"ledger\.account_nature"):
                owner.execute(psql.SQL("UPDATE ledger_account SET {} = {}").format(name, name))
            owner.rollback()

    def test_cannot_take_an_account_below_what_is_held(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        with pytest.raises(psycopg.errors.CheckViolation, match="account_not_below_zero"):
            owner.execute("UPDATE ledger_account SET balance = held - 1 WHERE held > 0")

    def test_cannot_open_a_hold_again_or_change_its_amount(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        for change in ("amount_minor = 2", "state = 'OPEN'", "reason = 'other'"):
            with pytest.raises(psycopg.DatabaseError, match=r"ledger\.hold_resolved"):
                owner.execute(f"UPDATE ledger_hold SET {change}")  # type: ignore[arg-type]
            owner.rollback()

    def test_cannot_forge_the_transaction_or_the_moment_of_booking(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        entry_id = _entry(owner, merchant)
        _postings(owner, merchant, entry_id)

        stamped = owner.execute(
            "SELECT count(*) FROM ledger_posting p JOIN ledger_entry e ON e.id = p.entry_id"
            " WHERE e.id = %s AND p.xid8 = pg_current_xact_id() AND e.xid8 = p.xid8"
            " AND e.booked_at = transaction_timestamp() AND p.booked_at = e.booked_at",
            [entry_id],
        ).fetchone()

        assert stamped == (2,)

    def test_cannot_insert_postings_that_do_not_balance(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        for debit, credit in ((5, 4), (5, None), (None, 5)):
            entry_id = _entry(owner, merchant)
            with pytest.raises(psycopg.DatabaseError, match=r"ledger\.unbalanced_entry"):
                _postings(owner, merchant, entry_id, debit, credit)
            owner.rollback()

    def test_cannot_add_even_a_balanced_pair_to_an_entry_of_an_earlier_transaction(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        entry_id = merchant.clear(5_00)

        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="posting_entry_fk"):
            _postings(owner, merchant, entry_id)

    def test_cannot_commit_an_entry_without_postings(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        _entry(owner, merchant)

        with pytest.raises(psycopg.DatabaseError, match=r"ledger\.empty_entry"):
            owner.commit()

    def test_cannot_put_an_account_into_another_book_or_kind(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        other = book()
        other.clear(1)
        entry_id = _entry(owner, merchant)

        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="posting_entry_fk"):
            _postings(owner, other, entry_id)

    def test_cannot_give_a_posting_a_second_set_of_lines(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        again = """
            INSERT INTO ledger_posting_line (merchant_id, posting_id, account_id, seq, line_no,
                                             fact_kind, fact_id, amount_minor, balance_after)
            SELECT merchant_id, posting_id, account_id, seq, line_no + 2, fact_kind, fact_id + 2,
                   amount_minor, balance_after FROM ledger_posting_line"""

        with pytest.raises(psycopg.DatabaseError, match=r"ledger\.lines_do_not_sum"):
            owner.execute(again)

    def test_cannot_give_an_old_posting_lines_that_would_sum(
        self, merchant: Book, owner: psycopg.Connection
    ) -> None:
        with pytest.raises(psycopg.DatabaseError, match=r"ledger\.lines_do_not_sum"):
            owner.execute(
                """INSERT INTO ledger_posting_line (merchant_id, posting_id, account_id, seq,
                                                    line_no, fact_kind, fact_id, amount_minor,
                                                    balance_after)
                   SELECT merchant_id, id, account_id, seq, 1, 'payment', 77, amount_minor,
                          balance_after
                     FROM ledger_posting WHERE account_kind = 'merchant_available'"""
            )


class TestTheFunctions:
    @pytest.mark.django_db
    def test_are_executable_by_name_only_and_fixed_in_their_search_path(self) -> None:
        functions = sql.rows(
            """SELECT p.proname AS name, p.prosecdef AS definer, r.rolname AS owner,
                      coalesce(p.proconfig, '{}') AS settings,
                      p.proacl IS NULL OR EXISTS (
                        SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0) AS public,
                      has_function_privilege('countinghouse_product', p.oid, 'EXECUTE') AS product
                 FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
                WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'ledger\\_%'"""
        )
        definers = [row for row in functions if row["definer"]]

        assert not [row["name"] for row in functions if row["public"]]
        assert {row["owner"] for row in definers} == {"countinghouse_writer"}
        assert {row["name"] for row in definers} == {
            "ledger_close_accounts",
            "ledger_reopen_accounts",
            "ledger_hold_open",
            "ledger_hold_open_bulk",
            "ledger_hold_release",
            "ledger_hold_release_bulk",
            "ledger_lock",
            "ledger_open_accounts",
            "ledger_post",
            "ledger_post_bulk",
        }
        assert {row["name"] for row in functions if row["product"]} == {
            row["name"] for row in definers
        } | {"ledger_balance_as_of", "ledger_open_date", "ledger_seq_as_of"}
        for row in functions:
            if row["name"] != "ledger_guards":
                assert "search_path=pg_catalog, pg_temp" in row["settings"], row["name"]

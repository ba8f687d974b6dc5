"""Odd arguments to the writing functions, by raw SQL as the product's role: nothing is stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.factories.ledger import book

POST = (
    "SELECT ledger_post(%(merchant)s, %(kind)s, %(cause)s, %(accounts)s::bigint[],"
    " %(operations)s::text[], %(sides)s::text[], %(amounts)s::bigint[], %(holds)s::bigint[],"
    " %(reverses)s::bigint, %(at)s::timestamptz, '', %(actor)s, '')"
)
STATE = """
SELECT (SELECT array_agg((a.id, a.balance, a.held, a.seq) ORDER BY a.id)::text
          FROM ledger_account a),
       (SELECT array_agg((h.id, h.state) ORDER BY h.id)::text FROM ledger_hold h),
       (SELECT count(*) FROM ledger_entry), (SELECT count(*) FROM ledger_posting)"""
MOST = 2**63 - 1


class World:
    """Two books with money and holds, and a plain call that would be accepted."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.own, self.other = book(), book()
        for each in (self.own, self.other):
            each.fund(100_00)
            each.clear(50_00, currency="JPY")
        self.receivable = self.own.account("channel_receivable")
        self.pending = self.own.account("merchant_pending")
        self.available = self.own.account("merchant_available")
        self.transit = self.own.account("payout_in_transit")
        self.yen = self.own.account("merchant_pending", "JPY")
        self.foreign = self.other.account("merchant_pending")
        self.hold, self.foreign_hold = self.own.hold(9_00), self.other.hold(9_00)
        self.captured, self.released = self.own.hold(1_00), self.own.hold(2_00)
        self.own.clear(5_00)
        self.entry = self.own.clear(7, cause="original")
        self.foreign_entry = self.other.clear(7)
        self.post(self.withdrawal(1_00, self.captured), {})
        self.connection.execute(
            "SELECT ledger_hold_release(%s, %s, '', '')", [self.own.merchant_id, self.released]
        )

    def withdrawal(self, minor: int, hold: int) -> dict[str, Any]:
        return {
            "accounts": [self.available, self.transit],
            "operations": ["withdraw", "submit"],
            "amounts": [minor, minor],
            "holds": [hold, None],
            "cause": f"{hold}:{minor}",
        }

    def mirror(self, entry: int) -> dict[str, Any]:
        return {
            "operations": ["reverse", "reverse"],
            "sides": ["CR", "DR"],
            "amounts": [7, 7],
            "reverses": entry,
            "cause": f"reversal {entry}",
        }

    def post(self, *changes: dict[str, Any]) -> int:
        arguments: dict[str, Any] = {
            "merchant": self.own.merchant_id,
            "kind": "odd",
            "cause": "cause",
            "accounts": [self.receivable, self.pending],
            "operations": ["clear", "clear"],
            "sides": ["DR", "CR"],
            "amounts": [5, 5],
            "holds": None,
            "reverses": None,
            "at": None,
            "actor": "test",
        }
        for change in changes:
            arguments |= change
        row = self.connection.execute(POST, arguments).fetchone()
        assert row is not None
        return int(row[0])

    def state(self) -> Any:
        return self.connection.execute(STATE).fetchone()


@pytest.fixture
def world(cloned_db: str) -> Iterator[World]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        yield World(connection)


ODD: dict[str, Any] = {
    "an account that is null": lambda w: {"accounts": [w.receivable, None]},
    "an account of another book": lambda w: {"accounts": [w.receivable, w.foreign]},
    "accounts of another book only": lambda w: {
        "accounts": [w.other.account("channel_receivable"), w.foreign]
    },
    "an account in another currency": lambda w: {"accounts": [w.receivable, w.yen]},
    "an operation that is null": lambda w: {"operations": ["clear", None]},
    "an operation of another kind of account": lambda w: {"operations": ["clear", "withdraw"]},
    "a side that is null": lambda w: {"sides": ["DR", None]},
    "a side that is none": lambda w: {"sides": ["DR", "XX"]},
    "sides exchanged": lambda w: {"sides": ["CR", "DR"]},
    "an amount that is null": lambda w: {"amounts": [5, None]},
    "amounts of zero": lambda w: {"amounts": [0, 0]},
    "amounts below zero": lambda w: {"amounts": [-5, -5]},
    "amounts below zero on exchanged sides": lambda w: {"amounts": [-5, -5], "sides": ["CR", "DR"]},
    "amounts beyond the range": lambda w: {"amounts": [MOST, MOST]},
    "amounts that do not balance": lambda w: {"amounts": [5, 4]},
    "amounts that wrap around": lambda w: {
        "accounts": [w.receivable, w.receivable, w.pending],
        "operations": ["clear"] * 3,
        "sides": ["DR", "DR", "CR"],
        "amounts": [MOST, MOST, 2],
    },
    "no postings": lambda w: {"accounts": [], "operations": [], "sides": [], "amounts": []},
    "null for the postings": lambda w: {"accounts": None},
    "one posting": lambda w: {
        "accounts": [w.pending],
        "operations": ["clear"],
        "sides": ["CR"],
        "amounts": [5],
    },
    "fewer operations than accounts": lambda w: {"operations": ["clear"]},
    "more amounts than accounts": lambda w: {"amounts": [5, 5, 5]},
    "fewer holds than accounts": lambda w: {"holds": [None]},
    "arrays in two dimensions": lambda w: {
        "accounts": [[w.receivable], [w.pending]],
        "operations": [["clear"], ["clear"]],
        "sides": [["DR"], ["CR"]],
        "amounts": [[5], [5]],
    },
    "no merchant": lambda w: {"merchant": None},
    "a merchant that is none": lambda w: {"merchant": 10**9},
    "another merchant": lambda w: {"merchant": w.other.merchant_id},
    "no cause": lambda w: {"cause": ""},
    "a cause that is null": lambda w: {"cause": None},
    "no actor": lambda w: {"actor": None},
    "the end of time": lambda w: {"at": "infinity"},
    "the beginning of time": lambda w: {"at": "-infinity"},
    "before Christ": lambda w: {"at": "0044-03-15 BC"},
    "the year 9999": lambda w: {"at": "9999-12-31"},
    "a cause with other content": lambda w: {"kind": "test", "cause": "original"},
    "another book's hold": lambda w: w.withdrawal(5, w.foreign_hold),
    "a captured hold": lambda w: w.withdrawal(50, w.captured),
    "a released hold": lambda w: w.withdrawal(50, w.released),
    "more than the hold": lambda w: w.withdrawal(9_01, w.hold),
    "nothing of the hold": lambda w: w.withdrawal(0, w.hold),
    "a hold for another posting": lambda w: w.withdrawal(5, w.hold) | {"holds": [None, w.hold]},
    "a hold twice": lambda w: (
        w.withdrawal(5, w.hold)
        | {
            "accounts": [w.available, w.available, w.transit],
            "operations": ["withdraw", "withdraw", "submit"],
            "sides": ["DR", "DR", "CR"],
            "amounts": [5, 5, 10],
            "holds": [w.hold, w.hold, None],
        }
    ),
    "a hold that is none": lambda w: w.withdrawal(5, 10**9),
    "more than is free": lambda w: w.withdrawal(95_00, w.hold) | {"holds": None},
    "a reversal in part": lambda w: w.mirror(w.entry) | {"amounts": [4, 4]},
    "a reversal of twice as much": lambda w: w.mirror(w.entry) | {"amounts": [14, 14]},
    "a reversal on other sides": lambda w: w.mirror(w.entry) | {"sides": ["DR", "CR"]},
    "a reversal over other accounts": lambda w: (
        w.mirror(w.entry) | {"accounts": [w.available, w.pending]}
    ),
    "a reversal of another book's entry": lambda w: w.mirror(w.foreign_entry),
    "a reversal in another book": lambda w: w.mirror(w.entry) | {"merchant": w.other.merchant_id},
    "a reversal of what is none": lambda w: w.mirror(10**9),
    "a reversal of nothing": lambda w: w.mirror(w.entry) | {"reverses": None},
    "a reversal that also clears": lambda w: (
        w.mirror(w.entry) | {"operations": ["reverse", "clear"]}
    ),
    "an entry that names another": lambda w: {"reverses": w.entry},
}


class TestAPostingWith:
    @pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
    def test_is_refused_and_stores_nothing(self, odd: Any, world: World) -> None:
        before = world.state()

        with pytest.raises(psycopg.DatabaseError):
            world.post(odd(world))

        assert world.state() == before

    def test_all_in_order_is_accepted(self, world: World) -> None:
        entry = world.post()

        assert world.post() == entry  # the same again

    def test_a_reversal_is_accepted_once_and_never_reversed(self, world: World) -> None:
        mirror = world.mirror(world.entry)
        made = world.post(mirror)
        after = world.state()

        assert world.post(mirror) == made
        with pytest.raises(psycopg.errors.UniqueViolation, match="entry_reversed_once"):
            world.post(mirror, {"cause": "again"})
        with pytest.raises(psycopg.DatabaseError, match="not_a_mirror"):
            world.post(world.mirror(made), {"sides": ["DR", "CR"]})
        assert world.state() == after


HOLD = "SELECT ledger_hold_open(%(m)s, %(a)s, %(op)s, %(n)s, 'odd', %(c)s, %(e)s, '', 'test', '')"
HOLDS: dict[str, Any] = {
    "nothing": lambda w: {"n": 0},
    "less than nothing": lambda w: {"n": -1},
    "null": lambda w: {"n": None},
    "null of an account that may go below zero": lambda w: {"n": None, "a": w.receivable},
    "more than is free": lambda w: {"n": 91_00},
    "all there could be": lambda w: {"n": MOST},
    "what is another book's": lambda w: {"a": w.foreign},
    "money for what may never be done": lambda w: {"op": "clear"},
    "pending money for a withdrawal": lambda w: {"a": w.pending},
    "money for null": lambda w: {"op": None},
    "money without a cause": lambda w: {"c": ""},
    "money until the end of time": lambda w: {"e": "infinity"},
    "money in no book": lambda w: {"m": None},
}


class TestAHoldOf:
    @pytest.mark.parametrize("odd", HOLDS.values(), ids=HOLDS.keys())
    def test_is_refused_and_holds_nothing(self, odd: Any, world: World) -> None:
        plain = {
            "m": world.own.merchant_id,
            "a": world.available,
            "op": "withdraw",
            "n": 1,
            "c": "odd",
            "e": None,
        }
        before = world.state()

        with pytest.raises(psycopg.DatabaseError):
            world.connection.execute(HOLD, plain | odd(world))

        assert world.state() == before
        world.connection.execute(HOLD, plain)
        assert world.state() != before

    def test_another_book_is_never_released(self, world: World) -> None:
        before = world.state()
        for merchant, hold in (
            (world.own.merchant_id, world.foreign_hold),
            (None, world.hold),
            (world.own.merchant_id, world.captured),
            (world.own.merchant_id, None),
        ):
            with pytest.raises(psycopg.DatabaseError, match="hold_resolved"):
                world.connection.execute(
                    "SELECT ledger_hold_release(%s::bigint, %s::bigint, '', '')", [merchant, hold]
                )
        assert world.state() == before


class TestOpeningAccounts:
    @pytest.mark.parametrize(
        ("kinds", "currencies", "refs"),
        [
            (["merchant_pending"], ["CNY", "EUR"], ["", ""]),
            (["merchant_pending", None], ["CNY", "EUR"], ["", ""]),
            (["merchant_pending"], ["eur"], [""]),
            (["merchant_pending"], [None], [""]),
            (["merchant_pending"], ["EUR"], [None]),
            (["bank"], ["EUR"], [""]),
            (["wallet"], ["EUR"], [""]),
        ],
    )
    def test_of_odd_arrays_opens_none(
        self, kinds: list[str], currencies: list[str], refs: list[str], world: World
    ) -> None:
        before, merchants = world.state(), [world.own.merchant_id] * len(kinds)

        with pytest.raises(psycopg.DatabaseError):
            world.connection.execute(
                "SELECT ledger_open_accounts(%s::bigint[], %s::text[], %s::text[], %s::text[],"
                " %s::text[])",
                [merchants, kinds, currencies, refs, refs],
            )

        assert world.state() == before


WAYS_AROUND = [
    "COPY ledger_posting FROM STDIN",
    "COPY ledger_account TO PROGRAM 'true'",
    "MERGE INTO ledger_account a USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET balance=1",
    "INSERT INTO ledger_hold SELECT * FROM ledger_hold ON CONFLICT DO NOTHING",
    "WITH x AS (UPDATE ledger_account SET balance = 1 RETURNING 1) SELECT * FROM x",
    "SELECT * FROM ledger_account FOR UPDATE",
    "SELECT setval('ledger_posting_id_seq', 1)",
    "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
    "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
    "CREATE TABLE public.shadow (id bigint)",
    "CREATE SCHEMA shadow",
    "CREATE TRIGGER t AFTER INSERT ON ledger_posting EXECUTE FUNCTION foundation_refuse_change()",
    "CREATE RULE r AS ON INSERT TO ledger_posting DO INSTEAD NOTHING",
    "ALTER FUNCTION ledger_open_date() OWNER TO countinghouse_app",
    "DROP FUNCTION ledger_open_date()",
    "ALTER ROLE countinghouse_app SUPERUSER",
    "SET SESSION AUTHORIZATION countinghouse_owner",
    "SET ROLE countinghouse_owner",
    "SET ROLE countinghouse_writer",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "SELECT ledger_guards(false)",
    "SELECT ledger_refuse_foreign_accounts(gen_random_uuid())",
    "SELECT ledger_intake_shortage(gen_random_uuid())",
    "SELECT ledger_refuse_move(1, 1, 1)",
    "SELECT lo_import('/etc/hostname')",
    "SELECT pg_read_file('PG_VERSION')",
]


class TestTheProductsRole:
    @pytest.mark.parametrize("way", WAYS_AROUND)
    def test_finds_no_way_around(self, way: str, world: World) -> None:
        before = world.state()

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.connection.execute(way.encode())

        assert world.state() == before

    def test_finds_none_inside_a_transaction_either(self, world: World) -> None:
        before = world.state()
        ways = [
            "LOCK TABLE ledger_posting IN ACCESS EXCLUSIVE MODE",
            "SET LOCAL session_replication_role = replica",
            "UPDATE ledger_account SET balance = 1",
        ]
        for way in ways:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                self.in_a_savepoint(world.connection, way)
        with world.connection.transaction():
            world.connection.execute("SAVEPOINT s")
            world.post()
            world.connection.execute("ROLLBACK TO SAVEPOINT s")
        assert world.state() == before

    def in_a_savepoint(self, connection: psycopg.Connection, way: str) -> None:
        with connection.transaction():
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            connection.execute("SAVEPOINT s")
            connection.execute(way.encode())

    def test_cannot_bend_the_functions_by_its_own_types_and_path(self, world: World) -> None:
        for statement in (
            "CREATE TEMP TABLE ledger_entry (LIKE public.ledger_entry)",
            "CREATE TEMP TABLE ledger_ability (LIKE public.ledger_ability)",
            "CREATE TYPE pg_temp.int8 AS ENUM ('x')",
            "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
            "CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS $$SELECT '1999-01-01'::timestamptz$$",
            "SET search_path = pg_temp, pg_catalog, public",
            "SET statement_timeout = 0",
            "SET timezone = 'Pacific/Kiritimati'",
        ):
            world.connection.execute(statement.encode())

        entry = world.post()

        stored = world.connection.execute(
            "SELECT occurred_at > now() - interval '1 hour', length(content_sha256)"
            " FROM public.ledger_entry WHERE id = %s",
            [entry],
        ).fetchone()
        assert stored == (True, 32)

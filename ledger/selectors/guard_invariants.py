"""I4 of the money-safety rules: history is only ever added to, and its guards are on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding, append_only_tables
from ledger import chart
from ledger.selectors.invariants import findings

# Every trigger is there, is on and calls the function it was made for; every key and check is there
# and was proved on all rows.
_GUARDS: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency, g.tablename || ' ' || g.name AS subject,
       'on' AS expected,
       CASE WHEN t.oid IS NULL THEN 'missing' WHEN t.tgenabled NOT IN ('O', 'A') THEN 'off'
            WHEN f.proname <> 'ledger_' || g.function THEN 'calls ' || f.proname
            ELSE 'not for all: ' || pg_get_triggerdef(t.oid) END AS found
  FROM (VALUES ('ledger_entry', 'append_only', 'refuse_change'),
               ('ledger_posting', 'append_only', 'refuse_change'),
               ('ledger_posting_line', 'append_only', 'refuse_change'),
               ('ledger_entry', 'never_truncated', 'refuse_change'),
               ('ledger_posting', 'never_truncated', 'refuse_change'),
               ('ledger_posting_line', 'never_truncated', 'refuse_change'),
               ('ledger_account', 'never_truncated', 'refuse_change'),
               ('ledger_hold', 'never_truncated', 'refuse_change'),
               ('ledger_account', 'never_deleted', 'refuse_change'),
               ('ledger_hold', 'never_deleted', 'refuse_change'),
               ('ledger_entry', 'stamp', 'stamp'), ('ledger_posting', 'stamp', 'stamp'),
               ('ledger_posting', 'balanced', 'check_postings'),
               ('ledger_posting_line', 'lines_sum', 'check_lines'),
               ('ledger_entry', 'has_postings', 'check_entry'),
               ('ledger_hold', 'resolved_once', 'check_hold_change'),
               ('ledger_account', 'nature_kept', 'check_account_change'),
               ('ledger_account', 'late_fact_reopens', 'reopen_for_late_fact'))
       AS g (tablename, name, function)
  LEFT JOIN pg_trigger t ON t.tgrelid = g.tablename::regclass AND t.tgname = g.name
  LEFT JOIN pg_proc f ON f.oid = t.tgfoid
 WHERE t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A') OR f.proname <> 'ledger_' || g.function
    OR coalesce(substring(pg_get_triggerdef(t.oid) FROM ' WHEN (.*) EXECUTE '), '')
       <> CASE g.name WHEN 'stamp' THEN '(((new.xid8 IS DISTINCT FROM pg_current_xact_id()) OR'
          || ' (new.booked_at IS DISTINCT FROM transaction_timestamp())))'
          WHEN 'late_fact_reopens'
          THEN '(((old.closed_at IS NOT NULL) AND (new.seq <> old.seq)))' ELSE '' END
UNION ALL
SELECT NULL, '', c.tablename || ' ' || c.name, 'on', 'missing or not valid'
  FROM (VALUES ('ledger_account', 'account_nature_fk'),
               ('ledger_account', 'account_held_not_negative'),
               ('ledger_account', 'account_not_below_zero'),
               ('ledger_account', 'account_closed_is_empty'),
               ('ledger_account', 'account_one_slice'), ('ledger_account', 'account_in_book'),
               ('ledger_entry', 'entry_of_this_transaction'),
               ('ledger_posting', 'posting_amount_positive'),
               ('ledger_posting', 'posting_one_per_seq'), ('ledger_posting', 'posting_entry_fk'),
               ('ledger_posting', 'posting_account_fk'), ('ledger_posting', 'posting_ability_fk'),
               ('ledger_posting_line', 'line_posting_fk'),
               ('ledger_posting_line', 'line_one_per_fact'),
               ('ledger_posting_line', 'line_one_per_number'),
               ('ledger_hold', 'hold_amount_positive'), ('ledger_hold', 'hold_resolution'),
               ('ledger_hold', 'hold_account_fk'), ('ledger_hold', 'hold_ability_fk'),
               ('ledger_hold', 'hold_one_per_cause'))
       AS c (tablename, name)
 WHERE NOT EXISTS (SELECT FROM pg_constraint k
                    WHERE k.conrelid = c.tablename::regclass AND k.conname = c.name
                      AND k.convalidated)
UNION ALL
SELECT NULL, '', 'ledger_entry entry_reversed_once', 'on', 'missing or not valid'
 WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                    WHERE i.indrelid = 'ledger_entry'::regclass AND i.indisunique AND i.indisvalid
                      AND c.relname = 'entry_reversed_once')"""

# Neither the product's role nor a member of it can write, not even a single column; nor become the
# writer, for whom nobody logs in; nor switch triggers off. No table at all is theirs to empty, to
# put triggers on or to point keys at, nor may they make anything in the schema.
_RIGHTS: Final = """
WITH product AS (
  SELECT r.oid, r.rolname FROM pg_roles r
    JOIN pg_roles p ON p.rolname = 'countinghouse_product'
   WHERE pg_has_role(r.oid, p.oid, 'MEMBER') AND NOT r.rolsuper
)
SELECT NULL::bigint AS merchant_id, '' AS currency, c.relname || ' for ' || r.rolname AS subject,
       'no right to write' AS expected, w.privilege AS found
  FROM pg_class c
 CROSS JOIN (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS w (privilege)
  JOIN product r ON r.oid <> c.relowner
 WHERE c.oid IN ('ledger_entry'::regclass, 'ledger_posting'::regclass, 'ledger_account'::regclass,
                 'ledger_posting_line'::regclass, 'ledger_hold'::regclass,
                 'ledger_ability'::regclass, 'ledger_account_kind'::regclass,
                 'ledger_accounting_day'::regclass, 'ledger_account_step'::regclass)
   AND CASE WHEN w.privilege IN ('INSERT', 'UPDATE')
            THEN has_any_column_privilege(r.oid, c.oid, w.privilege)
            ELSE has_table_privilege(r.oid, c.oid, w.privilege) END
UNION ALL
SELECT NULL, '', c.relname || ' for ' || r.rolname, 'no such right', w.privilege
  FROM pg_class c
 CROSS JOIN (VALUES ('TRUNCATE'), ('TRIGGER'), ('REFERENCES')) AS w (privilege)
  JOIN product r ON r.oid <> c.relowner
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
   AND has_table_privilege(r.oid, c.oid, w.privilege)
UNION ALL
SELECT NULL, '', 'schema public for ' || r.rolname, 'no such right', 'CREATE'
  FROM product r
 WHERE has_schema_privilege(r.oid, 'public', 'CREATE') AND NOT EXISTS (
         SELECT FROM pg_class c WHERE c.oid = 'ledger_entry'::regclass AND c.relowner = r.oid)
UNION ALL
SELECT NULL, '', r.rolname, 'not the writer', 'a member of ' || w.rolname
  FROM product r JOIN pg_roles w ON w.rolname = 'countinghouse_writer'
   AND pg_has_role(r.oid, w.oid, 'MEMBER')
UNION ALL
SELECT NULL, '', w.rolname, 'nobody logs in as it', 'may log in'
  FROM pg_roles w WHERE w.rolname = 'countinghouse_writer' AND w.rolcanlogin
UNION ALL
SELECT NULL, '', m.rolname, 'no superuser', 'a superuser'
  FROM pg_auth_members a
  JOIN pg_roles p ON p.oid = a.roleid AND p.rolname = 'countinghouse_product'
  JOIN pg_roles m ON m.oid = a.member AND m.rolsuper"""

# A posting or a hold that the law does not allow, and a reversal that is not the mirror of what it
# names: rows that no function would have written.
_LAW: Final = """
SELECT p.merchant_id, p.currency, 'posting ' || p.id AS subject, 'an ability' AS expected,
       concat_ws(' ', p.account_kind, p.operation, p.side) AS found
  FROM ledger_posting p
 WHERE NOT EXISTS (SELECT FROM ledger_ability a WHERE a.account_kind = p.account_kind
                      AND a.operation = p.operation AND a.side = p.side)
UNION ALL
SELECT h.merchant_id, h.currency, 'hold ' || h.id, 'an ability',
       concat_ws(' ', h.account_kind, h.operation, h.side)
  FROM ledger_hold h
 WHERE NOT EXISTS (SELECT FROM ledger_ability a WHERE a.account_kind = h.account_kind
                      AND a.operation = h.operation AND a.side = h.side)
UNION ALL
SELECT p.merchant_id, p.currency, 'entry ' || p.entry_id, 'an entry that it reverses', 'none'
  FROM ledger_posting p JOIN ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
 WHERE p.operation = 'reverse' AND e.reverses_id IS NULL
UNION ALL
SELECT r.merchant_id, min(r.currency), 'entry ' || r.id, 'the mirror of entry ' || r.reverses_id,
       'another'
  FROM (SELECT e.merchant_id, e.id, e.reverses_id, p.account_id, p.amount_minor, p.currency,
               p.side, CASE p.operation WHEN 'reverse' THEN 1 ELSE 1000000 END AS weight
          FROM ledger_entry e
          LEFT JOIN ledger_posting p ON p.merchant_id = e.merchant_id AND p.entry_id = e.id
         WHERE e.reverses_id IS NOT NULL
        UNION ALL
        SELECT e.merchant_id, e.id, e.reverses_id, p.account_id, p.amount_minor, p.currency,
               CASE p.side WHEN 'DR' THEN 'CR' ELSE 'DR' END, -1
          FROM ledger_entry e
          JOIN ledger_entry o ON o.merchant_id = e.merchant_id AND o.id = e.reverses_id
           AND o.reverses_id IS NULL
          JOIN ledger_posting p ON p.merchant_id = o.merchant_id AND p.entry_id = o.id) r
 GROUP BY r.merchant_id, r.id, r.reverses_id, r.account_id, r.amount_minor, r.side
HAVING sum(r.weight) <> 0"""

# Append-only tables have their triggers; and no trigger of any table is off, be it of states, of a
# foreign key or of history.
_TRIGGERS: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency, w.tablename || ' ' || g.name AS subject,
       'on' AS expected, CASE WHEN t.oid IS NULL THEN 'missing' ELSE 'off' END AS found
  FROM unnest(%(tables)s::text[]) AS w (tablename)
 CROSS JOIN (VALUES ('refuse_change'), ('refuse_truncate')) AS g (name)
  LEFT JOIN pg_trigger t ON t.tgrelid = ('public.' || w.tablename)::regclass
   AND t.tgname = g.name AND t.tgfoid = 'public.foundation_refuse_change'::regproc
 WHERE t.oid IS NULL OR t.tgenabled NOT IN ('O', 'A')
UNION
SELECT NULL, '', c.relname || ' ' || t.tgname, 'on', 'off'
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = 'public'::regnamespace AND t.tgenabled NOT IN ('O', 'A')"""

# The law itself: the cells and kinds are those of the chart, no more and no less.
_CELLS: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency,
       concat_ws(' ', 'ability', w.account_kind, w.operation, w.side) AS subject,
       CASE WHEN w.shipped THEN 'as it ships' ELSE 'not there' END AS expected,
       CASE WHEN w.shipped THEN 'missing or changed' ELSE 'there' END AS found
  FROM (SELECT account_kind, operation, side, legal_source, bool_or(shipped) AS shipped
          FROM (SELECT account_kind, operation, side, legal_source, false AS shipped
                  FROM ledger_ability
                 UNION ALL
                SELECT *, true FROM unnest(%(kinds)s::text[], %(operations)s::text[],
                                           %(sides)s::text[], %(sources)s::text[])) both_sides
         GROUP BY account_kind, operation, side, legal_source HAVING count(*) <> 2) w"""
_KINDS: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency, 'account kind ' || kind AS subject,
       CASE WHEN bool_or(shipped) THEN 'as it ships' ELSE 'not there' END AS expected,
       CASE WHEN bool_or(shipped) THEN 'missing or changed' ELSE 'there' END AS found
  FROM (SELECT to_jsonb(k) AS nature, kind, false AS shipped FROM ledger_account_kind k
         UNION ALL
        SELECT n, n ->> 'kind', true FROM jsonb_array_elements(%(natures)s::jsonb) n) both_sides
 GROUP BY nature, kind HAVING count(*) <> 2"""

_FUNCTION: Final = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (?:public\.)?(\w+)\s*\(.*?\bAS (?:\$\$(.*?)\$\$|'(.*?)')",
    re.DOTALL,
)
_TRIGGER: Final = re.compile(
    r"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER (\w+)\s.*?\bON (?:public\.)?(\w+)", re.DOTALL
)
_MISSING: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency, w.tablename || ' ' || w.name AS subject,
       'on' AS expected, 'missing' AS found
  FROM unnest(%(tables)s::text[], %(names)s::text[]) AS w (tablename, name)
 WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = w.name
                      AND t.tgrelid = to_regclass('public.' || w.tablename))"""


def guarded_history() -> Iterable[Finding]:
    """
    I4: history holds nothing that its functions would refuse, every guard is on and as it ships,
    and the product's role cannot write.
    """
    yield from findings("I4", "A guard of the ledger is off.", _GUARDS, _RIGHTS)
    yield from findings("I4", "History holds what its functions would have refused.", _LAW)
    tables = [table for listed in append_only_tables for table in listed]
    for row in sql.rows(_TRIGGERS, {"tables": tables}):
        yield Finding(check="I4", message="A guard of history is off.", **row)
    names, on = zip(*(one for text in sql.shipped() for one in _TRIGGER.findall(text)), strict=True)
    for row in sql.rows(_MISSING, {"tables": [*on], "names": [*names]}):
        yield Finding(check="I4", message="A guard that ships is not there.", **row)
    yield from _changed_functions()
    yield from _changed_law()


def _changed_functions() -> Iterator[Finding]:
    """Compare the functions in the database with those that ship."""
    shipped = {
        name: dollars or quotes
        for text in sql.shipped()
        for name, dollars, quotes in _FUNCTION.findall(text)
    }
    stored = sql.rows(
        "SELECT proname AS name, prosrc AS body FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND proname = ANY (%s)",
        [list(shipped)],
    )
    found = {row["name"]: row["body"] for row in stored}
    for name in sorted(shipped):
        if found.get(name) != shipped[name]:
            yield Finding(
                check="I4",
                merchant_id=None,
                currency="",
                subject=f"function {name}",
                expected="as it ships",
                found="missing" if name not in found else "changed",
                message="A function in the database is not the one that ships.",
            )


def _changed_law() -> Iterator[Finding]:
    """Compare abilities and account kinds in the database with the chart that ships."""
    kinds, operations, sides, sources = zip(*chart.cells(), strict=True)
    natures = [
        {
            "kind": kind.kind,
            "subject": kind.subject,
            "normal_side": kind.normal_side,
            "never_negative": kind.never_negative,
            "house_only": kind.house_only,
            "name_zh": kind.name_zh,
            "name_en": kind.name_en,
            "ends_with_merchant": kind.kind in chart.ENDING,
            "owner": chart.OWNERS.get(kind.kind, "HOUSE"),
        }
        for kind in chart.KINDS
    ]
    params = {
        "kinds": list(kinds),
        "operations": list(operations),
        "sides": list(sides),
        "sources": list(sources),
        "natures": json.dumps(natures),
    }
    for statement in (_CELLS, _KINDS):
        for row in sql.rows(statement, params):
            yield Finding(check="I4", message="The ledger's law is not the one that ships.", **row)

"""What `verify` asks of every package: keys hold, and history is true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation import sql
from foundation.registries import Finding

# Foreign keys of tables with money in them. Those of postings and lines are asked for by the
# ledger's own checks (I1, I2, I4), which join them anyway.
_KEYS: Final = """
SELECT k.conname AS name, c.relname AS source, t.relname AS target,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
              ORDER BY u.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
              ORDER BY u.place) AS wanted
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_class t ON t.oid = k.confrelid
 WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
   AND (c.relname ~ '^(channels|ledger|settlement|foundation_approval)'
        OR c.relname = 'merchants_bank_account')
   AND c.relname NOT IN ('ledger_posting', 'ledger_posting_line') ORDER BY c.relname, k.conname"""
_KEY: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency, '{source} {name}' AS subject,
       'a row of {target} for each' AS expected, count(*) || ' without one' AS found
  FROM public.{source} c
 WHERE {given} AND NOT EXISTS (SELECT FROM public.{target} t WHERE {same}) HAVING count(*) > 0"""

_TRACKED: Final = """
SELECT c.relname AS name, string_to_array(encode(t.tgargs, 'escape'), '\\000') AS arguments
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE t.tgfoid = 'public.foundation_history'::regproc AND NOT t.tgisinternal
   AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname"""
# What is left out of a line (masked, ignored, a column that came later) is not compared. A line is
# read as a row of its table, so that times and numbers are compared, not their text.
_LAST: Final = """
SELECT NULL::bigint AS merchant_id, '' AS currency, '{name} ' || h.row_id AS subject,
       CASE h.operation WHEN 'DELETE' THEN 'no row' ELSE 'the row of its history' END AS expected,
       CASE WHEN x.{key} IS NULL THEN 'no row' ELSE 'another' END AS found
  FROM (SELECT DISTINCT ON (h.row_id) h.row_id, h.operation, h.after - {masked} AS after
          FROM public.foundation_history h WHERE h."table" = '{name}'
         ORDER BY h.row_id, h.id DESC) h
  LEFT JOIN public.{name} x ON x.{key}::text = h.row_id
 WHERE (h.operation = 'DELETE') <> (x.{key} IS NULL)
    OR (h.operation <> 'DELETE' AND NOT to_jsonb(x) @> h.after
        AND to_jsonb(x) <> to_jsonb(jsonb_populate_record(x, h.after)))"""


def held_keys() -> Iterable[Finding]:
    """K1: what a row with money in it refers to is there; a superuser passes foreign keys."""
    statements = [
        _KEY.format(
            name=key["name"],
            source=key["source"],
            target=key["target"],
            given=" AND ".join(f"c.{column} IS NOT NULL" for column in key["columns"]),
            same=" AND ".join(
                f"t.{wanted} = c.{column}"
                for column, wanted in zip(key["columns"], key["wanted"], strict=True)
            ),
        )
        for key in sql.rows(_KEYS)
    ]
    yield from _find("K1", "A row refers to something that is not there.", *statements)


def unbroken_history() -> Iterable[Finding]:
    """H1: a row of a tracked table is what the last line of its history says (decision 0008)."""
    statements = []
    for table in sql.rows(_TRACKED):
        named = [argument.partition(":") for argument in table["arguments"] if argument]
        masked = [column for kind, _colon, column in named if kind == "mask"]
        keys = [column for kind, _colon, column in named if kind == "key"]
        columns = ", ".join(f"'{column}'" for column in masked)
        statements.append(
            _LAST.format(
                name=table["name"],
                key=keys[0] if keys else "id",
                masked=f"ARRAY[{columns}]::text[]",
            )
        )
    yield from _find("H1", "A row was changed behind its history.", *statements)


def _find(check: str, message: str, *statements: str) -> Iterator[Finding]:
    if not statements:
        return
    for row in sql.rows("\nUNION ALL\n".join(statements)):
        yield Finding(check=check, message=message, **row)

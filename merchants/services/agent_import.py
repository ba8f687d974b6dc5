"""Bringing agents in from a file: parents and those below them in one file, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from foundation import actor, csv_intake, sql
from foundation.csv_intake import Check, Progress, Rule, Source, Staged
from foundation.models import Approval
from foundation.services import audit
from merchants.models import AgentKind
from merchants.models.agent import MAX_LEVELS
from merchants.services import house
from merchants.services.agent import NUMBER, lock_chain

NEEDED: Final = ("agent_no", "name")
OPTIONAL: Final = (
    "kind", "parent_no", "contact_name", "contact_email", "contract_from", "contract_until",
)  # fmt: skip
COLUMNS: Final = (*NEEDED, *OPTIONAL)
_EMAIL: Final = "[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+"
_KIND: Final = f"coalesce(nullif(s.kind, ''), '{AgentKind.AGENT}')"
_WAIT: Final = "SET LOCAL lock_timeout = '10min'"
_WALKED: Final = 50  # rows of a file that one walk up the chain looks at

# Who stands above each new row, through the file and what is stored. A walk ends where it meets
# itself, or after more levels than any chain may have.
_ABOVE: Final = """
WITH RECURSIVE place (number, parent_no) AS MATERIALIZED (
  SELECT s.agent_no, s.parent_no FROM {table} s
   WHERE NOT EXISTS (SELECT FROM merchants_agent k WHERE k.number = s.agent_no)
  UNION ALL
  SELECT a.number, coalesce(p.number, '') FROM merchants_agent a
    LEFT JOIN merchants_agent p ON p.id = a.parent_id
), up (row_no, number, above, level) AS (
  SELECT s.row_no, s.agent_no, s.parent_no, 1 FROM {table} s
   WHERE s.parent_no <> ''
     AND NOT EXISTS (SELECT FROM merchants_agent k WHERE k.number = s.agent_no)
  UNION ALL
  SELECT u.row_no, u.number, p.parent_no, u.level + 1 FROM up u
    JOIN place p ON p.number = u.above
   WHERE p.parent_no <> '' AND u.above <> u.number AND u.level < {walked}
)
"""
_MISPLACED: Final = (
    "INSERT INTO {table}_bad "
    + _ABOVE
    + """
SELECT s.row_no, 'parent_no', s.parent_no, f.reason, ''
  FROM (SELECT u.row_no, CASE WHEN bool_or(u.above = u.number) THEN 'agent_circle'
          ELSE 'agent_levels' END AS reason
          FROM up u GROUP BY u.row_no
        HAVING bool_or(u.above = u.number) OR max(u.level) >= {levels}) f
  JOIN {table} s USING (row_no)
"""
)
_PARENTS: Final = """
INSERT INTO {table}_bad
SELECT s.row_no, 'parent_no', s.parent_no,
       CASE WHEN a.id IS NULL THEN 'agent_unknown' ELSE 'agent_stopped' END, ''
  FROM {table} s LEFT JOIN merchants_agent a ON a.number = s.parent_no
 WHERE s.parent_no <> '' AND coalesce(a.state, '') <> 'ACTIVE'
   AND NOT EXISTS (SELECT FROM merchants_agent k WHERE k.number = s.agent_no)
   AND NOT EXISTS (SELECT FROM {table} p WHERE p.agent_no = s.parent_no AND a.id IS NULL)
"""
_AGENTS: Final = """
INSERT INTO merchants_agent (id, number, name, kind, contact_name, contact_email, contract_from,
       contract_until, state, parent_id, steps, created_at)
WITH fresh AS MATERIALIZED (
  SELECT nextval(pg_get_serial_sequence('merchants_agent', 'id')) AS id, s.* FROM {table} s
   WHERE NOT EXISTS (SELECT FROM merchants_agent k WHERE k.number = s.agent_no)
)
SELECT s.id, s.agent_no, s.name, {kind}, s.contact_name, s.contact_email,
       nullif(s.contract_from, '')::date, nullif(s.contract_until, '')::date, 'ACTIVE',
       coalesce(p.id, a.id), 1, %(at)s
  FROM fresh s LEFT JOIN fresh p ON p.agent_no = s.parent_no
  LEFT JOIN merchants_agent a ON a.number = s.parent_no
 ORDER BY s.row_no
"""
_STEPS: Final = """
INSERT INTO merchants_agent_step (agent_id, sequence, name, kind, contact_name, contact_email,
       contract_from, contract_until, state, parent_id, from_at, approval_book, approval_id,
       actor, request_id)
SELECT a.id, 1, a.name, a.kind, a.contact_name, a.contact_email, a.contract_from,
       a.contract_until, a.state, a.parent_id, a.created_at, %(book)s, %(approval)s, %(actor)s,
       %(request_id)s
  FROM merchants_agent a JOIN {table} s ON s.agent_no = a.number
 WHERE NOT EXISTS (SELECT FROM merchants_agent_step t WHERE t.agent_id = a.id)
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many agents were stored now, how many the file names that were known."""

    new: int
    known: int
    sha256: str


def run(
    *, source: Source, at: datetime, encoding: str = "utf-8", progress: Progress | None = None
) -> Imported:
    """
    Store the agents of a file, all or none.

    An operator's migration act: in force at once and audited. The same content again stores
    nothing; a known agent is never changed by a file.

    Raises: FileRefused naming every bad row.
    Rule:   AGT-7 (docs/rules/agents.md), IMP-1 to IMP-6 (docs/rules/imports.md).
    """
    with transaction.atomic(durable=True):
        return take_in(source=source, at=at, encoding=encoding, progress=progress)


def take_in(
    *,
    source: Source,
    at: datetime,
    encoding: str = "utf-8",
    progress: Progress | None = None,
    approval: Approval | None = None,
) -> Imported:
    """Do the same inside the caller's transaction: that of an `approval` of the very list."""
    who = actor.stamp_transaction()
    staged = _staged(source, encoding, progress)
    sql.execute(_WAIT)
    lock_chain()
    _check(staged)
    new = sql.execute(_AGENTS.format(table=staged.table, kind=_KIND), {"at": at})
    sql.execute(
        _STEPS.format(table=staged.table),
        {
            "book": None if approval is None else approval.merchant_id,
            "approval": None if approval is None else approval.id,
            "actor": who.name,
            "request_id": who.request_id,
        },
    )
    _record(source, staged, new)
    return Imported(new=new, known=staged.rows - new, sha256=staged.sha256)


def examine(*, source: Source) -> None:
    """Only look: raise FileRefused naming every bad row. In a transaction, which it may end."""
    _check(_staged(source, "utf-8", None))


def _staged(source: Source, encoding: str, progress: Progress | None) -> Staged:
    return csv_intake.stage(
        source,
        table="intake_agent",
        columns=NEEDED,
        optional=OPTIONAL,
        encoding=encoding,
        progress=progress,
    )


def _check(staged: Staged) -> None:
    csv_intake.find_bad(staged, _rules())
    csv_intake.duplicates(staged, ["agent_no"], "agent_no")
    csv_intake.raise_if_bad(staged)  # numbers and days can be relied upon from here on
    csv_intake.conflicts(
        staged,
        "JOIN merchants_agent a ON a.number = s.agent_no"
        " LEFT JOIN merchants_agent p ON p.id = a.parent_id",
        {
            "name": ("s.name", "a.name"),
            "kind": (_KIND, "a.kind"),
            "parent_no": ("s.parent_no", "coalesce(p.number, '')"),
            "contact_name": ("s.contact_name", "a.contact_name"),
            "contact_email": ("s.contact_email", "a.contact_email"),
            "contract_from": ("s.contract_from", "coalesce(a.contract_from::text, '')"),
            "contract_until": ("s.contract_until", "coalesce(a.contract_until::text, '')"),
        },
    )
    sql.execute(_PARENTS.format(table=staged.table))
    sql.execute(_MISPLACED.format(table=staged.table, levels=MAX_LEVELS, walked=_WALKED))
    csv_intake.raise_if_bad(staged)


def _rules() -> list[Rule]:
    order = Check(
        "contract_order",
        "s.contract_from <> '' AND s.contract_until <> '' AND s.contract_until < s.contract_from",
    )
    until = _day("contract_until")
    return [
        csv_intake.matching("agent_no", NUMBER.pattern, "agent_number_malformed"),
        csv_intake.text("name", 200),
        csv_intake.choice("kind", AgentKind.values, required=False),
        csv_intake.matching("parent_no", NUMBER.pattern, "agent_number_malformed", required=False),
        csv_intake.text("contact_name", 100, required=False),
        _email(),
        _day("contract_from"),
        Rule("contract_until", (*until.checks, order)),
    ]


def _email() -> Rule:
    text = csv_intake.text("contact_email", 200, required=False)
    wrong = Check("email_malformed", f"s.contact_email <> '' AND s.contact_email !~ '^{_EMAIL}$'")
    return Rule("contact_email", (*text.checks, wrong))


def _day(column: str) -> Rule:
    """Return the check of a day that may be left empty."""
    dated = csv_intake.date(column)
    shape = next(one for one in dated.checks if one.reason == "date_malformed")
    return Rule(column, (Check(shape.reason, f"s.{column} <> '' AND {shape.bad}"),))


def _record(source: Source, staged: Staged, new: int) -> None:
    if not new:
        return
    audit.record(
        merchant_id=house.house().id,
        action="agents.import",
        object_kind="file",
        object_id=staged.sha256,
        after={"name": source.name, "rows": staged.rows, "new": new},
    )

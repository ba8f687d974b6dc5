"""Bringing merchants in from a file (design section 7)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from foundation import actor, csv_intake, registries, sql
from foundation.csv_intake import Check, Progress, Rule, Source, Staged
from foundation.services import audit
from merchants.countries import COUNTRIES
from merchants.services import house

NEEDED: Final = ("merchant_no", "name", "registration_no", "city", "region", "country", "schedule")
AGENT: Final = "agent_no"  # a file that has no such column says nothing about agents
COLUMNS: Final = (*NEEDED, AGENT)
DEFAULT_SCHEDULE: Final = "T1"
# T+n business days, D+n calendar days, a day of the week (1 Monday), a day of the month, by hand.
SCHEDULE_PATTERN: Final = (
    "[TD]([0-9]|[12][0-9]|30)|WEEKLY:[1-7]|MONTHLY:([1-9]|1[0-9]|2[0-8])|MANUAL"
)

# Unified social credit code (统一社会信用代码, GB 32100): 17 characters weighted, modulo 31.
_CODE_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_CODE_SUM: Final = (
    f"(SELECT sum(w * (strpos('{_CODE_ALPHABET}', substr(s.registration_no, i::int, 1)) - 1))"
    f" FROM unnest(ARRAY{list(_CODE_WEIGHTS)}) WITH ORDINALITY AS weight (w, i))"
)
_CODE_DIGIT: Final = f"substr('{_CODE_ALPHABET}', 1 + mod(31 - mod({_CODE_SUM}, 31), 31)::int, 1)"
_CHINESE: Final = "s.country = 'CN' AND s.registration_no <> ''"
_REGISTRATION_CHECKS: Final = (
    Check(
        "registration_shape",
        f"{_CHINESE} AND s.registration_no !~ '^[0-9]{{8}}[{_CODE_ALPHABET}]{{10}}$'",
    ),
    Check(
        "registration_check_digit", f"{_CHINESE} AND right(s.registration_no, 1) <> {_CODE_DIGIT}"
    ),
)

# One import of merchants at a time, so that two of the same file agree on who was first.
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('merchants.import', 0))"
_WAIT: Final = "SET LOCAL lock_timeout = '10min'"

_SCHEDULE: Final = f"coalesce(nullif(s.schedule, ''), '{DEFAULT_SCHEDULE}')"
_STORE: Final = """
WITH stored AS (
  INSERT INTO merchants_merchant
    (merchant_no, kind, name, registration_no, city, region, country, status, declared_schedule,
     agent_id, created_at)
  SELECT s.merchant_no, 'MERCHANT', s.name, s.registration_no, s.city, s.region, s.country,
    'ACTIVE', {schedule}, a.id, %(at)s
  FROM {table} s LEFT JOIN merchants_agent a ON a.number = s.agent_no
  WHERE NOT EXISTS (SELECT FROM merchants_merchant m WHERE m.merchant_no = s.merchant_no)
  ORDER BY s.row_no
  RETURNING id, merchant_no, name, registration_no, city, region, country, declared_schedule
)
INSERT INTO merchants_intake_merchant
SELECT %(call_id)s, s.row_no, n.id, n.merchant_no, n.name, n.registration_no, n.city, n.region,
  n.country, n.declared_schedule
FROM stored n JOIN {table} s USING (merchant_no)
"""
# Nobody stops them before the merchants are stored.
_KEEP: Final = (
    "SELECT a.id FROM merchants_agent a WHERE a.number IN (SELECT s.agent_no FROM {table} s)"
    " ORDER BY a.id FOR SHARE"
)
# A merchant that is new needs an agent that brings merchants; a known one is compared below.
_AGENTS: Final = """
INSERT INTO {table}_bad
SELECT s.row_no, 'agent_no', s.agent_no,
       CASE WHEN a.id IS NULL THEN 'agent_unknown' ELSE 'agent_stopped' END, ''
  FROM {table} s LEFT JOIN merchants_agent a ON a.number = s.agent_no
 WHERE s.agent_no <> '' AND coalesce(a.state, '') <> 'ACTIVE'
   AND NOT EXISTS (SELECT FROM merchants_merchant m WHERE m.merchant_no = s.merchant_no)
"""
# By whom a known merchant came in the beginning: who has it now is another matter.
_BROUGHT: Final = (
    "JOIN merchants_merchant m ON m.merchant_no = s.merchant_no AND m.kind = 'MERCHANT'"
    " AND s.agent_no <> '' LEFT JOIN merchants_merchant_agent l ON l.merchant_id = m.id"
    " AND l.sequence = 1 AND l.approval_id IS NULL LEFT JOIN merchants_agent b ON b.id = l.agent_id"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """How many merchants were stored now, how many the file names that were known."""

    new: int
    known: int
    sha256: str


def run(
    *, source: Source, at: datetime, encoding: str = "utf-8", progress: Progress | None = None
) -> Imported:
    """
    Store the merchants of a file, all or none, and tell listeners `merchants_imported`.

    An operator's migration act: in force at once and audited. The same content again stores
    nothing.

    Raises: FileRefused naming every bad row.
    Rule:   MER-1 to MER-4 (docs/rules/merchants.md), IMP-1 to IMP-6 (docs/rules/imports.md).
    """
    with transaction.atomic(durable=True):
        return take_in(source=source, at=at, encoding=encoding, progress=progress)


def take_in(
    *, source: Source, at: datetime, encoding: str = "utf-8", progress: Progress | None = None
) -> Imported:
    """Do the same inside the caller's transaction: that of an approval (MER-12)."""
    call_id = uuid.uuid4()
    actor.stamp_transaction()
    staged = _staged(source, encoding, progress)
    sql.execute(_WAIT)
    sql.execute(_ONE_AT_A_TIME)
    _check(staged)
    new = sql.execute(
        _STORE.format(table=staged.table, schedule=_SCHEDULE), {"at": at, "call_id": call_id}
    )
    _announce(call_id)
    _record(source, staged, new)
    return Imported(new=new, known=staged.rows - new, sha256=staged.sha256)


def examine(*, source: Source) -> None:
    """Only look: raise FileRefused naming every bad row. In a transaction, which it may end."""
    _check(_staged(source, "utf-8", None))


def _staged(source: Source, encoding: str, progress: Progress | None) -> Staged:
    return csv_intake.stage(
        source,
        table="intake_merchant",
        columns=NEEDED,
        optional=[AGENT],
        encoding=encoding,
        progress=progress,
    )


def _check(staged: Staged) -> None:
    csv_intake.find_bad(staged, _rules())
    csv_intake.duplicates(staged, ["merchant_no"], "merchant_no")
    sql.execute(_KEEP.format(table=staged.table))
    sql.execute(_AGENTS.format(table=staged.table))
    csv_intake.conflicts(
        staged,
        "JOIN merchants_merchant m ON m.merchant_no = s.merchant_no AND m.kind = 'MERCHANT'",
        {
            "name": ("s.name", "m.name"),
            "registration_no": ("s.registration_no", "m.registration_no"),
            "city": ("s.city", "m.city"),
            "region": ("s.region", "m.region"),
            "country": ("s.country", "m.country"),
            "schedule": (_SCHEDULE, "m.declared_schedule"),
        },
    )
    csv_intake.conflicts(
        staged,
        _BROUGHT,
        {"agent_no": ("s.agent_no", "coalesce(b.number, '')")},
    )
    csv_intake.raise_if_bad(staged)


def _rules() -> list[Rule]:
    number = csv_intake.code("merchant_no")
    reserved = Check("reserved", f"upper(s.merchant_no) = '{house.MERCHANT_NO}'")
    registration = csv_intake.text("registration_no", 64, required=False)
    return [
        Rule("merchant_no", (*number.checks, reserved)),
        csv_intake.text("name", 200),
        Rule("registration_no", (*registration.checks, *_REGISTRATION_CHECKS)),
        csv_intake.text("city", 100, required=False),
        csv_intake.text("region", 100, required=False),
        csv_intake.choice("country", sorted(COUNTRIES)),
        csv_intake.matching("schedule", SCHEDULE_PATTERN, "schedule_unknown", required=False),
        csv_intake.code(AGENT, required=False),
    ]


def _announce(call_id: uuid.UUID) -> None:
    listed = sql.rows(
        "SELECT merchant_id FROM merchants_intake_merchant WHERE call_id = %s ORDER BY row_no",
        [call_id],
    )
    if not listed:
        return
    registries.announce(
        "merchants_imported",
        merchant_ids=[row["merchant_id"] for row in listed],
        payload={"call_id": call_id},
    )
    sql.execute("DELETE FROM merchants_intake_merchant WHERE call_id = %s", [call_id])


def _record(source: Source, staged: Staged, new: int) -> None:
    if not new:
        return
    audit.record(
        merchant_id=house.house().id,
        action="merchants.import",
        object_kind="file",
        object_id=staged.sha256,
        after={"name": source.name, "rows": staged.rows, "new": new},
    )

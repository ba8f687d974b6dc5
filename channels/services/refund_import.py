"""Bringing refunds in from a file: each has already happened at its channel."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction

from channels.services.payment_import import CHUNK_SIZE
from foundation import actor, csv_intake, retry, sql
from foundation.csv_intake import Check, Progress, Rule, Source, Staged
from foundation.csv_intake.command import Outcome

COLUMNS: Final = ("refund_no", "payment_no", "amount", "currency", "refunded_at")
OPTIONAL: Final = ("merchant_no",)

# One import of refunds at a time: the unique chain of each payment is the judge, this keeps honest
# files from meeting there.
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('channels.refunds', 0))"
_JOINS: Final = f"LEFT JOIN {csv_intake.CURRENCIES} ON currency.code = s.currency"
_FOUND: Final = "JOIN pg_temp.intake_refund_found f ON f.row_no = s.row_no"
_MAJOR: Final = (
    "round(k.amount_minor::numeric / power(10::numeric, currency.exponent), currency.exponent)"
)


def run(
    *, source: Source, at: datetime, encoding: str = "utf-8", progress: Progress | None = None
) -> Outcome:
    """
    Store the refunds of a file, all or none, ready to be booked (`clearing.clear_all`).

    A refund finds its payment over all merchants; where two have the number and the row names no
    merchant it is `ambiguous_payment`, but for what is stored already. Refunds never exceed their
    payment (I10).

    Raises: FileRefused naming every bad row.
    Rule:   REF-1 to REF-3 (docs/rules/refunds.md), IMP-1 to IMP-6 (docs/rules/imports.md).
    """

    def once() -> Outcome:
        with transaction.atomic(durable=True):
            sql.execute("SET LOCAL work_mem = '128MB'")
            staged = csv_intake.stage(
                source,
                table="intake_refund",
                columns=COLUMNS,
                optional=OPTIONAL,
                encoding=encoding,
                progress=progress,
            )
            sql.execute("SET LOCAL lock_timeout = '10min'")
            sql.execute(_ONE_AT_A_TIME)
            new = _store(staged, name=source.name, at=at)
            return Outcome(new, staged.rows - new, staged.sha256)

    return retry.retried(once)


def _store(staged: Staged, *, name: str, at: datetime) -> int:
    csv_intake.find_bad(staged, _rules(), joins=_JOINS)
    csv_intake.raise_if_bad(staged)
    sql.execute("DROP TABLE IF EXISTS pg_temp.intake_refund_found")
    sql.execute(sql.load("channels", "refund_found"))
    sql.execute("ANALYZE pg_temp.intake_refund_found")
    sql.execute(_with_parts("refund_known"))
    csv_intake.find_bad(staged, _rules_of_payment(), joins=_FOUND)
    csv_intake.raise_if_bad(staged)
    _duplicates(staged)
    csv_intake.conflicts(
        staged,
        f"{_FOUND} JOIN channels_refund k ON k.refund_no = s.refund_no"
        " AND k.merchant_id = f.merchant_id JOIN channels_payment kp"
        " ON kp.merchant_id = k.merchant_id AND kp.id = k.payment_id"
        f" JOIN {csv_intake.CURRENCIES} ON currency.code = k.currency",
        {
            "payment_no": ("s.payment_no", "kp.payment_no"),
            "amount": ("s.amount::numeric", _MAJOR),
            "currency": ("s.currency", "k.currency"),
            "refunded_at": ("s.refunded_at::timestamptz", "k.refunded_at"),
        },
    )
    sql.execute(_with_parts("refund_over"))
    csv_intake.raise_if_bad(staged)
    intake_id = sql.rows(
        "INSERT INTO channels_intake (kind, name, sha256, rows, stored, received_at, actor, zone,"
        " cut_off) SELECT 'REFUND', %s, %s, %s, count(*) FILTER (WHERE k.id IS NULL), %s, %s,"
        "    %s, %s::time"
        f"  FROM {staged.table} s {_FOUND} LEFT JOIN channels_refund k"
        "    ON k.refund_no = s.refund_no AND k.merchant_id = f.merchant_id"
        " HAVING count(*) FILTER (WHERE k.id IS NULL) > 0 RETURNING id",
        [
            name[:255],
            staged.sha256,
            staged.rows,
            at,
            actor.current().name,
            settings.TIME_ZONE,
            settings.CUT_OFF,
        ],
    )
    if not intake_id:
        return 0
    found = sql.rows(
        _with_parts("refund_store"),
        {
            "zone": settings.TIME_ZONE,
            "cut_off": settings.CUT_OFF,
            "intake_id": intake_id[0]["id"],
            "chunk_size": CHUNK_SIZE,
            "at": at,
        },
    )
    return int(found[0]["new"])


def _with_parts(name: str) -> str:
    return sql.load("channels", name).format(
        amount_minor=csv_intake.amount_minor("amount"), currencies=csv_intake.CURRENCIES
    )


def _duplicates(staged: Staged) -> None:
    """List rows whose number stands earlier in the file for the same merchant."""
    sql.execute(
        f"INSERT INTO {staged.table}_bad SELECT s.row_no, 'refund_no', left(s.refund_no, 200),"
        f" 'duplicate_in_file', d.first FROM {staged.table} s {_FOUND}"
        " JOIN (SELECT e.refund_no, g.merchant_id, min(e.row_no) AS first"
        f" FROM {staged.table} e JOIN pg_temp.intake_refund_found g USING (row_no)"
        " GROUP BY e.refund_no, g.merchant_id HAVING count(*) > 1) d"
        " ON d.refund_no = s.refund_no AND d.merchant_id = f.merchant_id"
        " WHERE s.row_no > d.first"
    )


def _rules() -> list[Rule]:
    return [
        csv_intake.code("refund_no"),
        csv_intake.code("payment_no"),
        csv_intake.amount("amount"),
        csv_intake.currency(),
        csv_intake.instant("refunded_at"),
        csv_intake.code("merchant_no", required=False),
    ]


def _rules_of_payment() -> list[Rule]:
    early = "f.matches = 1 AND s.refunded_at::timestamptz < f.captured_at"
    return [
        Rule("merchant_no", (Check("unknown_merchant", "f.unknown_merchant"),)),
        Rule(
            "payment_no",
            (
                Check("unknown_payment", "f.matches = 0 AND NOT f.unknown_merchant"),
                Check("ambiguous_payment", "f.matches > 1"),
            ),
        ),
        Rule("currency", (Check("other_currency", "f.matches = 1 AND s.currency <> f.currency"),)),
        Rule("refunded_at", (Check("before_payment", early),)),
    ]

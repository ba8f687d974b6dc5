"""Bringing fee versions in from a file (design section 7)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from channels.services import code
from foundation import actor, csv_intake, sql
from foundation.csv_intake import Check, Progress, Rule, Source, Staged
from foundation.csv_intake.command import Outcome
from foundation.services import audit
from merchants.services import house

COLUMNS: Final = [
    "merchant_no",
    "product",
    "channel",
    "rate_percent",
    "fixed",
    "minimum",
    "cap",
    "currency",
    "fee_on_refund",
    "effective_from",
]

_RATE: Final = "(100([.]0{1,6})?|[0-9]{1,2}([.][0-9]{1,6})?)"
_PART: Final = "[0-9]{1,11}([.][0-9]{1,4})?"
_JOINS: Final = f"""
LEFT JOIN merchants_merchant m ON m.merchant_no = s.merchant_no AND m.kind = 'MERCHANT'
LEFT JOIN {csv_intake.CURRENCIES} ON currency.code = s.currency"""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('channels.fees', 0))"

# The file's row with its references looked up; `*` stands for any.
_ROWS: Final = """
  SELECT s.row_no, m.id AS merchant_id, p.id AS product_id, c.id AS channel_id, s.currency,
         s.rate_percent::numeric AS rate_percent,
         coalesce(nullif(s.fixed, ''), '0')::numeric AS fixed,
         coalesce(nullif(s.minimum, ''), '0')::numeric AS minimum,
         nullif(s.cap, '')::numeric AS cap, s.fee_on_refund,
         s.effective_from::date AS effective_from
    FROM {table} s
    LEFT JOIN merchants_merchant m ON m.merchant_no = s.merchant_no AND m.kind = 'MERCHANT'
    LEFT JOIN channels_product p ON p.code = s.product
    LEFT JOIN channels_channel c ON c.code = s.channel"""
_SAME_RANK: Final = """
  {one}.merchant_id IS NOT DISTINCT FROM {other}.merchant_id
  AND {one}.product_id IS NOT DISTINCT FROM {other}.product_id
  AND {one}.channel_id IS NOT DISTINCT FROM {other}.channel_id
  AND {one}.currency = {other}.currency AND {one}.effective_from = {other}.effective_from"""
_STORE: Final = """
INSERT INTO channels_fee_rule (merchant_id, product_id, channel_id, currency, rate_percent, fixed,
       minimum, cap, fee_on_refund, effective_from, created_at)
SELECT r.merchant_id, r.product_id, r.channel_id, r.currency, r.rate_percent, r.fixed, r.minimum,
       r.cap, r.fee_on_refund, r.effective_from, %(at)s
  FROM ({rows}) r
 WHERE NOT EXISTS (SELECT FROM channels_fee_rule f WHERE {same})
 ORDER BY r.row_no"""


def run(
    *, source: Source, at: datetime, encoding: str = "utf-8", progress: Progress | None = None
) -> Outcome:
    """
    Store the fee versions of a file, all or none; the same content again stores nothing.

    An operator's migration act: in force at once and audited. A second version of the same rank
    (merchant, product, channel, currency, date) with other content is a `conflict`.

    Raises: FileRefused naming every bad row.
    Rule:   FEE-1, FEE-2 (docs/rules/fees.md).
    """
    with transaction.atomic(durable=True):
        actor.stamp_transaction()
        staged = csv_intake.stage(
            source, table="intake_fee", columns=COLUMNS, encoding=encoding, progress=progress
        )
        sql.execute("SET LOCAL lock_timeout = '10min'")
        sql.execute(_ONE_AT_A_TIME)
        csv_intake.find_bad(staged, _rules(), joins=_JOINS)
        csv_intake.raise_if_bad(staged)
        csv_intake.duplicates(
            staged,
            ["merchant_no", "product", "channel", "currency", "effective_from"],
            "effective_from",
        )
        _conflicts(staged)
        csv_intake.raise_if_bad(staged)
        code.make_missing(staged, at=at)
        new = sql.execute(
            _STORE.format(
                rows=_ROWS.format(table=staged.table), same=_SAME_RANK.format(one="f", other="r")
            ),
            {"at": at},
        )
        if new:
            audit.record(
                merchant_id=house.house().id,
                action="fees.import",
                object_kind="file",
                object_id=staged.sha256,
                after={"name": source.name, "rows": staged.rows, "new": new},
            )
    return Outcome(new, staged.rows - new, staged.sha256)


def _conflicts(staged: Staged) -> None:
    rows = _ROWS.format(table=staged.table)
    csv_intake.conflicts(
        staged,
        f"JOIN ({rows}) r ON r.row_no = s.row_no"
        f" JOIN channels_fee_rule f ON {_SAME_RANK.format(one='f', other='r')}"
        # an unknown code is null here too, which must not read as `any`
        " AND (s.product = '*') = (f.product_id IS NULL)"
        " AND (s.channel = '*') = (f.channel_id IS NULL)",
        {
            "rate_percent": ("r.rate_percent", "f.rate_percent"),
            "fixed": ("r.fixed", "f.fixed"),
            "minimum": ("r.minimum", "f.minimum"),
            "cap": ("r.cap", "f.cap"),
            "fee_on_refund": ("r.fee_on_refund", "f.fee_on_refund"),
        },
    )


def _rules() -> list[Rule]:
    merchant = csv_intake.code("merchant_no")
    unknown = Check("unknown_merchant", "s.merchant_no <> '*' AND m.id IS NULL")
    currency = Check("currency_unknown", "s.currency <> '' AND currency.code IS NULL")
    return [
        Rule("merchant_no", (*merchant.checks, unknown)),
        csv_intake.code("product"),
        csv_intake.code("channel"),
        csv_intake.matching("rate_percent", _RATE, "rate_malformed"),
        *(_part(name) for name in ("fixed", "minimum")),
        Rule("cap", (*_part("cap").checks, _BELOW_MINIMUM)),
        Rule("currency", (currency,)),
        csv_intake.choice("fee_on_refund", ["kept", "returned"]),
        csv_intake.date("effective_from"),
    ]


_BELOW_MINIMUM: Final = Check(
    "cap_below_minimum",
    f"s.cap <> '' AND s.minimum ~ '^{_PART}$' AND s.cap::numeric < s.minimum::numeric",
)


def _part(column: str) -> Rule:
    """Check a part of a fee in major units, with at most its currency's decimals."""
    shape = csv_intake.matching(column, _PART, "amount_malformed", required=False)
    decimals = Check(
        "too_many_decimals",
        f"currency.exponent IS NOT NULL AND length(split_part(s.{column}, '.', 2))"
        " > currency.exponent",
    )
    return Rule(column, (*shape.checks, decimals))

"""Bringing payments in, from a file or from the API: the same checks, all or nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

import psycopg
from django.conf import settings
from django.db import IntegrityError, transaction

from channels.services import code, payer
from foundation import actor, csv_intake, retry, sql
from foundation.csv_intake import Check, Progress, Rule, Source, Staged
from foundation.csv_intake.command import Outcome

COLUMNS: Final = [
    "payment_no",
    "order_no",
    "merchant_no",
    "product",
    "channel",
    "amount",
    "currency",
    "captured_at",
    "payer_ref",
    "code_kind",
]
CHUNK_SIZE: Final = 50_000  # facts cleared in one transaction

_JOINS: Final = f"""
LEFT JOIN merchants_merchant m ON m.merchant_no = s.merchant_no AND m.kind = 'MERCHANT' <within>
LEFT JOIN {csv_intake.CURRENCIES} ON currency.code = s.currency"""
_KNOWN: Final = """
JOIN merchants_merchant m ON m.merchant_no = s.merchant_no
JOIN channels_payment k ON k.payment_no = s.payment_no AND k.merchant_id = m.id
JOIN channels_product kp ON kp.id = k.product_id
JOIN channels_channel kc ON kc.id = k.channel_id"""


def run(
    *, source: Source, at: datetime, encoding: str = "utf-8", progress: Progress | None = None
) -> Outcome:
    """
    Store the payments of a file, all or none, ready to be cleared (`clearing.clear_all`).

    The same content again stores nothing. Unknown products and channels are made UNREVIEWED.

    Raises: FileRefused naming every bad row.
    Rule:   PAY-1 to PAY-4 (docs/rules/payments.md), IMP-1 to IMP-6 (docs/rules/imports.md).
    """

    def once() -> Outcome:
        with transaction.atomic(durable=True):
            sql.execute("SET LOCAL work_mem = '256MB'")
            staged = csv_intake.stage(
                source,
                table="intake_payment",
                columns=COLUMNS,
                encoding=encoding,
                progress=progress,
            )
            new = store(staged, name=source.name, at=at, wait_for_others=False)
            return Outcome(new, staged.rows - new, staged.sha256)

    return retry.retried(once, passing=_may_pass)


def _may_pass(error: BaseException) -> bool:
    """Return whether a file may be tried again: somebody stored one of its payments meanwhile."""
    cause = error.__cause__
    overtaken = (
        isinstance(error, IntegrityError)
        and isinstance(cause, psycopg.errors.UniqueViolation)
        and (cause.diag.constraint_name or "").startswith("payment_one_number")
    )
    return overtaken or retry.is_passing(error)


def store(
    staged: Staged,
    *,
    name: str,
    at: datetime,
    wait_for_others: bool = True,
    within: Collection[int] | None = None,
) -> int:
    """
    Check staged payments and store those not known yet; return how many.

    With `within` every merchant whose id is not among them is unknown.

    Runs inside the caller's transaction. `wait_for_others=False` is a fifth faster, and refuses
    when another transaction stores one of the payments at the same time: for a caller that tries
    the whole again.
    Raises: FileRefused; IntegrityError (see above).
    """
    _refuse_bad(staged, within)
    payer.seal(staged)
    known = sql.rows(
        f"SELECT count(*) AS n FROM {staged.table} s JOIN merchants_merchant m"
        " ON m.merchant_no = s.merchant_no JOIN channels_payment k"
        " ON k.payment_no = s.payment_no AND k.merchant_id = m.id"
    )[0]["n"]
    if known:
        _refuse_conflicts(staged)
    if known == staged.rows:
        return 0
    code.make_missing(staged, at=at)
    intake_id = _intake(staged, name, staged.rows - known, at)
    statement = sql.load("channels", "payment_store").format(
        table=staged.table,
        amount_minor=csv_intake.amount_minor("amount"),
        currencies=csv_intake.CURRENCIES,
        payers=payer.TABLE,
        on_conflict="ON CONFLICT (payment_no, merchant_id) DO NOTHING" if wait_for_others else "",
    )
    new = int(
        sql.rows(
            statement,
            {
                "zone": settings.TIME_ZONE,
                "cut_off": settings.CUT_OFF,
                "intake_id": intake_id,
                "chunk_size": CHUNK_SIZE,
                "some_known": known > 0,
                "at": at,
            },
        )[0]["new"]
    )
    if new + known != staged.rows:  # somebody stored some of them while we did
        _refuse_conflicts(staged)
    return new


def _intake(staged: Staged, name: str, stored: int, at: datetime) -> int:
    """Note what brings the payments in, and by which zone and cut-off they get their dates."""
    found = sql.rows(
        "INSERT INTO channels_intake (kind, name, sha256, rows, stored, received_at, actor, zone,"
        " cut_off) VALUES ('PAYMENT', %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            name[:255],
            staged.sha256,
            staged.rows,
            stored,
            at,
            actor.current().name,
            settings.TIME_ZONE,
            settings.CUT_OFF,
        ],
    )
    return int(found[0]["id"])


def _refuse_bad(staged: Staged, within: Collection[int] | None) -> None:
    among = "" if within is None else f"AND m.id = ANY ('{{{','.join(map(str, within))}}}')"
    csv_intake.find_bad(staged, _rules(), joins=_JOINS.replace("<within>", among))
    csv_intake.duplicates(staged, ["payment_no", "merchant_no"], "payment_no")
    csv_intake.raise_if_bad(staged)


def _refuse_conflicts(staged: Staged) -> None:
    csv_intake.conflicts(
        staged,
        _KNOWN
        + f" JOIN {csv_intake.CURRENCIES} ON currency.code = k.currency"
        + f" LEFT JOIN {payer.TABLE} y ON y.row_no = s.row_no",
        {
            "order_no": ("s.order_no", "k.order_no"),
            "product": ("s.product", "kp.code"),
            "channel": ("s.channel", "kc.code"),
            "currency": ("s.currency", "k.currency"),
            "amount": (
                "s.amount::numeric",
                "round(k.amount_minor::numeric / power(10::numeric, currency.exponent),"
                " currency.exponent)",
            ),
            "captured_at": ("s.captured_at::timestamptz", "k.captured_at"),
            "payer_ref": ("y.payer_hash", "k.payer_hash"),
            "code_kind": ("s.code_kind", "k.code_kind"),
        },
        shown={"payer_ref": ("y.payer_masked", "k.payer_masked")},
    )
    csv_intake.raise_if_bad(staged)


def _rules() -> list[Rule]:
    merchant = csv_intake.code("merchant_no")
    unknown = Check("unknown_merchant", "m.id IS NULL")
    probe = f"{merchant.probe} AND m.id IS NOT NULL"
    return [
        csv_intake.code("payment_no"),
        csv_intake.code("order_no"),
        Rule("merchant_no", (*merchant.checks, unknown), probe, plain=True),
        _named("product"),
        _named("channel"),
        csv_intake.amount("amount"),
        csv_intake.currency(),
        csv_intake.instant("captured_at"),
        replace(csv_intake.text("payer_ref", 64, required=False), secret=True),
        csv_intake.choice("code_kind", ["static", "dynamic", "scanner"], required=False),
    ]


def _named(column: str) -> Rule:
    """Check a code; `*` means any in a fee and can be no product's or channel's name."""
    named = csv_intake.code(column)
    star = Check("not_allowed", f"s.{column} = '*'")
    return Rule(column, (*named.checks, star), f"{named.probe} AND s.{column} <> '*'", plain=True)

"""Accounts are slices: one per merchant, kind, currency and reference, made at first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from django.db import connection

from foundation import actor, sql
from ledger import errors

_ENDS: Final = {
    "merchants.closed": "ledger_close_accounts",
    "merchants.closing": "ledger_reopen_accounts",
}


class Slice(NamedTuple):
    """What an account is found by inside its merchant's book."""

    kind: str
    currency: str
    ref_kind: str = ""
    ref_id: str = ""


def on_merchant_approved(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Open the accounts of a merchant that was just approved or changed, where we hold its money
    (LG-11, docs/rules/ledger.md). Everything else is opened at first use.
    """
    if event not in ("merchant.approved", "merchant.changed") or not payload["holds_funds"]:
        return
    kinds = ("merchant_pending", "merchant_available")
    for merchant_id in merchant_ids:
        open_slices(
            merchant_id=merchant_id,
            slices=[Slice(kind, payload["currency"]) for kind in kinds],
        )


def on_merchants_closed(
    *, event: str, merchant_ids: Sequence[int], payload: Mapping[str, Any]
) -> None:
    """
    Close what ends with a merchant in the transaction that closes it; open it again when its
    closing is taken up again. Raises AccountNotEmpty: something came since the reasons were asked.
    Rule: LG-13 (docs/rules/ledger.md).
    """
    if event in _ENDS:
        by = actor.current()
        with errors.named():
            sql.rows(
                f"SELECT {_ENDS[event]}(%s::bigint[], %s, %s)",
                [list(merchant_ids), by.name, by.request_id],
            )


def open_slice(
    *, merchant_id: int, kind: str, currency: str, ref_kind: str = "", ref_id: str = ""
) -> int:
    """
    Return the id of an account, opening it when it is not there yet.

    Raises: AccountRefused (unknown kind, or a house account in a merchant's book).
    """
    wanted = Slice(kind, currency, ref_kind, ref_id)
    return open_slices(merchant_id=merchant_id, slices=[wanted])[wanted]


def open_slices(*, merchant_id: int, slices: Sequence[Slice]) -> dict[Slice, int]:
    """
    Return the ids of several accounts of one book, opening those that are not there yet.

    One look-up in the ordinary case; two more round trips when something has to be opened.
    Raises: AccountRefused.
    """
    found = _find(merchant_id, slices)
    missing = [wanted for wanted in slices if wanted not in found]
    if missing:
        with errors.named(), connection.cursor() as cursor:
            columns = [list(column) for column in zip(*missing, strict=True)]
            cursor.execute(
                "SELECT ledger_open_accounts(%s::bigint[], %s, %s, %s, %s)",
                [[merchant_id] * len(missing), *columns],
            )
        found |= _find(merchant_id, missing)
    return found


def _find(merchant_id: int, slices: Sequence[Slice]) -> dict[Slice, int]:
    kinds, currencies, ref_kinds, ref_ids = (list(column) for column in zip(*slices, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT a.kind, a.currency, a.ref_kind, a.ref_id, a.id
                 FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
                      AS w (kind, currency, ref_kind, ref_id)
                 JOIN ledger_account a
                   ON a.merchant_id = %s AND a.kind = w.kind AND a.currency = w.currency
                  AND a.ref_kind = w.ref_kind AND a.ref_id = w.ref_id""",
            [kinds, currencies, ref_kinds, ref_ids, merchant_id],
        )
        return {Slice(*row[:4]): int(row[4]) for row in cursor.fetchall()}

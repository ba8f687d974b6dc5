"""Merchants with money that is to be settled: booked in the ledger, with its due amounts."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

from django.db import transaction

from foundation import sql
from ledger.services import account as accounts
from ledger.services import journal
from merchants.models import Merchant
from settlement.models import Due
from settlement.selectors import schedule as schedules

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
_numbers = itertools.count(1)

_POSITION = """
INSERT INTO settlement_position AS p (merchant_id, currency, open_from, has_at_once)
VALUES (%s, %s, %s, %s)
ON CONFLICT (merchant_id, currency) DO UPDATE
  SET open_from = least(p.open_from, excluded.open_from),
      has_at_once = p.has_at_once OR excluded.has_at_once
"""


def merchant(merchant_no: str = "") -> int:
    """Return the id of a new merchant."""
    number = merchant_no or f"S{next(_numbers):05}"
    return Merchant.objects.create(merchant_no=number, name=number, created_at=NOON).id


def account(merchant_id: int, kind: str, currency: str = "CNY", channel: str = "") -> int:
    """Return the id of a merchant's account, opened where it is missing."""
    return accounts.open_slice(
        merchant_id=merchant_id,
        kind=kind,
        currency=currency,
        ref_kind="channel" if channel else "",
        ref_id=channel,
    )


def payment(
    merchant_id: int, minor: int, day: date, *, currency: str = "CNY", payment_id: int | None = None
) -> int:
    """
    Book a cleared payment without fee and make its due amount; return the payment's number.
    """
    number = payment_id or next(_numbers)
    code = schedules.in_force(merchant_id=merchant_id, day=day)
    with transaction.atomic():
        if minor:
            book(merchant_id, currency, f"payment:{number}", clear=minor)
        due = schedules.due_date(code, day)
        Due.objects.create(
            merchant_id=merchant_id,
            source_kind="payment",
            source_id=number,
            currency=currency,
            amount_minor=minor,
            business_date=day,
            due_date=due,
            schedule_code=code,
            explanation="schedule" if due else "manual",
        )
        sql.execute(_POSITION, [merchant_id, currency, due, False])
    return number


def refund_rest(merchant_id: int, minor: int, day: date, *, currency: str = "CNY") -> int:
    """Book a refund that other pending money pays: due at once; return its number."""
    number = next(_numbers)
    with transaction.atomic():
        book(merchant_id, currency, f"refund:{number}", clear=-minor)
        Due.objects.create(
            merchant_id=merchant_id,
            source_kind="refund_rest",
            source_id=number,
            currency=currency,
            amount_minor=-minor,
            business_date=day,
            due_date=day,
            at_once=True,
            explanation="at_once",
        )
        sql.execute(_POSITION, [merchant_id, currency, day, True])
    return number


def balance(merchant_id: int, kind: str, currency: str = "CNY") -> int:
    """Return an account's balance in minor units; 0 where there is none."""
    found = sql.rows(
        "SELECT coalesce(sum(balance), 0)::bigint AS balance FROM ledger_account"
        " WHERE merchant_id = %s AND kind = %s AND currency = %s",
        [merchant_id, kind, currency],
    )
    return int(found[0]["balance"])


def owe(merchant_id: int, minor: int, currency: str = "CNY") -> None:
    """Let a merchant owe us something."""
    journal.post(
        merchant_id=merchant_id,
        source_kind="test",
        source_id=f"debt:{next(_numbers)}",
        postings=[
            journal.debit(account(merchant_id, "merchant_debt", currency), "owe", minor),
            journal.credit(
                account(merchant_id, "channel_receivable", currency, "wx"), "refund", minor
            ),
        ],
    )


def book(merchant_id: int, currency: str, cause: str, *, clear: int) -> None:
    """Book what clearing a payment (or, below zero, a refund) moves on the pending account."""
    pending = account(merchant_id, "merchant_pending", currency)
    receivable = account(merchant_id, "channel_receivable", currency, "wx")
    postings = (
        [
            journal.debit(receivable, "clear", clear),
            journal.credit(pending, "clear", clear),
        ]
        if clear > 0
        else [
            journal.debit(pending, "refund", -clear),
            journal.credit(receivable, "refund", -clear),
        ]
    )
    journal.post(merchant_id=merchant_id, source_kind="test", source_id=cause, postings=postings)

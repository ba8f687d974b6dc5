"""Balances: now, as of a moment, and the trial balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from foundation import sql
from foundation.money import Money
from ledger.models import Account


@dataclass(frozen=True, slots=True)
class Balance:
    """What stands in an account, what is held and what is free, in its normal direction."""

    account_id: int
    kind: str
    total: Money
    held: Money

    @property
    def free(self) -> Money:
        """The balance less its open holds."""
        return self.total - self.held


def ever_had_money(merchant_id: int) -> bool:
    """
    Return whether anything was ever posted on an account that is the merchant's own (what must be
    empty before it is closed), even if nothing is left: its records stay its own.
    """
    return Account.objects.filter(
        merchant_id=merchant_id, kind__ends_with_merchant=True, seq__gt=0
    ).exists()


def of_book(*, merchant_id: int) -> list[Balance]:
    """Return every account of a merchant's book, by currency and kind."""
    accounts = Account.objects.filter(merchant_id=merchant_id).order_by(
        "currency", "kind", "ref_kind", "ref_id"
    )
    return [
        Balance(
            account.id,
            account.kind_id,
            Money(account.balance_minor, account.currency),
            Money(account.held_minor, account.currency),
        )
        for account in accounts
    ]


def of_kinds(*, merchant_id: int, kinds: Sequence[str]) -> list[Balance]:
    """Return the plain slices of some kinds in a merchant's book, by currency and kind."""
    accounts = Account.objects.filter(
        merchant_id=merchant_id, kind__in=kinds, ref_kind="", ref_id=""
    ).order_by("currency", "kind")
    return [
        Balance(
            account.id,
            account.kind_id,
            Money(account.balance_minor, account.currency),
            Money(account.held_minor, account.currency),
        )
        for account in accounts
    ]


def free(*, merchant_id: int, kind: str, currency: str) -> Money:
    """Return what is free in the plain slice of a kind; zero when it was never opened."""
    account = (
        Account.objects.filter(
            merchant_id=merchant_id, kind=kind, currency=currency, ref_kind="", ref_id=""
        )
        .only("balance_minor", "held_minor")
        .first()
    )
    return Money(account.balance_minor - account.held_minor if account else 0, currency)


def as_of(*, merchant_id: int, account_id: int, moment: datetime) -> int:
    """
    Return an account's balance in minor units after everything posted up to a moment (F12).

    An account that is not in the book reads as 0.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_balance_as_of(%s, %s, %s)", [merchant_id, account_id, moment])
        return int(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One account kind in one currency, summed over books: turnovers and the balance by side."""

    subject: str
    kind: str
    currency: str
    debits_minor: int
    credits_minor: int

    @property
    def debit_balance_minor(self) -> int:
        """The balance when debits are larger, else 0."""
        return max(self.debits_minor - self.credits_minor, 0)

    @property
    def credit_balance_minor(self) -> int:
        """The balance when credits are larger, else 0."""
        return max(self.credits_minor - self.debits_minor, 0)


def trial_balance(*, up_to: date | None = None, merchant_id: int | None = None) -> list[TrialRow]:
    """
    Return the trial balance by currency, subject and kind, up to an accounting date (F3).

    Read it inside one REPEATABLE READ transaction when the total must be of one moment.
    """
    found = sql.rows(
        """SELECT k.subject, p.account_kind AS kind, p.currency,
                  sum(p.amount_minor) FILTER (WHERE p.side = 'DR') AS debits,
                  sum(p.amount_minor) FILTER (WHERE p.side = 'CR') AS credits
             FROM ledger_posting p
             JOIN ledger_entry e ON e.merchant_id = p.merchant_id AND e.id = p.entry_id
             JOIN ledger_account_kind k ON k.kind = p.account_kind
            WHERE (%(up_to)s::date IS NULL OR e.accounting_date <= %(up_to)s::date)
              AND (%(merchant_id)s::bigint IS NULL OR p.merchant_id = %(merchant_id)s::bigint)
            GROUP BY k.subject, p.account_kind, p.currency
            ORDER BY p.currency, k.subject, p.account_kind""",
        {"up_to": up_to, "merchant_id": merchant_id},
    )
    return [
        TrialRow(
            row["subject"],
            row["kind"],
            row["currency"],
            int(row["debits"] or 0),
            int(row["credits"] or 0),
        )
        for row in found
    ]

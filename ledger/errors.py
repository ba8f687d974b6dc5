"""What the ledger refuses, by name: the database's tokens as errors with a good message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
from django.db import DatabaseError
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation.money import Money
from ledger import chart


class LedgerRefusal(DomainError):
    """A refusal that the database said; `token` or a constraint's name tells which."""

    token: ClassVar[str] = ""
    constraints: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_details(cls, details: dict[str, Any]) -> LedgerRefusal:
        """Build the error from the details that came with the token."""
        return cls(cls.message(details), **details)

    @classmethod
    def message(cls, details: dict[str, Any]) -> str:
        """Say it in the language of whoever asked, and name what it is about."""
        known = {name: value for name, value in details.items() if value and name != "detail"}
        about = ", ".join(f"{name} {value}" for name, value in known.items())
        words = {"code": f"{cls.code} ({about})" if about else cls.code}
        return _("The ledger refused this: %(code)s.") % words


class UnbalancedEntry(LedgerRefusal):
    """Debits and credits of a currency differ, or there are fewer than two postings. A bug."""

    code = "unbalanced_entry"
    http_status = 500
    token = "ledger.unbalanced_entry"


class AmountNotPositive(LedgerRefusal):
    """A posting or hold of zero or less. A bug."""

    code = "amount_not_positive"
    http_status = 500
    token = "ledger.amount_not_positive"
    constraints = ("posting_amount_positive", "hold_amount_positive")


class AmountOutOfRange(LedgerRefusal):
    """An amount, or the balance it would make, is larger than any number we keep."""

    code = "amount_out_of_range"

    @classmethod
    def message(cls, details: dict[str, Any]) -> str:
        return _("An amount or a balance would be larger than any we keep.")


class MomentOutOfRange(LedgerRefusal):
    """What happened, or when a hold ends, lies before 1970 or after 2200."""

    code = "moment_out_of_range"
    http_status = 400
    constraints = ("entry_occurred_in_range", "hold_expires_in_range")


class CauseMissing(LedgerRefusal):
    """An entry or a hold without a cause. A bug."""

    code = "cause_missing"
    http_status = 500
    constraints = ("entry_cause_not_empty", "hold_cause_not_empty")


class NotAMirror(LedgerRefusal):
    """A reversal does not mirror the entry it names, or `reverse` was used without one."""

    code = "not_a_mirror"
    token = "ledger.not_a_mirror"


class AlreadyReversed(LedgerRefusal):
    """The entry has been reversed before."""

    code = "already_reversed"
    constraints = ("entry_reversed_once",)


class LinesDoNotSum(LedgerRefusal):
    """The lines of a posting do not add up to it, or a line has no posting. A bug."""

    code = "lines_do_not_sum"
    http_status = 500
    token = "ledger.lines_do_not_sum"


class FactBookedBefore(LedgerRefusal):
    """A fact already has its line in this account."""

    code = "fact_booked_before"
    constraints = ("line_one_per_fact",)


class HoldResolved(LedgerRefusal):
    """The hold was captured or released before, or is another account's or operation's."""

    code = "hold_resolved"
    token = "ledger.hold_resolved"
    constraints = ("hold_resolution",)


class HoldConflict(LedgerRefusal):
    """The same cause opened another hold before."""

    code = "hold_conflict"
    token = "ledger.hold_conflict"


class AccountNotInBook(LedgerRefusal):
    """The account does not exist in this merchant's book."""

    code = "account_not_in_book"
    http_status = 404
    token = "ledger.account_not_in_book"


class AccountRefused(LedgerRefusal):
    """Such an account may not be opened in that book."""

    code = "account_refused"
    token = "ledger.account_refused"


class InsufficientAvailableBalance(LedgerRefusal):
    """The account has less free than was asked for. `available` and `asked` are `Money`."""

    code = "insufficient_available_balance"
    token = "ledger.insufficient_available_balance"

    @classmethod
    def message(cls, details: dict[str, Any]) -> str:
        available = Money(int(details["available"]), details["currency"])
        asked = Money(int(details["asked"]), details["currency"])
        details |= {"available": available, "asked": asked}
        return _("%(kind)s: %(available)s is free; %(asked)s was asked for.") % {
            "kind": chart.spoken(details["kind"]),
            "available": available,
            "asked": asked,
        }


class AccountNotEmpty(LedgerRefusal):
    """Something stands in an account, or is held there, that should be closed."""

    code = "account_not_empty"
    token = "ledger.account_not_empty"

    @classmethod
    def message(cls, details: dict[str, Any]) -> str:
        balance = Money(int(details["balance"]), details["currency"])
        return _("Account %(account)s is not empty: %(balance)s. It cannot be closed.") % {
            "account": details["account"],
            "balance": balance,
        }


class MerchantNotClosed(LedgerRefusal):
    """The accounts of a merchant that is not CLOSED stay open. A bug."""

    code = "merchant_not_closed"
    http_status = 500
    token = "ledger.merchant_not_closed"


class MerchantClosed(LedgerRefusal):
    """The accounts of a CLOSED merchant are opened by what comes late alone. A bug."""

    code = "merchant_closed"
    http_status = 500
    token = "ledger.merchant_closed"


class EntryConflict(LedgerRefusal):
    """The same cause made another entry before (I5)."""

    code = "entry_conflict"
    token = "ledger.entry_conflict"

    @classmethod
    def message(cls, details: dict[str, Any]) -> str:
        return _("%(source_kind)s %(source_id)s was booked before with other content.") % details


class AbilityRefused(LedgerRefusal):
    """That account kind has no such operation on that side: the cell is not in the table (X6)."""

    code = "ability_refused"
    constraints = ("posting_ability_fk", "hold_ability_fk")

    @classmethod
    def message(cls, details: dict[str, Any]) -> str:
        return _("This kind of account may not do that: %(detail)s") % {
            "detail": details.get("detail", "")
        }


_REFUSALS: tuple[type[LedgerRefusal], ...] = (
    UnbalancedEntry,
    AmountNotPositive,
    MomentOutOfRange,
    CauseMissing,
    NotAMirror,
    AlreadyReversed,
    LinesDoNotSum,
    FactBookedBefore,
    HoldResolved,
    HoldConflict,
    AccountNotInBook,
    AccountRefused,
    InsufficientAvailableBalance,
    EntryConflict,
    AbilityRefused,
    AccountNotEmpty,
    MerchantNotClosed,
    MerchantClosed,
)

_NUMBER_TOO_LARGE = "22003"


def refusal_from(error: BaseException | None) -> LedgerRefusal | None:
    """Return the refusal behind a database error, or None when it is something else."""
    if not isinstance(error, psycopg.Error):
        return None
    message, constraint = error.diag.message_primary or "", error.diag.constraint_name or ""
    for refusal in _REFUSALS:
        if refusal.token and message.startswith(refusal.token):
            return refusal.from_details(json.loads(error.diag.message_detail or "{}"))
        # a spread database adds the shard's number to a constraint's name
        if constraint.startswith(refusal.constraints):
            return refusal.from_details({"detail": error.diag.message_detail or ""})
    if error.sqlstate == _NUMBER_TOO_LARGE:
        return AmountOutOfRange.from_details({})
    return None


@contextmanager
def named() -> Iterator[None]:
    """Turn what the database refuses inside the block into the error that names it."""
    try:
        yield
    except DatabaseError as error:
        refusal = refusal_from(error.__cause__)
        if refusal is None:
            raise
        raise refusal from error

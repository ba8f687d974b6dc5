"""Merchants with money and a bank account, their withdrawals, and attempts in every state."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from channels.adapters.base import Evidence, Kind
from foundation import registries, sql
from foundation.models import User
from foundation.money import Money
from ledger.models import Posting
from ledger.services import account as accounts
from ledger.services import journal
from merchants.models import ApiKey, BankAccount, Merchant
from merchants.services import api_key as api_keys
from merchants.services import membership as memberships
from merchants.services import payment_password as payment_passwords
from merchants.services import verification
from settlement.models import PayoutAttempt, PayoutEvidence, Withdrawal
from settlement.services import payout as payouts
from settlement.services import payout_fee
from settlement.services import withdrawal as withdrawals
from settlement.services.payout_result import apply_result
from settlement.services.payout_verdict import Verdict
from settlement.services.withdrawal import TokenAuthority
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MerchantFactory

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
COOLED = NOON + timedelta(seconds=31)  # after the simulator's cooling time
_numbers = itertools.count(1)
Status = PayoutAttempt.Status
Source = PayoutEvidence.Source

# How an attempt comes from SENDING to each state: the news, and when.
WAYS: dict[str, list[tuple[Any, Any, datetime]]] = {
    "SENDING": [],
    "PROCESSING": [(Source.ANSWER, Kind.PROCESSING, NOON)],
    "UNKNOWN": [(Source.ANSWER, Kind.UNKNOWN, NOON)],
    "SUCCEEDED": [(Source.ANSWER, Kind.SUCCESS, NOON)],
    "FAILED": [(Source.ANSWER, Kind.FAILED_CODE, NOON), (Source.QUERY, Kind.FAILED_CODE, COOLED)],
    "RETURNED": [(Source.ANSWER, Kind.SUCCESS, NOON), (Source.CALLBACK, Kind.RETURNED, NOON)],
}
WAYS["DISPUTED"] = [*WAYS["FAILED"], (Source.CALLBACK, Kind.SUCCESS, COOLED)]


def address(url: str = "http://127.0.0.1:9") -> None:
    """Say where the simulated channel is; by default where nobody listens."""
    settings.CHANNEL_SIMULATOR = settings.CHANNEL_SIMULATOR | {
        "base_url": url,
        "connect_timeout": 0.5,
        "write_timeout": 0.5,
        "read_timeout": 0.3,
    }


def fund(merchant: Merchant, minor: int, currency: str = "CNY") -> None:
    """Make money available to a merchant."""
    slices = {
        kind: accounts.open_slice(merchant_id=merchant.id, kind=kind, currency=currency)
        for kind in ("channel_receivable", "merchant_available")
    }
    journal.post(
        merchant_id=merchant.id,
        source_kind="test",
        source_id=f"fund:{next(_numbers)}",
        postings=[
            journal.debit(slices["channel_receivable"], "clear", minor),
            journal.credit(slices["merchant_available"], "settle", minor),
        ],
    )


def payee(minor: int = 100_00, **fields: Any) -> BankAccount:
    """Return an approved bank account of a new merchant with money."""
    account: BankAccount = BankAccountFactory(merchant=MerchantFactory(), **fields)
    if minor:
        fund(account.merchant, minor, account.currency)
    return account


def key(merchant: Merchant) -> ApiKey:
    """Return a key that may withdraw."""
    return api_keys.create(
        merchant=merchant, name="withdrawals", scopes=["withdrawals:write"], at=NOON
    ).key


PIN = "729416"


def owner(merchant: Merchant) -> User:
    """Return a person who may withdraw for this merchant, with the payment password PIN."""
    user: User = UserFactory()
    memberships.grant(merchant_id=merchant.id, user=user, role="OWNER", at=NOON)
    payment_passwords.set_password(
        merchant_id=merchant.id, user=user, payment_password=PIN, at=NOON
    )
    return user


def token(account: BankAccount, user: User, minor: int = 50_00) -> TokenAuthority:
    """Return the authority of a person who gave his payment password for exactly this."""
    given = verification.issue(
        merchant_id=account.merchant_id,
        user=user,
        operation=withdrawals.OPERATION,
        amount=Money(minor, account.currency),
        payee=withdrawals.payee_name(account),
        payment_password=PIN,
        at=NOON,
    )
    return TokenAuthority(user, given)


def fee(minor: int = 1_00, **terms: Any) -> None:
    """Let every withdrawal in CNY cost something."""
    payout_fee.set_rule(
        merchant_id=None,
        currency="CNY",
        effective_from=datetime(2016, 1, 1, tzinfo=UTC).date(),
        fixed_minor=minor,
        **terms,
    )


def request(account: BankAccount, minor: int = 50_00, **changes: Any) -> Withdrawal:
    """Ask for a withdrawal by an API key."""
    asked: dict[str, Any] = {
        "merchant_id": account.merchant_id,
        "amount": Money(minor, account.currency),
        "bank_account_id": account.id,
        "order_no": f"order-{next(_numbers)}",
        "authority": withdrawals.SignedRequest(key(account.merchant)),
        "at": NOON,
    }
    return withdrawals.request(**asked | changes)


def attempt(status: str = "SENDING", account: BankAccount | None = None) -> PayoutAttempt:
    """Return an attempt of 50.00 with fee 1.00 in a status, brought there by news."""
    withdrawal = request(account or payee())
    prepared = payouts._prepare(withdrawal.merchant_id, withdrawal.id, NOON)
    assert prepared is not None
    if status != "READY":
        payouts._claim(prepared, NOON)
        for source, kind, at in WAYS[status]:
            news(prepared, kind, source=source, at=at)
    return fresh(prepared)


def evidence(made: PayoutAttempt, kind: Kind, **changes: Any) -> Evidence:
    """Return news about an attempt that name everything rightly."""
    said = Evidence(
        kind=kind,
        order_no=made.number,
        received_at=NOON,
        raw=f"{kind}".encode(),
        code=f"{kind}",
        amount=made.amount,
        payee_hash=made.payee_hash,
        verified=True,
    )
    return replace(said, **changes)


def news(
    made: PayoutAttempt,
    kind: Kind,
    *,
    source: PayoutEvidence.Source = Source.CALLBACK,
    at: datetime = NOON,
    fence: int | None = None,
    **changes: Any,
) -> Verdict:
    """Let the funnel hear something; answers come from whoever holds the lease."""
    if fence is None and source in (Source.ANSWER, Source.QUERY):
        fence = fresh(made).fence
    return apply_result(
        merchant_id=made.merchant_id,
        attempt_id=made.id,
        source=source,
        evidence=evidence(made, kind, **changes),
        at=at,
        fence=fence,
    )


def fresh(made: PayoutAttempt) -> PayoutAttempt:
    """Return the attempt as it is now."""
    return PayoutAttempt.objects.select_related("withdrawal", "channel").get(id=made.id)


def postings(merchant_id: int, source_kind: str) -> list[tuple[str, str, str, int]]:
    """Return (side, account kind, operation, amount) of the entries of one kind of cause."""
    found = Posting.objects.filter(merchant_id=merchant_id, entry__source_kind=source_kind)
    rows = found.values_list("side", "account_kind", "operation", "amount_minor")
    return sorted(rows, key=lambda row: (row[0] != "DR", row))


def balances(merchant_id: int) -> dict[str, tuple[int, int]]:
    """Return (balance, held) by account kind, where something is."""
    rows = sql.rows(
        "SELECT kind, sum(balance)::bigint AS balance, sum(held)::bigint AS held"
        " FROM ledger_account WHERE merchant_id = %s GROUP BY kind",
        [merchant_id],
    )
    return {
        row["kind"]: (row["balance"], row["held"]) for row in rows if row["balance"] or row["held"]
    }


def broken() -> list[str]:
    """Return what `verify` would complain of."""
    return [str(finding) for check in registries.invariant_checks for finding in check()]

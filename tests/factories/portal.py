"""A shop with a history, for the pages of the portal: imported, cleared, settled in part."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management import call_command

from foundation import clock
from foundation.models import User
from merchants.models import BankAccount, Membership, Merchant
from merchants.services import payment_password as payment_passwords
from settlement.services import payout_fee
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MembershipFactory, MerchantFactory

PASSWORD = "a long sign-in password"
PAYMENT_PASSWORD = "284617"


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant, its owner who may withdraw, and where its money goes."""

    merchant: Merchant
    owner: User
    account: BankAccount


def member(merchant: Merchant, role: str = Membership.Role.OWNER, **fields: Any) -> User:
    """Return a person of a merchant's who can sign in with PASSWORD."""
    user = UserFactory(**fields)
    user.set_password(PASSWORD)
    user.save()
    MembershipFactory(merchant=merchant, user=user, role=role)
    return user


def shop(at: datetime, **fields: Any) -> Shop:
    """Return a merchant without movements, its owner with a payment password, a bank account."""
    merchant = MerchantFactory(**{"name": "杭州湖畔茶业有限公司", **fields})
    owner = member(merchant)
    payment_passwords.set_password(
        merchant_id=merchant.id, user=owner, payment_password=PAYMENT_PASSWORD, at=at
    )
    account = BankAccountFactory(merchant=merchant, bank_name="招商银行", number="6225880212345678")
    return Shop(merchant, owner, account)


def trade(
    made: Shop,
    folder: Path,
    at: datetime,
    *,
    days: int = 12,
    per_day: int = 6,
    settled: Sequence[int] = (6, 3),
) -> None:
    """
    Import days of payments and refunds up to `at`, and settle on some days before `at`.

    Fees are 0.60 percent, a withdrawal costs 1.00. Commits: for tests with a database of their own.
    """
    chance = random.Random(7)
    payments, refunds = [], []
    for day in range(days, -1, -1):
        for number in range(per_day):
            captured = at - timedelta(days=day, minutes=17 * number + 5)
            key = f"{captured:%m%d}{number:04d}"
            payments.append(
                [f"P{key}", f"T{key}", made.merchant.merchant_no, "qr", "wechat",
                 f"{chance.randint(1800, 98000) / 100:.2f}", "CNY", captured.isoformat(), "", ""]
            )  # fmt: skip
        if day % 4 == 1:
            back = at - timedelta(days=day - 1, hours=3)
            refunds.append([f"R{key}", f"P{key}", "8.80", "CNY", back.isoformat()])
    _load(folder, "fees", _FEES, [["*", "*", "*", "0.6", "0", "", "", "", "kept", "2016-01-01"]])
    _load(folder, "payments", _PAYMENTS, payments)
    _load(folder, "refunds", _REFUNDS, refunds)
    payout_fee.set_rule(
        merchant_id=None,
        currency="CNY",
        effective_from=clock.business_date(at - timedelta(days=365)),
        fixed_minor=1_00,
    )
    for before in settled:
        day = clock.business_date(at - timedelta(days=before))
        call_command("settle", "--date", day.isoformat(), "--inline", verbosity=0)


_FEES = [
    *("merchant_no", "product", "channel", "rate_percent", "fixed", "minimum", "cap"),
    *("currency", "fee_on_refund", "effective_from"),
]
_PAYMENTS = [
    *("payment_no", "order_no", "merchant_no", "product", "channel", "amount", "currency"),
    *("captured_at", "payer_ref", "code_kind"),
]
_REFUNDS = ["refund_no", "payment_no", "amount", "currency", "refunded_at"]


def _load(folder: Path, kind: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    path = folder / f"{kind}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
    call_command(f"import_{kind}", str(path), verbosity=0)

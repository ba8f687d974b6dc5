"""The demo's steps: history settled here, the last business day through real workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
from django.conf import settings

from channels.services import clearing, fee_import, payment_import, refund_import
from foundation import clock
from foundation.csv_intake import Progress, Source
from foundation.models import BusinessDay, User
from foundation.money import Money
from merchants.models import BankAccount, Merchant
from merchants.services import merchant_import, verification
from settlement.demo import data, people
from settlement.models import PayoutAttempt, PayoutChannel, Withdrawal
from settlement.services import payout_channel, payout_fee, payout_float, payout_statement
from settlement.services import run as runs
from settlement.services import withdrawal as withdrawals

Bar = Callable[[str], Progress]
_CHANNEL: Final = "simulator"
_FLOAT: Final = Money(50_000_000_00, people.CURRENCY)
_FEE: Final = Money(1_00, people.CURRENCY)
# What goes on by itself; others have ended, or wait for people who tried the demo before.
_ON_THEIR_WAY: Final = (
    Withdrawal.Status.CREATED,
    Withdrawal.Status.HELD,
    Withdrawal.Status.PAYING,
)
# What the simulated channel does to the orders of the first merchants, one each: refusals, answers
# that are lost after or before it paid, garbage, and an order that is in process for long. By
# merchant and not by arrival, so that each run refuses the same money.
_TROUBLE: Final[tuple[dict[str, object], ...]] = (
    {"refuse": "ACCOUNT_CLOSED"},
    {"answer": "timeout"},
    {"answer": "timeout"},
    {"answer": "reset"},
    {"answer": "garbage"},
    {"refuse": "NAME_MISMATCH"},
    {"pay_after": 4.0},
)


class NotFinished(Exception):
    """Withdrawals were still on their way when the demo's patience ended."""


def days() -> list[date]:
    """Return the demo's business days."""
    last = data.FIRST_DAY + timedelta(days=90)
    found = BusinessDay.objects.filter(
        date__gte=data.FIRST_DAY, date__lte=last, is_business_day=True
    )
    return data.business_days(found.values_list("date", flat=True))


def take_in(folder: Path, suffix: str, bar: Bar) -> None:
    """Import payments and refunds of one part of the data and clear them."""
    at = clock.now()
    payment_import.run(
        source=Source.from_path(folder / f"payments_{suffix}.csv"), at=at, progress=bar("payments")
    )
    refund_import.run(
        source=Source.from_path(folder / f"refunds_{suffix}.csv"), at=at, progress=bar("refunds")
    )
    clearing.clear_all(at=clock.now(), progress=bar("clearing"))


def found_institution(folder: Path, bar: Bar) -> list[Merchant]:
    """Import merchants and prices, fund the payout channel; return the merchants."""
    at = clock.now()
    source = Source.from_path(folder / "merchants.csv")
    merchant_import.run(source=source, at=at, progress=bar("merchants"))
    fee_import.run(source=Source.from_path(folder / "fees.csv"), at=at, progress=bar("fees"))
    channel = payout_channel.find(_CHANNEL)
    PayoutChannel.objects.filter(id=channel.id).update(cooling_seconds=3)
    payout_float.fund(channel=channel, amount=_FLOAT, reference="demo", at=at)
    payout_fee.ensure_rule(
        currency=people.CURRENCY, effective_from=data.FIRST_DAY, fixed_minor=_FEE.minor
    )
    return list(
        Merchant.objects.filter(
            merchant_no__in=[shop.merchant_no for shop in data.shops()]
        ).order_by("merchant_no")
    )


def settle_history(history: list[date], bar: Bar) -> None:
    """Settle each of the earlier days in this process."""
    notify = bar("settling earlier days")
    for place, day in enumerate(history, 1):
        started = runs.start(run_date=day)
        if started is not None:
            at = clock.now()
            runs.work_inline(run=started.run, at=at, notify=lambda done, total: None, threads=2)
        notify(place, len(history))


def settle_by_workers(day: date, bar: Bar) -> None:
    """Settle the last day through real Celery workers. Raises WorkersSilent."""
    started = runs.start(run_date=day)
    if started is not None:
        at = clock.now()
        runs.work_by_workers(run=started.run, patience_seconds=60, at=at, notify=bar("settling"))


def trouble_ahead(merchants: Sequence[Merchant]) -> None:
    """Tell the simulated channel how to misbehave today."""
    rules = [
        rule | {"order_no": f"W????{merchant.id:07d}-*"}
        for merchant, rule in zip(merchants, _TROUBLE, strict=False)
    ]
    url = str(settings.CHANNEL_SIMULATOR["base_url"])
    httpx.post(f"{url}/control/rules", json=rules, timeout=10).raise_for_status()


def withdraw(owner: User, pin: str, account: BankAccount, at: datetime) -> None:
    """The owner withdraws a little of the balance, with the payment password; once a data set."""
    amount = Money(88_00, people.CURRENCY)
    if Withdrawal.objects.filter(merchant_id=account.merchant_id, order_no="DEMO-1").exists():
        return
    token = verification.issue(
        merchant_id=account.merchant_id,
        user=owner,
        operation=withdrawals.OPERATION,
        amount=amount,
        payee=withdrawals.payee_name(account),
        payment_password=pin,
        at=at,
    )
    withdrawals.request(
        merchant_id=account.merchant_id,
        amount=amount,
        bank_account_id=account.id,
        order_no="DEMO-1",
        authority=withdrawals.TokenAuthority(owner, token),
        at=at,
    )


def wait_for_payouts(bar: Bar, patience_seconds: float = 180) -> None:
    """
    Wait until no withdrawal of an active merchant is on its way any more. Raises NotFinished.

    One that waits for people (under review, disputed, its merchant frozen) may be left there by who
    tried the demo before: it goes on without us.
    """
    notify, deadline = bar("paying out"), time.monotonic() + patience_seconds
    while True:
        total = Withdrawal.objects.count()
        done = total - _on_their_way()
        notify(done, total)
        if done == total:
            return
        if time.monotonic() > deadline:
            raise NotFinished(f"{total - done} of {total} withdrawals are still on their way.")
        time.sleep(0.5)


def _on_their_way() -> int:
    return Withdrawal.objects.filter(
        status__in=_ON_THEIR_WAY, merchant__status=Merchant.Status.ACTIVE
    ).count()


def bank_lines(at: datetime) -> int:
    """Take in the channel's day files and return how many bank lines are booked."""
    first = PayoutAttempt.objects.order_by("created_at").first()
    day = clock.business_date(first.created_at if first else at)
    booked = 0
    while day <= clock.business_date(at):
        booked += payout_statement.fetch(channel_code=_CHANNEL, day=day, at=at).booked
        day += timedelta(days=1)
    return booked

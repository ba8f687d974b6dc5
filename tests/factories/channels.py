"""Fee versions, payments and refunds brought in as a file brings them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

from django.db import transaction

from channels.models import Payment, Pricing
from channels.services import clearing, fee_import, payment_import, refund_import
from foundation import registries
from foundation.csv_intake import Source
from foundation.csv_intake.command import Outcome
from ledger.models import Account

AT = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
NOON = "2026-03-02T12:00:00+08:00"
_files = count(1)


@contextmanager
def undone() -> Iterator[None]:
    """Undo what happens inside: each import's tables keep their locks until then."""
    before = transaction.savepoint()  # no atomic block: imports insist on being the outermost
    try:
        yield
    finally:
        transaction.savepoint_rollback(before)


def source(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Source:
    """Return a CSV file of these rows."""
    text = "".join(",".join(row) + "\n" for row in [columns, *rows])
    content = text.encode()
    return Source.from_upload(f"{next(_files)}.csv", len(content), io.BytesIO(content))


def fees(*rows: str) -> Outcome:
    """Bring in fee versions, each a line of a fees file."""
    lines = [row.split(",") for row in rows]
    return fee_import.run(source=source(fee_import.COLUMNS, lines), at=AT)


def payment_row(
    number: str,
    merchant_no: str,
    amount: str,
    *,
    currency: str = "CNY",
    product: str = "card",
    channel: str = "unionpay",
    captured_at: str = NOON,
) -> list[str]:
    """Return a line of a payments file."""
    order = f"O-{number}"
    return [
        number, order, merchant_no, product, channel, amount, currency, captured_at, "", ""
    ]  # fmt: skip


def payments(*rows: Sequence[str]) -> Outcome:
    """Bring in payments."""
    return payment_import.run(source=source(payment_import.COLUMNS, rows), at=AT)


def refunds(*rows: tuple[str, str, str], at: str = "2026-03-03T12:00:00+08:00") -> Outcome:
    """Bring in refunds in CNY: number, payment number, amount."""
    lines = [[number, payment, amount, "CNY", at] for number, payment, amount in rows]
    return refund_import.run(source=source(refund_import.COLUMNS, lines), at=AT)


def clear() -> clearing.Cleared:
    """Clear all that is left."""
    return clearing.clear_all(at=AT)


def fee_of(number: str) -> int:
    """Return what a cleared payment cost, in minor units."""
    payment = Payment.objects.get(payment_no=number)
    return Pricing.objects.get(merchant_id=payment.merchant_id, payment_id=payment.id).fee_minor


def balances(merchant_id: int) -> dict[str, int]:
    """Return the balances of a merchant's book that are not zero, by kind."""
    found = Account.objects.filter(merchant_id=merchant_id).exclude(balance_minor=0)
    return dict(found.values_list("kind_id", "balance_minor"))


def assert_proved() -> None:
    """Every invariant check of the house finds nothing."""
    for name, check in registries.invariant_checks.items():
        assert list(check()) == [], name

"""What the tests of settlement runs share."""

from __future__ import annotations

from datetime import date

from foundation import registries
from ledger.models import Posting
from settlement.models import Run
from settlement.services import run as runs
from tests.factories import settlement as make


def settle(run_date: date, **options: int) -> Run | None:
    started = runs.start(run_date=run_date, **options)
    if started is None:
        return None
    runs.work_inline(run=started.run, at=make.NOON, notify=lambda done, total: None)
    return started.run


def assert_proved(*, but: tuple[str, ...] = ()) -> None:
    checks = dict(registries.invariant_checks.items())
    found = [finding for name in checks.keys() - set(but) for finding in checks[name]()]
    assert found == []


def postings(merchant_id: int) -> list[tuple[str, str, str, int]]:
    return list(
        Posting.objects.filter(merchant_id=merchant_id, entry__source_kind="settlement")
        .order_by("account_kind", "side")
        .values_list("account_kind", "operation", "side", "amount_minor")
    )


def book_something_else(merchant: int, source_kind: str, source_id: str) -> None:
    """Book another entry under the cause of a settlement entry."""
    debit = make.account(merchant, "channel_receivable", channel="wx")
    credit = make.account(merchant, "fee_income")
    make.journal.post(
        merchant_id=merchant,
        source_kind=source_kind,
        source_id=source_id,
        postings=[make.journal.debit(debit, "clear", 1), make.journal.credit(credit, "earn", 1)],
    )

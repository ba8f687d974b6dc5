"""Which page of settlement shows what a journal entry or a hold was made for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from django.urls import reverse

from foundation.registries import TrailProvider, TrailStep
from settlement.models import Item, PayoutAttempt, PayoutStatement, Withdrawal

FACT_PAGES: Final[Mapping[str, str]] = {
    "payment": "settlement_payment_trail",
    "payout": "settlement_payoutattempt_change",
    "payout_return": "settlement_payoutattempt_change",
}


def _item(*, merchant_id: int, source_id: str) -> TrailStep | None:
    """`<run date>:<cycle>:<currency>`"""
    run_date, cycle, currency = source_id.split(":")
    found = Item.objects.filter(
        merchant_id=merchant_id,
        run_date=date.fromisoformat(run_date),
        cycle=int(cycle),
        currency=currency,
    ).first()
    if found is None:
        return None
    return TrailStep(found.number, reverse("admin:settlement_item_change", args=[found.pk]))


def _withdrawal(*, merchant_id: int, source_id: str) -> TrailStep | None:
    """The withdrawal's number."""
    found = Withdrawal.objects.filter(merchant_id=merchant_id, number=source_id).first()
    if found is None:
        return None
    address = reverse("admin:settlement_withdrawal_change", args=[found.pk])
    return TrailStep(found.number, address)


def _attempt(*, merchant_id: int, source_id: str) -> TrailStep | None:
    """`<attempt>` or `<attempt>:<step>`"""
    number = source_id.partition(":")[0]
    found = PayoutAttempt.objects.filter(merchant_id=merchant_id, number=number).first()
    if found is None:
        return None
    address = reverse("admin:settlement_payoutattempt_change", args=[found.pk])
    return TrailStep(found.number, address)


def _day_file(*, merchant_id: int, source_id: str) -> TrailStep | None:
    """`<channel>:<day file>:<kind>:<range>:<currency>`"""
    found = PayoutStatement.objects.filter(pk=int(source_id.split(":")[1])).first()
    if found is None:
        return None
    address = reverse("admin:settlement_payoutstatement_change", args=[found.pk])
    return TrailStep(str(found), address)


PROVIDERS: Final[Mapping[str, TrailProvider]] = {
    "settlement": _item,
    "withdrawal": _withdrawal,
    "payout_paid": _attempt,
    "payout_returned": _attempt,
    "payout_late": _attempt,
    "payout_resolved": _attempt,
    "payout_statement": _day_file,
}

"""What a withdrawal costs, and how much can be paid out of a sum that must also bear the fee."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q

from foundation import actor
from foundation.money import Money
from foundation.services import audit
from ledger.selectors import balance as balances
from merchants.models import Merchant
from merchants.services import house
from settlement.models import PayoutFeeRule


@dataclass(frozen=True, slots=True)
class Price:
    """The fee and the rule it comes from; without a rule there is no fee."""

    fee: Money
    rule: PayoutFeeRule | None


def price(*, merchant_id: int, amount: Money, on: date) -> Price:
    """
    Return the fee of a withdrawal on a business date, on top of the amount.

    Rule: WD-6 (docs/rules/withdrawals.md): the merchant's own rule, then the latest date; none for
    what is left at the end.
    """
    rule = _charged(merchant_id, amount.currency, on)
    return Price(fee_by(rule, amount), rule)


def _charged(merchant_id: int, currency: str, on: date) -> PayoutFeeRule | None:
    """Return the rule in force, none where all that a closing merchant has is less than its fee."""
    rule = rule_for(merchant_id=merchant_id, currency=currency, on=on)
    if rule is None or not Merchant.objects.filter(id=merchant_id, status="CLOSING").exists():
        return rule
    free = balances.free(merchant_id=merchant_id, kind="merchant_available", currency=currency)
    return rule if _largest(rule, free).minor else None


def rule_for(*, merchant_id: int, currency: str, on: date) -> PayoutFeeRule | None:
    """Return the rule in force, None when there is none."""
    return (
        PayoutFeeRule.objects.filter(
            Q(merchant_id=merchant_id) | Q(merchant_id=None),
            currency=currency,
            effective_from__lte=on,
        )
        .order_by(F("merchant_id").asc(nulls_last=True), "-effective_from", "-version")
        .first()
    )


def fee_by(rule: PayoutFeeRule | None, amount: Money) -> Money:
    """Return the fee by one rule: max(minimum, min(cap, half-up(rate x amount) + fixed))."""
    if rule is None:
        return Money(0, amount.currency)
    fee = amount.share(Decimal(rule.rate_percent)).minor + rule.fixed_minor
    if rule.cap_minor is not None:
        fee = min(rule.cap_minor, fee)
    return Money(max(rule.minimum_minor, fee), amount.currency)


def largest_payable(*, merchant_id: int, total: Money, on: date) -> Money:
    """Return the largest amount that together with its fee fits into `total`; zero if none does."""
    return _largest(_charged(merchant_id, total.currency, on), total)


def _largest(rule: PayoutFeeRule | None, total: Money) -> Money:
    low, high = 0, max(total.minor, 0)
    while low < high:  # amount + fee grows with the amount
        middle = (low + high + 1) // 2
        amount = Money(middle, total.currency)
        if amount + fee_by(rule, amount) <= total:
            low = middle
        else:
            high = middle - 1
    return Money(low, total.currency)


def ensure_rule(*, currency: str, effective_from: date, **terms: Any) -> PayoutFeeRule:
    """Return the newest rule of all merchants of that date, set anew only if its terms differ."""
    newest = (
        PayoutFeeRule.objects.filter(
            merchant=None, currency=currency, effective_from=effective_from
        )
        .order_by("-version")
        .first()
    )
    if newest is not None and all(getattr(newest, name) == terms[name] for name in terms):
        return newest
    return set_rule(merchant_id=None, currency=currency, effective_from=effective_from, **terms)


def set_rule(
    *, merchant_id: int | None, currency: str, effective_from: date, **terms: Any
) -> PayoutFeeRule:
    """
    Add a version of a fee (an operator's act, audited); earlier withdrawals keep theirs.

    `terms`: rate_percent, fixed_minor, minimum_minor, cap_minor, fee_on_return.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        same = PayoutFeeRule.objects.filter(currency=currency, effective_from=effective_from)
        if merchant_id is None:
            same = same.filter(merchant=None)
        else:
            same = same.filter(merchant_id=merchant_id)
        newest = same.aggregate(newest=Max("version"))["newest"] or 0
        rule = PayoutFeeRule.objects.create(
            merchant_id=merchant_id,
            currency=currency,
            effective_from=effective_from,
            version=newest + 1,
            actor=actor.current().name,
            **terms,
        )
        audit.record(
            merchant_id=merchant_id or house.house().id,
            action="payout_fee.set",
            object_kind="payout_fee_rule",
            object_id=str(rule.id),
            after={"currency": currency, "from": effective_from, **terms},
        )
    return rule

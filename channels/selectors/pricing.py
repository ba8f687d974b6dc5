"""How a payment's fee came about, told step by step: the twin of `channels/sql/clear_price.sql`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from channels.models import FeeRule, Payment, Pricing
from foundation import clock
from foundation.money import Money, exponent, round_half_up


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way to a fee: what is done, and what the fee is after it."""

    words: str
    fee: Money


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    Why a payment cost what it cost, in the reader's language.

    `fee` is what the steps come to, `charged` what was booked; `verify` asks that they agree (C2).
    """

    version: str
    steps: tuple[Step, ...]
    charged: Money

    @property
    def fee(self) -> Money:
        """What the last step came to."""
        return self.steps[-1].fee

    @property
    def lines(self) -> list[str]:
        """The version, then each step with its result."""
        return [self.version, *(f"{step.words}: {step.fee}" for step in self.steps)]


def explain(pricing: Pricing) -> Explanation:
    """
    Return how the fee of a priced payment follows from the version that is kept beside it (X5).

    Rule: FEE-2, FEE-3 (docs/rules/fees.md).
    """
    payment, rule = pricing.payment, pricing.fee_rule
    amount = Money(payment.amount_minor, payment.currency)
    return Explanation(
        _version(payment, rule),
        tuple(_steps(amount, rule)),
        Money(pricing.fee_minor, payment.currency),
    )


def _steps(amount: Money, rule: FeeRule) -> Iterator[Step]:
    """Percentage, rounding, fixed part, cap, minimum, amount: in this order."""
    fee = amount.share(rule.rate_percent)
    exact = Decimal(amount.major) * rule.rate_percent / 100
    rate = {"amount": amount, "rate": _plain(rule.rate_percent), "exact": _plain(exact)}
    yield Step(_("%(amount)s x %(rate)s %% = %(exact)s, rounded half up") % rate, fee)
    fixed, minimum = _part(rule.fixed, amount), _part(rule.minimum, amount)
    if fixed:
        fee += fixed
        yield Step(_("plus the fixed part %(part)s") % {"part": fixed}, fee)
    if rule.cap is not None:
        cap = _part(rule.cap, amount)
        fee = min(fee, cap)
        yield Step(_("at most %(part)s") % {"part": cap}, fee)
    if minimum:
        fee = max(fee, minimum)
        yield Step(_("at least %(part)s") % {"part": minimum}, fee)
    if amount < fee:
        yield Step(_("never above the amount"), amount)


def _part(major: Decimal, amount: Money) -> Money:
    """Return a part of a version, kept in major units, in the currency of the payment."""
    return Money(round_half_up(major.scaleb(exponent(amount.currency))), amount.currency)


def _version(payment: Payment, rule: FeeRule) -> str:
    anything = _("any")
    words = {
        "number": rule.pk,
        "merchant": rule.merchant.merchant_no if rule.merchant else anything,
        "channel": rule.channel.code if rule.channel else anything,
        "product": rule.product.code if rule.product else anything,
        "currency": rule.currency or anything,
        "since": rule.effective_from.isoformat(),
        "day": _day(payment).isoformat(),
        "refund": rule.get_fee_on_refund_display(),
    }
    return (
        _(
            "Version %(number)s (merchant %(merchant)s, channel %(channel)s, product %(product)s,"
            " currency %(currency)s), in force from %(since)s; the payment is of %(day)s;"
            " fee on refund: %(refund)s"
        )
        % words
    )


def _day(payment: Payment) -> date:
    """The day by which the version was chosen: from 00:00 of the institution's zone."""
    return payment.captured_at.astimezone(clock.zone()).date()


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"

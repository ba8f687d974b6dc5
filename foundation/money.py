"""
Exact amounts: integers of the minor unit beside a currency, one rounding function, one table of
exponents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from django.utils.translation import gettext as _

from config.errors import Malformed

MAX_MINOR: Final = 10**15  # the largest amount that is taken in or stored, in minor units
MAX_WHOLE_DIGITS: Final = 14  # before the decimal point: the limit of currencies without decimals

# ISO 4217 exponents that are not 2. A currency that is in neither set is unknown and refused.
_EXPONENTS: Final = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),  # noqa: SIM905
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),  # noqa: SIM905
    **dict.fromkeys("CLF UYW".split(), 4),  # noqa: SIM905
}
_TWO: Final = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
    PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
    TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905
)
CURRENCIES: Final[dict[str, int]] = {**dict.fromkeys(sorted(_TWO), 2), **_EXPONENTS}
_TEXT: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


class CurrencyMismatch(Exception):
    """Two currencies met in one sum: a bug, never a refusal."""


class AmountMalformed(Malformed):
    """The text is not an amount of that currency."""

    code = "amount_malformed"


class CurrencyUnknown(Malformed):
    """The code is not a currency we know."""

    code = "currency_unknown"


def exponent(currency: str) -> int:
    """Return how many decimals a currency has (CNY 2, JPY 0, KWD 3). Raises CurrencyUnknown."""
    try:
        return CURRENCIES[currency]
    except KeyError:
        message = _("%(currency)s is not a known currency.") % {"currency": repr(currency)}
        raise CurrencyUnknown(message) from None


def most_minor(currency: str) -> int:
    """
    Return the largest amount that any door takes in, in minor units: what a file can say too.

    10^15, and 99,999,999,999,999 where there are no decimals (JPY). Raises CurrencyUnknown.
    """
    return min(MAX_MINOR, int("9" * (MAX_WHOLE_DIGITS + exponent(currency))))


def round_half_up(exact: Decimal) -> int:
    """
    Return the nearest integer; half a unit rounds away from zero. The only rounding in the product
    (FEE-3).
    """
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """
    Split `total` in proportion to `weights` so that the parts sum to it, by largest remainder
    (first one wins a tie).

    Raises ValueError when the weights sum to nothing or one is negative.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all zero")
    parts = [total * weight // whole for weight in weights]
    order = sorted(
        range(len(weights)), key=lambda index: (-(total * weights[index] % whole), index)
    )
    for index in order[: total - sum(parts)]:
        parts[index] += 1
    return parts


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount in ISO 4217 minor units: `Money(1250, "EUR")` is 12.50 EUR."""

    minor: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """
        Read an amount in major units: ASCII digits, at most the currency's decimals, no sign, no
        exponent.

        Raises AmountMalformed, CurrencyUnknown. Rule: money-safety "Numbers and dates".
        """
        decimals = exponent(currency)
        if not _TEXT.fullmatch(text):
            raise AmountMalformed(_("%(text)s is not an amount.") % {"text": repr(text)})
        whole, _dot, part = text.partition(".")
        if len(part) > decimals:
            raise AmountMalformed(
                _("%(text)s has more decimals than %(currency)s allows (%(decimals)s).")
                % {"text": repr(text), "currency": currency, "decimals": decimals}
            )
        if len(whole) > MAX_WHOLE_DIGITS or (
            minor := int(whole) * 10**decimals + int((part + "0" * decimals)[:decimals] or "0")
        ) > most_minor(currency):
            shown = text if len(text) <= 40 else text[:39] + "…"
            raise AmountMalformed(
                _("%(text)s is larger than any amount we keep.") % {"text": repr(shown)}
            )
        return cls(minor, currency)

    @property
    def major(self) -> str:
        """The plain decimal text, without grouping or currency: `12.50`, `-0.25`, `100` for JPY."""
        decimals = exponent(self.currency)
        sign, digits = (
            ("-" if self.minor < 0 else ""),
            str(abs(self.minor)).rjust(decimals + 1, "0"),
        )
        return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"

    @property
    def grouped(self) -> str:
        """As people read it in both languages, digits in threes: `-1,234.50 CNY`."""
        sign = "-" if self.minor < 0 else ""
        whole, dot, part = self.major.removeprefix("-").partition(".")
        return f"{sign}{int(whole):,}{dot}{part} {self.currency}"

    def __str__(self) -> str:
        return f"{self.major} {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def share(self, rate_percent: Decimal) -> Money:
        """Return `rate_percent` hundredths of this; half a unit rounds away from zero (FEE-3)."""
        return Money(round_half_up(Decimal(self.minor) * rate_percent / 100), self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be combined.")
        return other.minor

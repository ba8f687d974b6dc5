"""The words for what a movement does, as a merchant reads them on a statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

NAMES: Final[Mapping[str, _StrPromise]] = {
    "clear": _("Payment"),
    "spend": _("Card payment"),
    "advance": _("Advance on a card top-up"),
    "claim": _("Deposit claimed"),
    "owe": _("Became debt"),
    "repay": _("Debt repaid"),
    "write_off": _("Debt written off"),
    "settle": _("Settlement"),
    "refund": _("Refund"),
    "chargeback": _("Chargeback"),
    "reserve": _("Put into reserve"),
    "release": _("Released from reserve"),
    "cover_debt": _("Debt repaid"),
    "fee": _("Fee"),
    "withdraw": _("Withdrawal"),
    "return": _("Withdrawal returned by the bank"),
    "fund_margin": _("Margin"),
    "reverse": _("Correction"),
}


def name_of(operation: str) -> str:
    """Return an operation in the reader's language; one we have no word for by its code."""
    return str(NAMES.get(operation, operation))

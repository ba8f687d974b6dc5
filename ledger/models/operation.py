"""What the operations of the table of abilities are called (ledger/chart.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

# As an accountant says it.
NAMES: Final[Mapping[str, Promise]] = {
    "accrue": pgettext_lazy("operation", "accrue"),
    "advance": pgettext_lazy("operation", "advance"),
    "chargeback": pgettext_lazy("operation", "chargeback"),
    "charge": pgettext_lazy("operation", "charge"),
    "claim": pgettext_lazy("operation", "claim"),
    "clear": pgettext_lazy("operation", "clear"),
    "complete": pgettext_lazy("operation", "complete"),
    "consume": pgettext_lazy("operation", "consume"),
    "contribute": pgettext_lazy("operation", "contribute"),
    "cost": pgettext_lazy("operation", "cost"),
    "cover_debt": pgettext_lazy("operation", "cover debt"),
    "earn": pgettext_lazy("operation", "earn"),
    "expire": pgettext_lazy("operation", "expire"),
    "fee": pgettext_lazy("operation", "fee"),
    "fund": pgettext_lazy("operation", "fund"),
    "fund_margin": pgettext_lazy("operation", "fund margin"),
    "give_back": pgettext_lazy("operation", "give back"),
    "move": pgettext_lazy("operation", "move"),
    "owe": pgettext_lazy("operation", "owe"),
    "park": pgettext_lazy("operation", "park"),
    "pass": pgettext_lazy("operation", "pass"),
    "pay": pgettext_lazy("operation", "pay"),
    "pay_in": pgettext_lazy("operation", "pay in"),
    "receive": pgettext_lazy("operation", "receive"),
    "receive_cash": pgettext_lazy("operation", "receive cash"),
    "redeem": pgettext_lazy("operation", "redeem"),
    "refund": pgettext_lazy("operation", "refund"),
    "release": pgettext_lazy("operation", "release"),
    "repay": pgettext_lazy("operation", "repay"),
    "reserve": pgettext_lazy("operation", "reserve"),
    "resolve": pgettext_lazy("operation", "resolve"),
    "return": pgettext_lazy("operation", "return"),
    "reverse": pgettext_lazy("operation", "reverse"),
    "settle": pgettext_lazy("operation", "settle"),
    "spend": pgettext_lazy("operation", "spend"),
    "submit": pgettext_lazy("operation", "submit"),
    "take": pgettext_lazy("operation", "take"),
    "tax": pgettext_lazy("operation", "tax"),
    "top_up": pgettext_lazy("operation", "top up"),
    "withdraw": pgettext_lazy("operation", "withdraw"),
    "write_off": pgettext_lazy("operation", "write off"),
}

# As a merchant reads it on a statement: what happened to the money.
MERCHANT_NAMES: Final[Mapping[str, Promise]] = {
    "clear": gettext_lazy("Payment"),
    "spend": gettext_lazy("Card payment"),
    "advance": gettext_lazy("Advance on a card top-up"),
    "claim": gettext_lazy("Deposit claimed"),
    "owe": gettext_lazy("Became debt"),
    "repay": gettext_lazy("Debt repaid"),
    "write_off": gettext_lazy("Debt written off"),
    "settle": gettext_lazy("Settlement"),
    "refund": gettext_lazy("Refund"),
    "chargeback": gettext_lazy("Chargeback"),
    "reserve": gettext_lazy("Put into reserve"),
    "release": gettext_lazy("Released from reserve"),
    "cover_debt": gettext_lazy("Debt repaid"),
    "fee": gettext_lazy("Fee"),
    "withdraw": gettext_lazy("Withdrawal"),
    "return": gettext_lazy("Withdrawal returned by the bank"),
    "fund_margin": gettext_lazy("Margin"),
    "reverse": gettext_lazy("Correction"),
}


def name_of(operation: str) -> str:
    """Return an operation as staff know it, in the reader's language; an unknown one as is."""
    return str(NAMES.get(operation, operation))


def merchant_name_of(operation: str) -> str:
    """Return an operation as merchants know it, in the reader's language; an unknown one as is."""
    return str(MERCHANT_NAMES.get(operation, operation))

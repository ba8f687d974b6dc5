"""What the codes of the ledger are called where people read them."""

from __future__ import annotations

from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy

from ledger.models import AccountKind

# The operations of the table of abilities (ledger/chart.py).
OPERATIONS: Final[dict[str, Promise]] = {
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


def name(row: Any) -> str:
    """Return the name of a subject or kind in the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    return str(row.name_zh if chinese else row.name_en)


def operation(code: str) -> str:
    """Return an operation in the reader's language; an unknown one as its code."""
    return str(OPERATIONS.get(code, code))


def kinds() -> dict[str, str]:
    """Return the name of every kind of account in the reader's language: a table of thirty rows."""
    return {kind.kind: name(kind) for kind in AccountKind.objects.all()}

"""
The chart of accounts and the ability table as they ship: subjects, account kinds, allowed cells.

The tables are the law and can be extended by rows; this module only fills them in a migration.
Each cell names its source: the regulation that allows it, or the flow of docs/rules/ledger.md.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from django.utils.translation import get_language

SUBJECTS: Final = {
    "1002": ("银行存款", "Cash at banks"),
    "1012": ("其他货币资金", "Other monetary funds"),
    "1122": ("应收账款", "Accounts receivable"),
    "1123": ("预付账款", "Prepayments made"),
    "1221": ("其他应收款", "Other receivables"),
    "1901": ("待处理财产损溢", "Suspense"),
    "2202": ("应付账款", "Accounts payable"),
    "2203": ("预收账款", "Advances received"),
    "2221": ("应交税费", "Taxes payable"),
    "2241": ("其他应付款", "Other payables"),
    "3001": ("清算资金往来", "Clearing between books"),
    "4001": ("实收资本", "Paid-in capital"),
    "6021": ("手续费及佣金收入", "Fee and commission income"),
    "6421": ("手续费及佣金支出", "Fee and commission cost"),
    "6711": ("营业外支出", "Non-operating losses"),
}


class Kind(NamedTuple):
    """One account kind: subject, normal side, whether it may go below zero, and its cells."""

    kind: str
    subject: str
    normal_side: str
    never_negative: bool
    house_only: bool
    name_zh: str
    name_en: str
    cells: str  # "operation SIDE[/SIDE], ...": one row of `ability` for each side


_PREPAID = "支付机构预付卡业务管理办法 (PBoC 2012-12); 单用途商业预付卡管理办法 (MOFCOM 2012-9)"
_CUSTODY = "非银行支付机构客户备付金存管办法 (PBoC 2021-1)"
_ACQUIRING = "银行卡收单业务管理办法 (PBoC 2013-9)"
_BOOKS = "企业会计准则 应用指南; docs/rules/ledger.md"

KINDS: Final = (
    Kind(
        "channel_receivable",
        "1122",
        "DR",
        False,
        False,
        "应收渠道款",
        "Channel receivable",
        "clear DR, cost CR, receive_cash CR, refund CR/DR, chargeback CR/DR, top_up DR, take DR,"
        " redeem CR, give_back CR",
    ),
    Kind(
        "channel_float",
        "1012",
        "DR",
        False,
        True,
        "渠道预存款",
        "Channel float",
        "fund DR, pay CR, return DR",
    ),
    Kind("bank", "1002", "DR", False, True, "银行账户", "Bank", "receive DR, pay CR, move DR/CR"),
    Kind("capital", "4001", "CR", False, True, "自有资金", "Capital", "contribute CR"),
    Kind("between_books", "3001", "DR", False, False, "账簿往来", "Between books", "pass DR/CR"),
    Kind(
        "payout_in_transit",
        "2241",
        "CR",
        False,
        False,
        "在途付款",
        "Payout in transit",
        "submit CR, complete DR/CR, return DR",
    ),
    Kind(
        "merchant_pending",
        "2241",
        "CR",
        True,
        False,
        "待结算",
        "Pending",
        "clear CR, spend CR, advance CR, claim CR, settle DR/CR, refund DR, chargeback DR/CR,"
        " reserve DR, cover_debt DR, fee DR",
    ),
    Kind(
        "merchant_available",
        "2241",
        "CR",
        True,
        False,
        "可用余额",
        "Available",
        "settle CR, withdraw DR, return CR, release CR, refund DR, chargeback DR/CR, cover_debt DR,"
        " fee DR/CR, fund_margin DR/CR",
    ),
    Kind(
        "merchant_reserve",
        "2241",
        "CR",
        True,
        False,
        "留存",
        "Reserve",
        "reserve CR, release DR, cover_debt DR, chargeback DR/CR",
    ),
    Kind(
        "merchant_debt",
        "1221",
        "DR",
        True,
        False,
        "商户欠款",
        "Merchant debt",
        "owe DR, repay CR, write_off CR",
    ),
    Kind(
        "merchant_margin",
        "2241",
        "CR",
        True,
        False,
        "保证金",
        "Merchant margin",
        "pay_in CR, claim DR, give_back DR",
    ),
    Kind(
        "prepaid_card",
        "2203",
        "CR",
        True,
        False,
        "预付卡",
        "Prepaid card",
        "top_up CR, spend DR, refund CR, redeem DR, expire DR",
    ),
    Kind(
        "customer_deposit",
        "2241",
        "CR",
        True,
        False,
        "押金",
        "Customer deposit",
        "take CR, claim DR, give_back DR",
    ),
    Kind(
        "issuer_prefunded",
        "1123",
        "DR",
        True,
        False,
        "发卡方垫款",
        "Prefunded to issuer",
        "advance DR, consume CR",
    ),
    Kind(
        "fee_income",
        "6021",
        "CR",
        False,
        False,
        "手续费收入",
        "Fee income",
        "earn CR, give_back DR, tax DR",
    ),
    Kind(
        "breakage",
        "6021",
        "CR",
        False,
        False,
        "沉淀收入",
        "Breakage",
        "earn CR, give_back DR, tax DR",
    ),
    Kind(
        "fee_receivable",
        "1122",
        "DR",
        False,
        False,
        "应收手续费",
        "Fee receivable",
        "charge DR, receive_cash CR",
    ),
    Kind(
        "channel_cost",
        "6421",
        "DR",
        False,
        False,
        "渠道成本",
        "Channel cost",
        "charge DR, give_back CR",
    ),
    Kind(
        "agent_cost",
        "6421",
        "DR",
        False,
        False,
        "代理分润",
        "Agent cost",
        "charge DR, give_back CR",
    ),
    Kind(
        "promotion", "6421", "DR", False, False, "营销补贴", "Promotion", "charge DR, give_back CR"
    ),
    Kind("loss", "6711", "DR", False, False, "损失", "Loss", "charge DR, give_back CR"),
    Kind(
        "agent_payable",
        "2202",
        "CR",
        False,
        False,
        "应付代理",
        "Agent payable",
        "accrue CR, pay DR",
    ),
    Kind("tax_payable", "2221", "CR", False, False, "应交税费", "Tax payable", "accrue CR, pay DR"),
    Kind("suspense", "1901", "DR", False, False, "挂账", "Suspense", "park DR/CR, resolve DR/CR"),
    Kind("rounding", "6711", "DR", False, False, "尾差", "Rounding", "park DR/CR, resolve DR/CR"),
    Kind(
        "disputed_receivable",
        "1221",
        "DR",
        False,
        False,
        "争议应收",
        "Disputed receivable",
        "park DR/CR, resolve DR/CR",
    ),
)

_SOURCES: Final = {
    "prepaid_card": _PREPAID,
    "issuer_prefunded": _PREPAID,
    "breakage": _PREPAID,
    "customer_deposit": _CUSTODY,
    "bank": _CUSTODY,
    "merchant_pending": _ACQUIRING,
    "merchant_available": _ACQUIRING,
    "merchant_reserve": _ACQUIRING,
    "merchant_margin": _ACQUIRING,
    "merchant_debt": _ACQUIRING,
    "channel_receivable": _ACQUIRING,
}

# What must be empty before a merchant is closed, and is closed with it (LG-13). What the channels
# owe us, our income and our costs stay open in its book.
ENDING: Final = (
    "merchant_pending",
    "merchant_available",
    "merchant_reserve",
    "merchant_debt",
    "merchant_margin",
    "prepaid_card",
    "customer_deposit",
    "issuer_prefunded",
    "payout_in_transit",
    "fee_receivable",
    "disputed_receivable",
    "suspense",
)


# To whom belongs what stands in a kind, where it is not the house's own (LG-14).
OWNERS: Final = {
    "merchant_pending": "MERCHANT",
    "merchant_available": "MERCHANT",
    "merchant_reserve": "MERCHANT",
    "merchant_margin": "MERCHANT",
    "payout_in_transit": "MERCHANT",
    "prepaid_card": "CUSTOMERS",
    "customer_deposit": "CUSTOMERS",
    "agent_payable": "AGENT",
    "tax_payable": "STATE",
}


def spoken(kind: str) -> str:
    """
    Return what people call an account kind, in their language, without asking the database: in a
    transaction that failed it does not answer. A kind that came by a row is called by its code.
    """
    names = next(((one.name_zh, one.name_en) for one in KINDS if one.kind == kind), (kind, kind))
    return names[0] if (get_language() or "").startswith("zh") else names[1]


class Cell(NamedTuple):
    """One row of the ability table."""

    account_kind: str
    operation: str
    side: str
    legal_source: str


def cells() -> list[Cell]:
    """Return every allowed cell; every kind also has `reverse` on both sides (LG-9)."""
    found = []
    for kind in KINDS:
        source = _SOURCES.get(kind.kind, _BOOKS)
        for text in kind.cells.split(","):
            operation, sides = text.split()
            found += [Cell(kind.kind, operation, side, source) for side in sides.split("/")]
        found += [
            Cell(kind.kind, "reverse", side, "docs/rules/ledger.md LG-9") for side in ("DR", "CR")
        ]
    return found

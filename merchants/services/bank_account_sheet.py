"""Bank accounts as a sheet: each row is asked for as one account is, and decided on by itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.fields import Field
from import_export.resources import Resource

from config.errors import DomainError, Malformed
from foundation import crypto, exchange, money, sheet
from foundation.csv_intake.report import REASONS
from foundation.exchange import Column
from foundation.models import User
from foundation.sheet import Checked, Effect
from merchants.models import BankAccount, Merchant
from merchants.models.application import AccountKind
from merchants.selectors import bank_account as accounts
from merchants.selectors import contract as contracts
from merchants.services import application_check as checks
from merchants.services import bank_account_request as requests
from merchants.services.bank_account_request import Wanted

MOST_ROWS: Final = 300  # each becomes a proposal of its own


def _kind(text: str) -> str:
    if text not in AccountKind.values:
        raise DomainError(_("One of %(names)s.") % {"names": ", ".join(AccountKind)})
    return text


def _currency(text: str) -> str:
    if text not in money.CURRENCIES:
        raise DomainError(str(REASONS["currency_unknown"]))
    return text


class BankAccountSheet(sheet.SheetResource):
    """Bank accounts of merchants, judged as one that is asked for in the portal (MER-8)."""

    secret = frozenset({"number"})
    merchant_no = Field("merchant_no", "merchant_no", widget=sheet.words(64, code=True))
    kind = Field("kind", "kind", widget=Checked(_kind))
    number = Field("number", "number", widget=sheet.words(60, code=True))
    holder = Field("holder", "holder", widget=sheet.words(200))
    bank_name = Field("bank_name", "bank_name", widget=sheet.words(200))
    bank_code = Field(
        "bank_code",
        "bank_code",
        widget=Checked(lambda text: checks.bank_code(text) if text else ""),
    )
    currency = Field("currency", "currency", widget=Checked(_currency))

    def key(self, row: Any) -> Hashable:
        """An account is merchant, number and currency."""
        return (row.merchant_no, row.number, row.currency)

    def prepare(self, table: sheet.Table) -> None:
        """Find the merchants, in whose names accounts may be, and the accounts that are known."""
        numbers = {values[0] for _no, values in table.rows}
        found = Merchant.objects.filter(merchant_no__in=numbers, kind=Merchant.Kind.MERCHANT)
        self._merchants = {one.merchant_no: one for one in found}
        ids = [one.id for one in found]
        self._without = contracts.without("portal:bank_accounts", merchant_ids=ids)
        self._holders = accounts.holders(merchant_ids=ids)
        known = BankAccount.objects.filter(merchant_id__in=ids).defer("number")
        self._known = {
            (one.merchant_id, bytes(one.number_hash), one.currency): one for one in known
        }

    def judge(self, row: Any, row_no: int) -> Mapping[str, str]:
        """Judge merchant, check digits, holder, and what is known of the number."""
        merchant = self._merchants.get(row.merchant_no)
        if merchant is None:
            return {"merchant_no": _("There is no such merchant.")}
        if merchant.status in (Merchant.Status.CLOSING, Merchant.Status.CLOSED):
            return {"merchant_no": _("The merchant is closed or closing.")}
        if merchant.id in self._without:
            return {"merchant_no": contracts.refusal()}
        row.merchant_id = merchant.id
        try:
            row.number = checks.account(row.number, row.kind)
        except Malformed as refusal:
            return {"number": str(refusal)}
        names = self._holders.get((merchant.id, row.kind), set())
        try:
            requests.require_own_holder(row.kind, row.holder, names)
        except requests.HolderForeign as refusal:
            return {"holder": str(refusal)}
        known = self._known_of(row)
        if known is not None and known.status == BankAccount.Status.DISABLED:
            return {"number": _("The account is known and switched off.")}
        if known is not None and known.holder != row.holder:
            return {"holder": str(REASONS["conflict"]) % {"detail": known.holder}}
        return {}

    def effect(self, row: Any) -> tuple[Effect, Mapping[str, tuple[str, str]]]:
        """An account that is known stays as it is."""
        return (Effect.NEW if self._known_of(row) is None else Effect.KNOWN), {}

    def _known_of(self, row: Any) -> BankAccount | None:
        return self._known.get((row.merchant_id, crypto.lookup_hash(row.number), row.currency))


def store(*, plan: sheet.Plan, source: exchange.Source, maker: User, at: datetime) -> str:
    """
    Write each new account, not verified, and propose it; another person decides on each, and then
    it cools. The owners are told. Raises AlreadyProposed. Rule: MER-13 (docs/rules/merchants.md).
    """
    names = ("merchant_id", "kind", "number", "holder", "bank_name", "bank_code", "currency")
    for line in plan.doing:
        requests.ask(
            asked=Wanted(**{name: line.values[name] for name in names}),
            user=maker,
            reason=_("Import of %(file)s") % {"file": source.file_name},
            at=at,
        )
    return _("%(count)s bank accounts are proposed; another person decides on each.") % {
        "count": len(plan.doing)
    }


def _shown(values: Mapping[str, Any]) -> list[str]:
    kind = str(AccountKind(values["kind"]).label)
    plain = [values[name] for name in ("holder", "bank_name", "bank_code", "currency")]
    return [values["merchant_no"], kind, crypto.mask(values["number"]), *plain]


class BankAccountList(Resource):
    """Bank accounts as they are taken out, numbers masked."""

    merchant_no = Field("merchant__merchant_no", "merchant_no")
    merchant_name = Field("merchant__name", "merchant_name")
    number = Field("number_masked", "number")
    holder = Field("holder", "holder")
    bank_name = Field("bank_name", "bank_name")
    bank_code = Field("bank_code", "bank_code")
    currency = Field("currency", "currency")
    status = Field("status", "status")
    approved_payee = Field("approved_payee", "approved_payee")
    verified_at = Field("verified_at", "verified_at")
    usable_from = Field("usable_from", "usable_from")
    usable_until = Field("usable_until", "usable_until")


def chosen(filter: Mapping[str, str]) -> QuerySet[BankAccount]:
    """Return the accounts a filter chooses."""
    found = BankAccount.objects.select_related("merchant").defer("number")
    names = {"status": "status", "currency": "currency", "merchant_no": "merchant__merchant_no"}
    return found.filter(**{names[name]: value for name, value in filter.items()})


IMPORTABLE: Final = exchange.Importable(
    name="bank-accounts",
    title=gettext_lazy("Import bank accounts"),
    intro=gettext_lazy(
        "Each new account is stored as not verified and becomes a proposal of its own. Once another"
        " person has approved it, its cooling time begins. The merchants' owners are told."
    ),
    permission="merchants.import_bankaccount",
    columns=(
        Column("merchant_no", gettext_lazy("merchant number")),
        Column("kind", "CORPORATE, CARD"),
        Column("number", gettext_lazy("account number")),
        Column("holder", gettext_lazy("account holder")),
        Column("bank_name", gettext_lazy("bank")),
        Column("bank_code", gettext_lazy("bank code (CNAPS), or empty"), required=False),
        Column("currency", gettext_lazy("three capitals: CNY")),
    ),
    resource=BankAccountSheet,
    store=store,
    shown=_shown,
    onward="merchants_bankaccount_changelist",
    most_rows=MOST_ROWS,
)
EXPORTABLE: Final = exchange.Exportable(
    name="bank-accounts",
    title=gettext_lazy("Export bank accounts"),
    permission="merchants.export_bankaccount",
    resource=BankAccountList,
    rows=chosen,
    fields={
        "status": (gettext_lazy("status"), tuple(BankAccount.Status.choices)),
        "currency": (gettext_lazy("currency"), ()),
        "merchant_no": (gettext_lazy("merchant number"), ()),
    },
    onward="merchants_bankaccount_changelist",
)

"""The merchant's statement: one account, a range of days, opening + movements = closing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from foundation import clock, sheet
from foundation.money import Money
from foundation.services import audit
from foundation.services import file_export as file_exports
from ledger.models import operation as operations
from ledger.selectors import balance as balances
from ledger.selectors import statement as statements
from ledger.selectors.balance import Balance
from ledger.selectors.statement import Movement, Position, Span
from merchants.models import Ability
from merchants.portal.access import MemberRequest, for_members

PAGE: Final = 50
_FRAME: Final = 3  # lines of the file that are no movements: head, closing and opening balance
_ACCOUNTS: Final = {
    "merchant_available": gettext_lazy("Available balance"),
    "merchant_pending": gettext_lazy("Pending settlement"),
}
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class StatementForm(forms.Form):
    """Which account and which days; everything empty is the first account, from the beginning."""

    account = forms.ChoiceField(
        label=gettext_lazy("Account"),
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    since = forms.DateField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label=gettext_lazy("To"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}, format="%Y-%m-%d"),
    )

    def __init__(self, accounts: Sequence[Balance], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.accounts = {_code(account): account for account in accounts}
        self.fields["account"].choices = [  # type: ignore[attr-defined]
            (code, f"{_ACCOUNTS[account.kind]} · {account.total.currency}")
            for code, account in self.accounts.items()
        ]

    def clean(self) -> dict[str, Any]:
        """Refuse a range that ends before it begins, and years no calendar can count."""
        given = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day lies before the first."))
        for name in ("since", "until"):
            if given.get(name) and not 2000 <= given[name].year <= 2200:
                self.add_error(name, _("The year must lie between 2000 and 2200."))
        return given

    @property
    def chosen(self) -> Balance:
        """The account that was asked for, else the first."""
        code = self.cleaned_data.get("account")
        return self.accounts[code] if code else next(iter(self.accounts.values()))


@dataclass(frozen=True, slots=True)
class Row:
    """A movement as people read it."""

    at: datetime
    what: str
    reference: str
    amount: Money
    balance: Money


@require_safe
def statement(request: MemberRequest) -> HttpResponseBase:
    """Show a page of movements, latest first, with the balances before and after the range."""
    member = request.member
    accounts = _accounts(member.merchant_id)
    if not accounts:
        return render(request, "portal/ledger/statement.html", {"accounts": accounts})
    form = StatementForm(accounts, data=request.GET)
    context: dict[str, Any] = {"accounts": accounts, "form": form}
    if form.is_valid():
        account, span = form.chosen, _span(form, member.merchant_id)
        found = statements.page(
            merchant_id=member.merchant_id,
            account_id=account.account_id,
            below=_position(request.GET.get("below", "")),
            limit=PAGE + 1,
            within=span,
        )
        shown, currency = found[:PAGE], account.total.currency
        context |= {
            "code": _code(account),
            "rows": list(_rows(shown, member.merchant_id, currency)),
            "opening": Money(span.opening_minor, currency),
            "closing": Money(span.closing_minor, currency),
            "query": _query(form, account),
            "older": f"{shown[-1].seq}.{shown[-1].line_no}" if len(found) > PAGE else "",
            "first_page": "below" not in request.GET,
        }
    return render(request, "portal/ledger/statement.html", context)


@require_safe
def export(request: MemberRequest) -> HttpResponseBase:
    """
    Send the same range as CSV (UTF-8 with a mark, so that spreadsheets read it), row by row.

    The opening balance is the last row and comes only after everything has added up; a file
    without it is not whole.
    """
    member = request.member
    form = StatementForm(_accounts(member.merchant_id), data=request.GET)
    if not form.accounts or not form.is_valid():
        return statement(request)
    account, span = form.chosen, _span(form, member.merchant_id)
    audit.record(
        merchant_id=member.merchant_id,
        action="statement.export",
        object_kind="account",
        object_id=str(account.account_id),
        after=_query(form, account),
    )
    rows = file_exports.sent(
        kind="statement",
        filter={"merchant_no": member.merchant.merchant_no, **_query(form, account)},
        format="csv",
        user=member.user,
        lines=_csv(span, account.total.currency, translation.get_language() or "en"),
        frame=_FRAME,
        at=clock.now(),
    )
    answer = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    name = f"statement-{account.total.currency}-{clock.business_date(clock.now())}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def escaped(cell: str) -> str:
    """Keep a spreadsheet from running a text as a formula; numbers stay numbers."""
    return cell if _NUMBER.fullmatch(cell) else sheet.safe(cell)


class _Echo:
    """A file that hands every written line back, for a streaming answer."""

    def write(self, line: str) -> str:
        return line


def _csv(span: Span, currency: str, language: str) -> Iterator[str]:
    """Yield the lines of the file. Raises StatementDoesNotAddUp before the last row."""
    write = csv.writer(_Echo()).writerow

    def line(*cells: str) -> str:
        return str(write([escaped(cell) for cell in cells]))

    with translation.override(language):
        heads = (_("Time"), _("Movement"), _("Reference"), _("Amount"), _("Balance"), _("Currency"))
        yield "\ufeff" + line(*heads)
        closing, opening = _("Closing balance"), _("Opening balance")
    yield line("", closing, "", "", Money(span.closing_minor, currency).major, currency)
    for chunk in _chunks(statements.movements(within=span), 1000):
        with translation.override(language):
            rows = list(_rows(chunk, span.merchant_id, currency))
        for row in rows:
            yield line(
                row.at.astimezone(clock.zone()).isoformat(timespec="seconds"),
                row.what,
                row.reference,
                row.amount.major,
                row.balance.major,
                currency,
            )
    yield line("", opening, "", "", Money(span.opening_minor, currency).major, currency)


def _chunks(movements: Iterator[Movement], size: int) -> Iterator[list[Movement]]:
    chunk: list[Movement] = []
    for movement in movements:
        chunk.append(movement)
        if len(chunk) == size:
            yield chunk
            chunk = []
    yield chunk


def _rows(found: Sequence[Movement], merchant_id: int, currency: str) -> Iterator[Row]:
    """Yield movements with the numbers by which people know their causes."""
    references = statements.references(merchant_id=merchant_id, found=found)
    for movement, reference in zip(found, references, strict=True):
        yield Row(
            movement.posted_at,
            operations.merchant_name_of(movement.operation),
            reference,
            Money(movement.amount_minor, currency),
            Money(movement.balance_after, currency),
        )


def _accounts(merchant_id: int) -> list[Balance]:
    return balances.of_kinds(merchant_id=merchant_id, kinds=tuple(_ACCOUNTS))


def _code(account: Balance) -> str:
    return f"{account.kind.removeprefix('merchant_')}-{account.total.currency}"


def _span(form: StatementForm, merchant_id: int) -> Span:
    """Return the movements of whole business days, from cut-off to cut-off."""
    return statements.span_of_days(
        merchant_id=merchant_id,
        account_id=form.chosen.account_id,
        since=form.cleaned_data.get("since"),
        until=form.cleaned_data.get("until"),
    )


def _position(text: str) -> Position | None:
    """Read a cursor of the address; anything else begins at the top."""
    found = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,18})", text)
    return Position(int(found[1]), int(found[2])) if found else None


def _query(form: StatementForm, account: Balance) -> dict[str, str]:
    """Return the filters as the links of the page carry them."""
    days = {name: form.cleaned_data.get(name) for name in ("since", "until")}
    return {"account": _code(account)} | {k: v.isoformat() for k, v in days.items() if v}


urlpatterns = [
    path(
        "<int:merchant_id>/statement",
        for_members(Ability.SEE_BALANCES)(statement),
        name="statement",
    ),
    path(
        "<int:merchant_id>/statement.csv",
        for_members(Ability.SEE_BALANCES)(export),
        name="statement_export",
    ),
]

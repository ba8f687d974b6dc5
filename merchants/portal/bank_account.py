"""A merchant's own bank accounts: the list, asking for one, changing one, switching one off."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from foundation import clock, crypto
from foundation.money import CURRENCIES
from merchants.models import Ability, BankAccount
from merchants.models.application import AccountKind
from merchants.portal import verification
from merchants.portal.access import Member, MemberRequest, for_members
from merchants.selectors import bank_account as selectors
from merchants.services import application_check as checks
from merchants.services import bank_account as bank_accounts
from merchants.services import bank_account_request as requests

_SEALED_FOR: Final = 30 * 60  # seconds


def _text(label: Any, most: int, **attributes: str) -> forms.CharField:
    given = {"class": "form-control", "autocomplete": "off", **attributes}
    return forms.CharField(label=label, max_length=most, widget=forms.TextInput(attrs=given))


class BankAccountForm(forms.Form):
    """The account as its holder knows it."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of account"),
        choices=AccountKind.choices,
        widget=forms.Select(attrs={"class": "form-select", "autofocus": True}),
    )
    number = _text(gettext_lazy("Account number"), 50, inputmode="numeric")
    holder = _text(gettext_lazy("Account holder"), 200)
    bank_name = _text(gettext_lazy("Bank"), 200)
    bank_code = _text(gettext_lazy("Bank number (CNAPS), if you know it"), 20, inputmode="numeric")
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), widget=forms.Select(attrs={"class": "form-select"})
    )

    def __init__(self, *, former: BankAccount | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["bank_code"].required = False
        codes = sorted(CURRENCIES) if former is None else [former.currency]
        self.fields["currency"].choices = [(code, code) for code in codes]  # type: ignore[attr-defined]

    def clean_bank_code(self) -> str:
        """Check the digits of the bank's number, if it is given."""
        code = str(self.cleaned_data["bank_code"]).strip()
        try:
            return checks.bank_code(code) if code else ""
        except DomainError as refusal:
            raise ValidationError(str(refusal)) from None


@require_http_methods(["GET", "HEAD", "POST"])
def bank_account_list(request: MemberRequest) -> HttpResponseBase:
    """Show the accounts, masked, with what each waits for; a POST switches one off for good."""
    member, at = request.member, clock.now()
    if request.method == "POST":
        account = _found(member, request.POST.get("account", ""))
        bank_accounts.disable(
            merchant_id=member.merchant_id, bank_account_id=account.id, note="portal", at=at
        )
        messages.success(request, _("The account is switched off."))
        return redirect("portal:bank_accounts", member.merchant_id)
    waiting = selectors.waiting(merchant_id=member.merchant_id)
    rows = [
        (account, _state(account, account.id in waiting, at), account.is_usable(at))
        for account in selectors.of_merchant(merchant_id=member.merchant_id)
    ]
    return render(request, "portal/merchants/bank_accounts.html", {"rows": rows})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def bank_account_new(request: MemberRequest) -> HttpResponseBase:
    """Ask for an account: what it is, then the proofs the matrix asks for, then staff decide."""
    member = request.member
    named = request.POST.get("replaces") or request.GET.get("replaces") or ""
    former = _found(member, named) if named else None
    step = request.POST.get("step", "") if request.method == "POST" else ""
    if verification.AGAIN in request.POST:
        step = "confirm"
    if step == "confirm":
        values = _opened(member, request.POST.get("sealed", ""))
        if values is None:
            messages.error(request, _("This form is too old: please fill it in once more."))
            return redirect("portal:bank_account_new", member.merchant_id)
        return _confirm(request, former, values)
    first = {"holder": member.merchant.name, "currency": "CNY"}
    form = BankAccountForm(former=former, data=request.POST if step else None, initial=first)
    if step == "ask" and form.is_valid():
        asked = _wanted(member, former, form.cleaned_data, form)
        if asked is not None:
            return _show_confirm(request, asked, form.cleaned_data, _step(member, asked))
    context = {"form": form, "former": former}
    return render(request, "portal/merchants/bank_account_new.html", context)


def _confirm(
    request: MemberRequest, former: BankAccount | None, values: dict[str, str]
) -> HttpResponseBase:
    """Verify the person and ask for exactly this account."""
    member = request.member
    form = BankAccountForm(former=former, data=values)
    form.is_valid()
    asked = _wanted(member, former, values, form)
    if asked is None:
        context = {"form": form, "former": former}
        return render(request, "portal/merchants/bank_account_new.html", context)
    step = _step(member, asked, request.POST)
    token = step.submit()
    if token is None:
        return _show_confirm(request, asked, values, step)
    try:
        requests.request(asked=asked, user=member.user, token=token, at=clock.now())
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        context = {"form": form, "former": former}
        return render(request, "portal/merchants/bank_account_new.html", context)
    messages.success(request, _("The account is asked for; we look at it and tell you by e-mail."))
    return redirect("portal:bank_accounts", member.merchant_id)


def _wanted(
    member: Member, former: BankAccount | None, values: dict[str, str], form: BankAccountForm
) -> requests.Wanted | None:
    """Check what was typed; say beside its field what is wrong."""
    names = ("kind", "number", "holder", "bank_name", "bank_code", "currency")
    given = {name: values.get(name, "") for name in names}
    try:
        return requests.wanted(merchant_id=member.merchant_id, replaces=former, **given)
    except DomainError as refusal:
        field = getattr(refusal, "field", "") or refusal.details.get("field", "number")
        form.add_error(str(field) if field in form.fields else None, str(refusal))
        return None


def _step(member: Member, asked: requests.Wanted, given: Any = None) -> verification.Step:
    """Return the verification of exactly this account. Rule: MER-8."""
    return verification.Step(
        member,
        operation=asked.operation,
        amount=requests.NOTHING,
        payee=asked.payee,
        at=clock.now(),
        given=given,
    )


def _show_confirm(
    request: MemberRequest,
    asked: requests.Wanted,
    values: dict[str, str],
    step: verification.Step,
) -> HttpResponseBase:
    context = {
        "asked": asked,
        "masked": crypto.mask(asked.number),
        "sealed": _sealed(request.member, values),
        "step": step,
        "former": asked.replaces,
    }
    return render(request, "portal/merchants/bank_account_confirm.html", context)


def _associated(member: Member) -> bytes:
    return f"portal.bank_account:{member.merchant_id}:{member.user.pk}".encode()


def _sealed(member: Member, values: dict[str, str]) -> str:
    """Encrypt what was typed for the next step: the page shows the number masked alone."""
    return crypto.encrypt(json.dumps([time.time(), values]), _associated(member))


def _opened(member: Member, sealed: str) -> dict[str, str] | None:
    """Read what was typed in the step before; None when it is too old or not this person's."""
    try:
        since, values = json.loads(crypto.decrypt(sealed, _associated(member)))
    except (crypto.KeyUnknown, crypto.Tampered):
        return None
    return dict(values) if 0 <= time.time() - since < _SEALED_FOR else None


def _found(member: Member, uuid: str) -> BankAccount:
    """Return one of the merchant's accounts by its outward name, or 404."""
    try:
        found = selectors.by_uuid(merchant_id=member.merchant_id, uuid=UUID(uuid))
    except ValueError:
        found = None
    if found is None:
        raise Http404
    return found


def _state(account: BankAccount, waiting: bool, at: Any) -> str:
    """Say in a word what an account waits for."""
    if account.status == BankAccount.Status.DISABLED:
        return _("switched off")
    if waiting:
        return _("we are looking at it")
    if account.status == BankAccount.Status.UNVERIFIED or not account.approved_payee:
        return _("not approved")
    if account.usable_from is not None and at < account.usable_from:
        return _("approved, can be used later")
    return _("in use") if account.is_usable(at) else _("replaced")


urlpatterns = [
    path(
        "<int:merchant_id>/bank-accounts/",
        for_members(Ability.MANAGE)(bank_account_list),
        name="bank_accounts",
    ),
    path(
        "<int:merchant_id>/bank-accounts/new",
        for_members(Ability.MANAGE)(bank_account_new),
        name="bank_account_new",
    ),
]

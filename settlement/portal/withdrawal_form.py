"""Asking for a withdrawal: first how much and where to, then fee, total and payment password."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from foundation import clock
from foundation.money import Money
from ledger.errors import InsufficientAvailableBalance
from ledger.selectors import balance as balances
from merchants.models import BankAccount
from merchants.portal.access import Member, MemberRequest
from merchants.selectors import bank_account as bank_accounts
from merchants.selectors import payment_password as known_passwords
from merchants.services import payment_password as payment_passwords
from merchants.services import verification
from settlement.models import Withdrawal
from settlement.services import payout_fee
from settlement.services import withdrawal as withdrawals

_SALT: Final = "portal.withdrawal"
_TOKEN_LIVES: Final = 30 * 60  # seconds
_OF_THE_PASSWORD: Final = (
    payment_passwords.PaymentPasswordWrong,
    payment_passwords.PaymentPasswordLocked,
    payment_passwords.PaymentPasswordNotSet,
)


def new_token(member: Member) -> str:
    """Return a token of one form: it names the order, so a form sent twice is one withdrawal."""
    order_no = f"PORTAL-{secrets.token_hex(12)}"
    return signing.dumps([member.merchant_id, str(member.user.pk), order_no], salt=_SALT)


class WithdrawalForm(forms.Form):
    """Amount and payee; checked for shape, and early for what the balance can bear."""

    token = forms.CharField(widget=forms.HiddenInput)
    account = forms.ChoiceField(
        label=gettext_lazy("To which account"),
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    amount = forms.CharField(
        label=gettext_lazy("Amount"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"class": "form-control", "inputmode": "decimal", "autocomplete": "off"}
        ),
    )

    def __init__(self, member: Member, accounts: list[BankAccount], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.member = member
        self.accounts = {withdrawals.payee_name(account): account for account in accounts}
        self.order_no = ""
        self.fields["account"].choices = [  # type: ignore[attr-defined]
            (name, f"{account} · {account.currency}") for name, account in self.accounts.items()
        ]

    def clean_token(self) -> str:
        """Accept a fresh token of this person's own form."""
        token = str(self.cleaned_data["token"])
        try:
            merchant_id, user_id, order_no = signing.loads(token, salt=_SALT, max_age=_TOKEN_LIVES)
        except signing.BadSignature:
            merchant_id, user_id, order_no = None, "", ""
        if (merchant_id, user_id) != (self.member.merchant_id, str(self.member.user.pk)):
            raise ValidationError(_("This form is too old: please fill it in once more."))
        self.order_no = str(order_no)
        return token

    def clean(self) -> dict[str, Any]:
        """Read the amount in the currency of the account."""
        given = super().clean() or {}
        account = self.accounts.get(given.get("account", ""))
        if account is not None and given.get("amount"):
            try:
                amount = Money.parse(given["amount"].strip(), account.currency)
            except DomainError as refusal:
                self.add_error("amount", str(refusal))
                return given
            if not amount:
                self.add_error("amount", _("The amount must be more than nothing."))
            given["money"] = amount
        return given

    @property
    def payee(self) -> BankAccount:
        """The account that was chosen."""
        return self.accounts[self.cleaned_data["account"]]

    @property
    def money(self) -> Money:
        """The amount that was asked for."""
        return Money(self.cleaned_data["money"].minor, self.cleaned_data["money"].currency)


class ConfirmForm(WithdrawalForm):
    """The same once more, and the payment password."""

    payment_password = forms.CharField(
        label=gettext_lazy("Payment password"),
        max_length=12,
        strip=False,
        widget=forms.PasswordInput(
            attrs={
                "class": "form-control",
                "inputmode": "numeric",
                "autocomplete": "off",
                "autofocus": True,
            }
        ),
    )


@dataclass(frozen=True, slots=True)
class Free:
    """What could be withdrawn now in one currency, and the most after the fee."""

    available: Money
    largest: Money


@sensitive_post_parameters("payment_password")
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: MemberRequest) -> HttpResponseBase:
    """Take a withdrawal in two steps; every refusal is said beside the form, nothing is stored."""
    member = request.member
    accounts = bank_accounts.payees(merchant_id=member.merchant_id)
    step = request.POST.get("step", "") if request.method == "POST" else ""
    if step == "confirm":
        return _confirm(request, ConfirmForm(member, accounts, data=request.POST))
    if step in ("ask", "change"):
        form = WithdrawalForm(member, accounts, data=request.POST)
        if form.is_valid() and step == "ask" and _within_balance(form):
            return _show_confirm(request, ConfirmForm(member, accounts, initial=request.POST), form)
        if "token" in form.errors:
            form = _fresh(member, accounts, form)
        return _show_form(request, form)
    return _show_form(
        request, WithdrawalForm(member, accounts, initial={"token": new_token(member)})
    )


def _confirm(request: MemberRequest, form: ConfirmForm) -> HttpResponseBase:
    """Verify the person, ask for the withdrawal, and go to its page."""
    if not form.is_valid():
        beyond = set(form.errors) - {"payment_password"}
        if beyond:
            return _show_form(request, _fresh(form.member, list(form.accounts.values()), form))
        return _show_confirm(request, form, form)
    try:
        withdrawal = _request(form)
    except _OF_THE_PASSWORD as refusal:
        form.add_error("payment_password", str(refusal))
    except InsufficientAvailableBalance:
        free = _free(form.member, form.money.currency)
        form.add_error(
            None,
            _("The available balance is no longer enough: %(available)s can be used now.")
            % {"available": str(free.available)},
        )
    except DomainError as refusal:
        form.add_error(None, str(refusal))
    else:
        messages.success(request, _("Your withdrawal was taken."))
        return redirect("portal:withdrawal", form.member.merchant_id, withdrawal.number)
    return _show_confirm(request, form, form)


def _request(form: ConfirmForm) -> Withdrawal:
    """Turn the payment password into a token for exactly this, and use it. Rule: WD-2."""
    at, member, payee = clock.now(), form.member, form.payee
    token = verification.issue(
        merchant_id=member.merchant_id,
        user=member.user,
        operation=withdrawals.OPERATION,
        amount=form.money,
        payee=withdrawals.payee_name(payee),
        payment_password=form.cleaned_data["payment_password"],
        at=at,
    )
    return withdrawals.request(
        merchant_id=member.merchant_id,
        amount=form.money,
        bank_account_id=payee.id,
        order_no=form.order_no,
        authority=withdrawals.TokenAuthority(member.user, token),
        at=at,
    )


def _within_balance(form: WithdrawalForm) -> bool:
    """Say early what the balance cannot bear; the ledger decides when it comes to it."""
    free = _free(form.member, form.money.currency)
    if free.largest < form.money:
        form.add_error(
            "amount",
            _("At most %(largest)s can be withdrawn now, after the fee.")
            % {"largest": str(free.largest)},
        )
        return False
    return True


def _free(member: Member, currency: str) -> Free:
    available = balances.free(
        merchant_id=member.merchant_id, kind="merchant_available", currency=currency
    )
    day = clock.business_date(clock.now())
    largest = payout_fee.largest_payable(merchant_id=member.merchant_id, total=available, on=day)
    return Free(available, largest)


def _fresh(member: Member, accounts: list[BankAccount], stale: WithdrawalForm) -> WithdrawalForm:
    """Give the same values another token, so that the person can go on, and say what was wrong."""
    given = {name: stale.data.get(name, "") for name in ("account", "amount")}
    token = stale.data.get("token", "")
    if "token" in stale.errors:
        token = new_token(member)
    form = WithdrawalForm(member, accounts, data={**given, "token": token})
    if form.is_valid() and "token" in stale.errors:
        form.add_error(None, _("This form is too old: please fill it in once more."))
    return form


def _show_form(request: MemberRequest, form: WithdrawalForm) -> HttpResponseBase:
    currencies = sorted({account.currency for account in form.accounts.values()})
    context = {
        "form": form,
        "free": [_free(form.member, currency) for currency in currencies],
        "password_known": known_passwords.is_set(
            merchant_id=form.member.merchant_id, user=form.member.user
        ),
    }
    return render(request, "portal/settlement/withdrawal_form.html", context)


def _show_confirm(
    request: MemberRequest, form: ConfirmForm, checked: WithdrawalForm
) -> HttpResponseBase:
    day = clock.business_date(clock.now())
    fee = payout_fee.price(merchant_id=form.member.merchant_id, amount=checked.money, on=day).fee
    context = {
        "form": form,
        "amount": checked.money,
        "fee": fee,
        "total": checked.money + fee,
        "payee": checked.payee,
        "given": {name: checked.data.get(name, "") for name in ("token", "account", "amount")},
    }
    return render(request, "portal/settlement/withdrawal_confirm.html", context)

"""Asking for a withdrawal: first how much and where to, then fee, total and the proofs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
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
from merchants.models import Ability, BankAccount
from merchants.portal import verification
from merchants.portal.access import Member, MemberRequest
from merchants.selectors import bank_account as bank_accounts
from merchants.selectors import payment_password as known_passwords
from merchants.services import verification as verifications
from settlement.models import Withdrawal
from settlement.services import payout_fee
from settlement.services import withdrawal as withdrawals

_SALT: Final = "portal.withdrawal"
_TOKEN_LIVES: Final = 30 * 60  # seconds
TWIN_SECONDS: Final = 1.0  # between using up the proofs and the withdrawal lie milliseconds


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
                self.add_error("amount", _said_of(given["amount"], refusal))
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


def _said_of(typed: str, refusal: DomainError) -> str:
    """Say how to write an amount that was copied from where amounts are grouped."""
    plain = typed.replace(",", "").strip()
    if "," in typed and plain.replace(".", "", 1).isdecimal():
        return _("Write the amount without commas, if you mean it so: %(plain)s") % {"plain": plain}
    return str(refusal)


@dataclass(frozen=True, slots=True)
class Free:
    """What could be withdrawn now in one currency, and the most after the fee."""

    available: Money
    largest: Money


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: MemberRequest) -> HttpResponseBase:
    """
    Take a withdrawal: amount and account first, then the proofs the matrix asks for beside what
    they are for. Every refusal is said beside the form, nothing is stored.
    """
    member = request.member
    accounts = bank_accounts.payees(merchant_id=member.merchant_id, at=clock.now())
    step = request.POST.get("step", "") if request.method == "POST" else ""
    if verification.AGAIN in request.POST:
        step = "confirm"
    if step not in ("ask", "change", "confirm"):
        resumed = _resumed(request, accounts)
        if resumed is not None:
            return resumed
        fresh = WithdrawalForm(member, accounts, initial={"token": new_token(member)})
        return _show_form(request, fresh)
    form = WithdrawalForm(member, accounts, data=request.POST)
    if not form.is_valid():
        return _show_form(request, _fresh(form) if "token" in form.errors else form)
    if step == "confirm":
        return _confirm(request, form)
    if step == "ask" and _within_balance(form):
        return _show_confirm(request, form, _step(form))
    return _show_form(request, form)


def _resumed(request: MemberRequest, accounts: list[BankAccount]) -> HttpResponseBase | None:
    """Show the last page again of a withdrawal that waited for others, as it was asked for."""
    number = request.GET.get(verification.NUMBER, "")
    if not number:
        return None
    waited = verifications.waiting(
        merchant_id=request.member.merchant_id,
        user=request.member.user,
        number=number,
        operation=withdrawals.OPERATION,
        at=clock.now(),
    )
    data = {"token": new_token(request.member)}
    if waited is not None:
        amount = Money(waited.amount_minor, waited.currency)
        data |= {"account": waited.payee, "amount": amount.major}
    form = WithdrawalForm(request.member, accounts, data=data)
    if waited is None or not form.is_valid():
        messages.error(request, _("This verification is over: please begin again."))
        return redirect("portal:withdraw", request.member.merchant_id)
    return _show_confirm(request, form, _step(form, {verification.NUMBER: number}))


def _confirm(request: MemberRequest, form: WithdrawalForm) -> HttpResponseBase:
    """Verify the person, ask for the withdrawal, and go to its page."""
    member = form.member
    if there_is := _made_by(form):  # the form came twice
        return there_is
    step = _step(form, request.POST)
    token = step.submit()
    if token is not None:
        try:
            withdrawal = _request(form, token)
        except InsufficientAvailableBalance:
            free = _free(member, form.money.currency)
            form.add_error(
                None,
                _("The available balance is no longer enough: %(available)s can be used now.")
                % {"available": free.available.grouped},
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Your withdrawal was taken."))
            return redirect("portal:withdrawal", member.merchant_id, withdrawal.number)
        step = _step(form)  # the token is spent on a refusal: its request is over
    if step.over and (there_is := _made_by(form, patience_seconds=TWIN_SECONDS)):
        return there_is  # came twice at once, and this is the answer that the person sees
    return _show_confirm(request, form, step)


def _made_by(form: WithdrawalForm, patience_seconds: float = 0) -> HttpResponseBase | None:
    """
    Lead to the withdrawal that this very form has made; with patience, also one that its twin, who
    has used the proofs up, is only just making.
    """
    merchant_id, until = form.member.merchant_id, time.monotonic() + patience_seconds
    while True:
        known = withdrawals.known(merchant_id=merchant_id, order_no=form.order_no)
        if known is not None or time.monotonic() >= until:
            break
        time.sleep(0.1)
    if known is None or known.amount != form.money:
        return None
    return redirect("portal:withdrawal", merchant_id, known.number)


def _step(form: WithdrawalForm, given: Mapping[str, str] | None = None) -> verification.Step:
    """Return the verification of exactly this withdrawal. Rule: WD-2."""
    return verification.Step(
        form.member,
        operation=withdrawals.OPERATION,
        amount=form.money,
        payee=withdrawals.payee_name(form.payee),
        at=clock.now(),
        given=given,
    )


def _request(form: WithdrawalForm, token: str) -> Withdrawal:
    """Use the token up for exactly this withdrawal. Rule: WD-2."""
    return withdrawals.request(
        merchant_id=form.member.merchant_id,
        amount=form.money,
        bank_account_id=form.payee.id,
        order_no=form.order_no,
        authority=withdrawals.TokenAuthority(form.member.user, token),
        at=clock.now(),
    )


def _within_balance(form: WithdrawalForm) -> bool:
    """Say early what the balance cannot bear; the ledger decides when it comes to it."""
    free = _free(form.member, form.money.currency)
    if free.largest < form.money:
        form.add_error(
            "amount",
            _("At most %(largest)s can be withdrawn now, after the fee.")
            % {"largest": free.largest.grouped},
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


def _fresh(stale: WithdrawalForm) -> WithdrawalForm:
    """Give the same values another token, so that the person can go on, and say what was wrong."""
    given = {name: stale.data.get(name, "") for name in ("account", "amount")}
    form = WithdrawalForm(
        stale.member,
        list(stale.accounts.values()),
        data={**given, "token": new_token(stale.member)},
    )
    if form.is_valid():
        form.add_error(None, _("This form is too old: please fill it in once more."))
    return form


def _looked_at(member: Member) -> list[BankAccount]:
    """Return the accounts that we still verify: who waits should know for what."""
    theirs = bank_accounts.of_merchant(merchant_id=member.merchant_id)
    return [account for account in theirs if account.status == BankAccount.Status.UNVERIFIED]


def _show_form(request: MemberRequest, form: WithdrawalForm) -> HttpResponseBase:
    currencies = sorted({account.currency for account in form.accounts.values()})
    context = {
        "form": form,
        "may_manage": form.member.may(Ability.MANAGE),
        "cooling": bank_accounts.cooling(merchant_id=form.member.merchant_id, at=clock.now()),
        "looked_at": [] if form.accounts else _looked_at(form.member),
        "free": [_free(form.member, currency) for currency in currencies],
        "password_known": known_passwords.is_set(
            merchant_id=form.member.merchant_id, user=form.member.user
        ),
    }
    return render(request, "portal/settlement/withdrawal_form.html", context)


def _show_confirm(
    request: MemberRequest, form: WithdrawalForm, step: verification.Step
) -> HttpResponseBase:
    day = clock.business_date(clock.now())
    fee = payout_fee.price(merchant_id=form.member.merchant_id, amount=form.money, on=day).fee
    context = {
        "form": form,
        "step": step,
        "amount": form.money,
        "fee": fee,
        "total": form.money + fee,
        "payee": form.payee,
        "given": {name: form.data.get(name, "") for name in ("token", "account", "amount")},
    }
    return render(request, "portal/settlement/withdrawal_confirm.html", context)

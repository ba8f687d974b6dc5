"""A person sets, changes or (forgotten) resets the payment password with a merchant."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from foundation import clock, crypto
from foundation.portal.guess import is_right
from merchants.portal import verification
from merchants.portal.access import Member, MemberRequest, for_members
from merchants.selectors import payment_password as selectors
from merchants.services import payment_password as payment_passwords

_SEALED_FOR: Final = 15 * 60  # seconds


def _secret(label: Any, complete: str, mode: str = "numeric") -> forms.CharField:
    attributes = {"class": "form-control", "autocomplete": complete, "inputmode": mode}
    return forms.CharField(
        label=label,
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs=attributes),
    )


class PaymentPasswordForm(forms.Form):
    """The sign-in password, and the new payment password twice."""

    sign_in_password = _secret(gettext_lazy("Sign-in password"), "current-password", "text")
    new = _secret(gettext_lazy("New payment password"), "off")
    again = _secret(gettext_lazy("New payment password, once more"), "off")

    def clean(self) -> dict[str, Any]:
        """Compare the two new ones."""
        given = super().clean() or {}
        if given.get("new") != given.get("again"):
            self.add_error("again", _("The two are not the same."))
        return given


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def payment_password(request: MemberRequest) -> HttpResponseBase:
    """Set the first payment password, or change it by the proofs of the matrix (the old one)."""
    known = selectors.is_set(merchant_id=request.member.merchant_id, user=request.member.user)
    operation = payment_passwords.CHANGE if known else payment_passwords.SET
    return _two_steps(request, operation, "portal:payment_password")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: MemberRequest) -> HttpResponseBase:
    """Put a new payment password in place of one that was forgotten."""
    return _two_steps(request, payment_passwords.RESET, "portal:payment_password_forgotten")


def _two_steps(request: MemberRequest, operation: str, here: str) -> HttpResponseBase:
    """
    Take the new password by the sign-in password, then the proofs of the matrix, then set it.

    Between the two steps the page carries the hash of the new password, encrypted. Rule: VER-13.
    """
    context: dict[str, Any] = {"operation": operation}
    if request.method == "POST" and "sealed" in request.POST:
        return _confirm(request, context, here)
    form = PaymentPasswordForm(data=request.POST or None)
    context["form"] = form
    if request.method == "POST" and form.is_valid() and _good(request, form, operation):
        sealed = _sealed(request.member, payment_passwords.hashed(form.cleaned_data["new"]))
        context |= {"sealed": sealed, "step": _step(request.member, operation)}
    return render(request, "portal/merchants/payment_password.html", context)


def _good(request: MemberRequest, form: PaymentPasswordForm, operation: str) -> bool:
    """Check the sign-in password, and that the new one is strong; say beside the field why not."""
    member, given = request.member, form.cleaned_data
    username = member.user.get_username()
    if not is_right(request, username=username, password=given["sign_in_password"]):
        form.add_error("sign_in_password", _("The sign-in password is not right."))
        return False
    try:
        if operation != payment_passwords.CHANGE:
            payment_passwords.require_other_proof(user=member.user, at=clock.now())
        payment_passwords.require_strong(given["new"])
    except DomainError as refusal:
        form.add_error("new", str(refusal))
        return False
    return True


def _confirm(request: MemberRequest, context: dict[str, Any], here: str) -> HttpResponseBase:
    """Verify the person and set what was typed in the step before."""
    member, sealed, operation = request.member, request.POST["sealed"], context["operation"]
    hashed = _opened(member, sealed)
    if hashed is None:
        messages.error(request, _("This form is too old: please fill it in once more."))
        return redirect(here, member.merchant_id)
    step = _step(member, operation, request.POST)
    token = step.submit()
    if token is None:
        context |= {"sealed": sealed, "step": step, "form": forms.Form()}
        return render(request, "portal/merchants/payment_password.html", context)
    try:
        payment_passwords.replace(
            merchant_id=member.merchant_id,
            user=member.user,
            operation=operation,
            hashed=hashed,
            token=token,
            at=step.at,
        )
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect(here, member.merchant_id)
    messages.success(request, _("The payment password is set."))
    return redirect("portal:start")


def _step(member: Member, operation: str, given: Any = None) -> verification.Step:
    return verification.Step(
        member,
        operation=operation,
        amount=verification.NOTHING,
        payee=str(member.user.pk),
        at=clock.now(),
        given=given,
    )


def _associated(member: Member) -> bytes:
    return f"portal.payment_password:{member.merchant_id}:{member.user.pk}".encode()


def _sealed(member: Member, hashed: str) -> str:
    return crypto.encrypt(json.dumps([time.time(), hashed]), _associated(member))


def _opened(member: Member, sealed: str) -> str | None:
    """Read the hash of the step before; None when it is too old or not this person's."""
    try:
        since, hashed = json.loads(crypto.decrypt(sealed, _associated(member)))
    except (crypto.KeyUnknown, crypto.Tampered):
        return None
    return str(hashed) if 0 <= time.time() - since < _SEALED_FOR else None


_proves = for_members(*payment_passwords.WHO)

urlpatterns = [
    path("<int:merchant_id>/payment-password", _proves(payment_password), name="payment_password"),
    path(
        "<int:merchant_id>/payment-password/forgotten",
        _proves(forgotten),
        name="payment_password_forgotten",
    ),
]

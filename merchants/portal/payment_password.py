"""A person sets or changes the payment password with a merchant."""

from __future__ import annotations

from typing import Any

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
from foundation import clock
from foundation.portal.guess import is_right
from merchants.models import Ability
from merchants.portal.access import MemberRequest, for_members
from merchants.selectors import payment_password as selectors
from merchants.services import payment_password as payment_passwords


def _secret(label: Any, complete: str, mode: str = "numeric") -> forms.CharField:
    attributes = {"class": "form-control", "autocomplete": complete, "inputmode": mode}
    return forms.CharField(
        label=label,
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs=attributes),
    )


class PaymentPasswordForm(forms.Form):
    """The proofs of who it is, and the new password twice."""

    sign_in_password = _secret(gettext_lazy("Sign-in password"), "current-password", "text")
    current = _secret(gettext_lazy("Payment password until now"), "off")
    new = _secret(gettext_lazy("New payment password"), "off")
    again = _secret(gettext_lazy("New payment password, once more"), "off")

    def __init__(self, *, known: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not known:
            del self.fields["current"]

    def clean(self) -> dict[str, Any]:
        """Compare the two new ones."""
        given = super().clean() or {}
        if given.get("new") != given.get("again"):
            self.add_error("again", _("The two are not the same."))
        return given


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def payment_password(request: MemberRequest) -> HttpResponseBase:
    """
    Set the payment password by the sign-in password, and change it by the old one on top.

    Failures are counted: those of the sign-in password towards its lock, those of the payment
    password towards its own. Who forgot the old one: forgotten_password.py.
    """
    member = request.member
    known = selectors.is_set(merchant_id=member.merchant_id, user=member.user)
    form = PaymentPasswordForm(known=known, data=request.POST or None)
    if request.method == "POST" and form.is_valid() and _changed(request, form):
        messages.success(request, _("The payment password is set."))
        return redirect("portal:home", member.merchant_id)
    context = {"form": form, "known": known}
    return render(request, "portal/merchants/payment_password.html", context)


def signed_in_as(request: MemberRequest, password: str) -> bool:
    """Return whether it is the reader's sign-in password; a wrong one is counted (SIG-11)."""
    return is_right(request, username=request.member.user.get_username(), password=password)


def _changed(request: MemberRequest, form: PaymentPasswordForm) -> bool:
    """Check the proofs, then set it; say beside the field what was refused."""
    member, at, given = request.member, clock.now(), form.cleaned_data
    if not signed_in_as(request, given["sign_in_password"]):
        form.add_error("sign_in_password", _("The sign-in password is not right."))
        return False
    field = "current"
    try:
        if "current" in form.fields:
            payment_passwords.check(
                merchant_id=member.merchant_id,
                user=member.user,
                payment_password=given["current"],
                at=at,
            )
        field = "new"
        payment_passwords.set_password(
            merchant_id=member.merchant_id,
            user=member.user,
            payment_password=given["new"],
            at=at,
        )
    except DomainError as refusal:
        form.add_error(field, str(refusal))
        return False
    return True


urlpatterns = [
    path(
        "<int:merchant_id>/payment-password",
        for_members(Ability.WITHDRAW)(payment_password),
        name="payment_password",
    )
]

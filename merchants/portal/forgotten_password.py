"""Who forgot the payment password gives a new one, by the sign-in password and further proofs."""

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
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from foundation import clock, crypto
from merchants.models import Ability
from merchants.portal import verification
from merchants.portal.access import Member, MemberRequest, for_members
from merchants.portal.payment_password import PaymentPasswordForm, signed_in_as
from merchants.services import payment_password as payment_passwords

_SEALED_FOR: Final = 15 * 60  # seconds


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: MemberRequest) -> HttpResponseBase:
    """
    Take the new password by the sign-in password, then the proofs of the matrix, then set it.

    Between the two steps the page carries the hash of the new password, encrypted. Rule: VER-13.
    """
    member = request.member
    if request.method == "POST" and "sealed" in request.POST:
        return _confirm(request)
    form = PaymentPasswordForm(known=False, data=request.POST or None)
    if request.method == "POST" and form.is_valid() and _good(request, form):
        hashed = payment_passwords.hashed(form.cleaned_data["new"])
        return _show_confirm(request, _sealed(member, hashed), _step(member))
    return render(request, "portal/merchants/payment_password_forgotten.html", {"form": form})


def _good(request: MemberRequest, form: PaymentPasswordForm) -> bool:
    """Check the sign-in password, and that the new one is strong; say beside the field why not."""
    if not signed_in_as(request, form.cleaned_data["sign_in_password"]):
        form.add_error("sign_in_password", _("The sign-in password is not right."))
        return False
    try:
        payment_passwords.require_strong(form.cleaned_data["new"])
    except DomainError as refusal:
        form.add_error("new", str(refusal))
        return False
    return True


def _confirm(request: MemberRequest) -> HttpResponseBase:
    """Verify the person and set what was typed in the step before."""
    member, sealed = request.member, request.POST["sealed"]
    hashed = _opened(member, sealed)
    if hashed is None:
        messages.error(request, _("This form is too old: please fill it in once more."))
        return redirect("portal:payment_password_forgotten", member.merchant_id)
    step = _step(member, request.POST)
    token = step.submit()
    if token is None:
        return _show_confirm(request, sealed, step)
    try:
        payment_passwords.reset(
            merchant_id=member.merchant_id,
            user=member.user,
            hashed=hashed,
            token=token,
            at=clock.now(),
        )
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("portal:payment_password_forgotten", member.merchant_id)
    messages.success(request, _("The payment password is set."))
    return redirect("portal:home", member.merchant_id)


def _step(member: Member, given: Any = None) -> verification.Step:
    return verification.Step(
        member,
        operation=payment_passwords.RESET,
        amount=verification.NOTHING,
        payee=str(member.user.pk),
        at=clock.now(),
        given=given,
    )


def _show_confirm(request: MemberRequest, sealed: str, step: verification.Step) -> HttpResponseBase:
    context = {"sealed": sealed, "step": step, "form": forms.Form()}
    return render(request, "portal/merchants/payment_password_forgotten.html", context)


def _associated(member: Member) -> bytes:
    return f"portal.forgotten_password:{member.merchant_id}:{member.user.pk}".encode()


def _sealed(member: Member, hashed: str) -> str:
    return crypto.encrypt(json.dumps([time.time(), hashed]), _associated(member))


def _opened(member: Member, sealed: str) -> str | None:
    """Read the hash of the step before; None when it is too old or not this person's."""
    try:
        since, hashed = json.loads(crypto.decrypt(sealed, _associated(member)))
    except (crypto.KeyUnknown, crypto.Tampered):
        return None
    return str(hashed) if 0 <= time.time() - since < _SEALED_FOR else None


urlpatterns = [
    path(
        "<int:merchant_id>/payment-password/forgotten",
        for_members(Ability.WITHDRAW)(forgotten),
        name="payment_password_forgotten",
    )
]

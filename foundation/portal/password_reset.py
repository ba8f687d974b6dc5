"""The pages of a forgotten sign-in password: asking for a link, and the new password."""

from __future__ import annotations

from typing import Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from foundation import clock
from foundation.portal import session
from foundation.portal.account import PasswordForm
from foundation.portal.page import page
from foundation.services import password_reset as resets
from foundation.services.sign_in_password import PasswordChangedTooOften, PasswordUsedBefore

_TOKEN: Final = "password_reset.token"


class AddressForm(forms.Form):
    """The e-mail address of the account."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=150,
        widget=forms.EmailInput(attrs={"class": "form-control", "autocomplete": "email"}),
    )


@page
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponseBase:
    """Take an address; the answer is the same for every one."""
    form = AddressForm(data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        resets.ask(email=form.cleaned_data["email"], at=clock.now())
        return render(request, "portal/foundation/password_asked.html")
    return render(request, "portal/foundation/password_forgotten.html", {"form": form})


@page
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Put what the e-mail's link carries into the session, and out of the address."""
    session.keep_link(request, _TOKEN, token[:200])
    return redirect("portal:password_new")


@page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """Take the new password; then one signs in with it, the second step included."""
    token = session.kept_link(request, _TOKEN)
    try:
        user = resets.opened(token=token)
        form = PasswordForm(data=request.POST if request.method == "POST" else None, user=user)
        if request.method == "POST" and form.is_valid() and _reset(token, form):
            request.session.pop(_TOKEN, None)
            messages.success(request, _("The password is changed: sign in with it."))
            return redirect("portal:sign_in")
    except resets.LinkRefused as refusal:
        request.session.pop(_TOKEN, None)
        context = {"refusal": str(refusal)}
        return render(request, "portal/foundation/password_refused.html", context, status=410)
    return render(request, "portal/foundation/password_new.html", {"form": form})


def _reset(token: str, form: PasswordForm) -> bool:
    """Set it, or say beside the field why not. Raises LinkRefused."""
    try:
        resets.reset(token=token, password=form.cleaned_data["new"], at=clock.now())
    except (PasswordUsedBefore, PasswordChangedTooOften) as refusal:
        form.add_error("new", str(refusal))
        return False
    return True


urlpatterns = [
    path("password/forgotten", forgotten, name="password_forgotten"),
    path("password/new", new, name="password_new"),
    path("password/<str:token>", link, name="password_link"),
]

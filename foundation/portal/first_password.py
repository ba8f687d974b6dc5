"""The page behind the link of a new account of staff: the first password, one's own."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from foundation import clock
from foundation.portal import session
from foundation.portal.account import PasswordForm
from foundation.portal.page import page
from foundation.services import first_password as first_passwords
from foundation.services.sign_in_password import PasswordUsedBefore

_TOKEN: Final = "first_password.token"


@page
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Put what the e-mail's link carries into the session, and out of the address."""
    session.keep_link(request, _TOKEN, token[: first_passwords.MOST])
    return redirect("account:first_password")


@page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def first(request: HttpRequest) -> HttpResponseBase:
    """Take the first password, in the owner's language; then he signs in with it as ever."""
    token, at = session.kept_link(request, _TOKEN), clock.now()
    try:
        user = first_passwords.opened(token=token, at=at)
        with translation.override(user.language):
            form = PasswordForm(data=request.POST if request.method == "POST" else None, user=user)
            if request.method == "POST" and form.is_valid() and _chosen(token, form):
                request.session.pop(_TOKEN, None)
                messages.success(request, _("The password is set: sign in with it."))
                return redirect("admin:login")
            context = {"form": form, "account": user.username}
            return render(request, "account/first_password.html", context)
    except first_passwords.LinkRefused as refusal:
        request.session.pop(_TOKEN, None)
        context = {"refusal": str(refusal)}
        return render(request, "account/first_password_refused.html", context, status=410)


def _chosen(token: str, form: PasswordForm) -> bool:
    """Set it, or say beside the field why not. Raises LinkRefused."""
    try:
        password = form.cleaned_data["new"]
        first_passwords.choose(token=token, password=password, at=clock.now())
    except PasswordUsedBefore as refusal:
        form.add_error("new", str(refusal))
        return False
    return True


urlpatterns = [
    path("first-password", first, name="first_password"),
    path("first-password/<str:token>", link, name="first_password_link"),
]

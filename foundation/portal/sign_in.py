"""Signing in and out of the portal, and the language of a person."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from foundation import actor
from foundation.models import SignIn, User
from foundation.portal import session
from foundation.portal.guess import GuessedOneByOne
from foundation.portal.page import page

_HOME: Final = "portal:start"


class SignInForm(GuessedOneByOne):
    """User name and password of a merchant's person."""

    error_messages = {
        "invalid_login": _("The user name or the password is not right."),
        "inactive": _("This account is switched off."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("User name")
        self.fields["password"].label = _("Password")
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control form-control-lg"

    def confirm_login_allowed(self, user: User) -> None:
        """Let merchants' people in; staff have a door and an account of their own."""
        super().confirm_login_allowed(user)
        if user.is_staff or user.is_superuser:
            raise ValidationError(_("Staff do not sign in here: use the administration."))


@page
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Ask who it is, and go on to the page that was asked for."""
    onward = _own_address(request, request.POST.get("next") or request.GET.get("next"))
    if request.method != "POST" and isinstance(request.user, User) and not request.user.is_staff:
        return HttpResponseRedirect(onward)
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        user = form.get_user()
        return session.begin(request, user, door=SignIn.Door.PORTAL, onward=onward)
    return render(request, "portal/foundation/sign_in.html", {"form": form, "next": onward})


@page
@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End the session, by whichever door it was opened."""
    staff = isinstance(request.user, User) and request.user.is_staff
    logout(request)
    return redirect("admin:login" if staff else "portal:sign_in")


@page
@require_POST
def language(request: HttpRequest) -> HttpResponseBase:
    """Speak another language from now on: kept with the account, or in a cookie before sign-in."""
    code = request.POST.get("language", "")
    answer = HttpResponseRedirect(_own_address(request, request.POST.get("next")))
    if code in dict(settings.LANGUAGES):
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            secure=request.is_secure(),
            httponly=True,
        )
        if isinstance(request.user, User) and request.user.language != code:
            with transaction.atomic():
                actor.stamp_transaction()
                request.user.language = code
                request.user.save(update_fields=["language"])
    return answer


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: object = None
) -> HttpResponse:
    """Say that signing in is locked after too many failures, for how long (AXES settings)."""
    return render(
        request,
        "portal/foundation/locked.html",
        {
            "hours": settings.AXES_COOLOFF_TIME,
            "until": getattr(request, "guess_locked_until", None),
            "language": translation.get_language(),
        },
        status=429,
    )


def _own_address(request: HttpRequest, target: str | None) -> str:
    return session.own_address(request, target, home=_HOME)


urlpatterns = [
    path("sign-in", sign_in, name="sign_in"),
    path("sign-out", sign_out, name="sign_out"),
    path("language", language, name="language"),
]

"""A person's own account: password, second step, recovery codes, sessions. For both doors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.errors import DomainError, NotFound
from foundation import actor, clock
from foundation.models import SignIn, User
from foundation.portal import second_step, session
from foundation.portal.guess import is_right
from foundation.selectors import second_factor as second_factor_selectors
from foundation.selectors import sign_in as sign_in_selectors
from foundation.selectors import sign_in_password as password_selectors
from foundation.services import passkey as passkeys
from foundation.services import recovery_code as recovery_codes
from foundation.services import second_factor as second_factors
from foundation.services import sign_in as sign_ins
from foundation.services import sign_in_password as passwords


def _secret(label: Any, complete: str) -> forms.CharField:
    attributes = {"class": "form-control", "autocomplete": complete}
    return forms.CharField(
        label=label, max_length=128, strip=False, widget=forms.PasswordInput(attrs=attributes)
    )


class ConfirmForm(second_step.ProofForm):
    """The sign-in password, and the second step of who has one."""

    field_order = ("password", "code", "credential")
    password = _secret(gettext_lazy("Password"), "current-password")

    def __init__(self, *args: Any, stepped: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("autofocus")
        if not stepped:
            del self.fields["code"], self.fields["credential"]

    def clean(self) -> dict[str, Any]:
        """Ask for the second step only where there is one."""
        return super().clean() if "code" in self.fields else forms.Form.clean(self) or {}


class PasswordForm(forms.Form):
    """The new sign-in password, twice."""

    new = _secret(gettext_lazy("New password"), "new-password")
    again = _secret(gettext_lazy("New password, once more"), "new-password")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        """Compare the two, and refuse what is easy to guess."""
        given = super().clean() or {}
        if given.get("new") != given.get("again"):
            self.add_error("again", _("The two are not the same."))
        elif given.get("new"):
            try:
                validate_password(given["new"], self.user)
            except ValidationError as weak:
                self.add_error("new", weak)
        return given


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@require_safe
def account(request: HttpRequest) -> HttpResponseBase:
    """Show the second step, recovery codes and open sessions of the reader."""
    user, at = _user(request), clock.now()
    context = {
        "factors": second_factor_selectors.of_user(user=user),
        "codes_left": second_factor_selectors.codes_left(user=user),
        "must": second_factor_selectors.must_have(user=user),
        "sessions": sign_in_selectors.open_of(user=user, at=at)[:100],
        "lately_new": sign_in_selectors.lately_new(user=user, at=at)[:10],
        "own": session.sign_in_of(request),
        "password_ends": password_selectors.standing(user=user, at=at).expires_at,
    }
    return render(request, "account/account.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponseBase:
    """Ask again who it is, before something sensitive. Failures count as at sign-in."""
    user, at = _user(request), clock.now()
    stepped = second_factor_selectors.has_any(user=user)
    form = ConfirmForm(data=request.POST if request.method == "POST" else None, stepped=stepped)
    if request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        if not is_right(request, username=user.get_username(), password=password):
            form.add_error("password", _("The password is not right."))
        elif not stepped or form.prove(user, at):
            return redirect(session.confirm(request, at) or "account:account")
    context = {**second_step.ask(form, user), "stepped": stepped}
    return render(request, "account/confirm.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def app(request: HttpRequest) -> HttpResponseBase:
    """Enrol an authenticator app."""
    user, at = _user(request), clock.now()
    first = not second_factor_selectors.has_any(user=user)
    form = second_step.CodeForm(data=request.POST if request.method == "POST" else None)
    if (
        request.method == "POST"
        and form.is_valid()
        and second_step.enrolled(request, form, user, at)
    ):
        return _added(request, first=first)
    context = {"form": form, "must": False, **second_step.invitation(request, user)}
    return render(request, "account/enrol.html", context)


class PasskeyForm(forms.Form):
    """A key that the browser made, and what to call it."""

    name = forms.CharField(
        label=gettext_lazy("Name of the passkey"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )
    credential = second_step.CredentialField()


@require_http_methods(["GET", "HEAD", "POST"])
def passkey(request: HttpRequest) -> HttpResponseBase:
    """Add a passkey."""
    user = _user(request)
    first = not second_factor_selectors.has_any(user=user)
    form = PasskeyForm(data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            passkeys.add(user=user, name=given["name"], credential=given["credential"])
        except DomainError as refusal:
            form.add_error("name", str(refusal))
        else:
            return _added(request, first=first)
    context = {"form": form, "passkey_options": passkeys.options_to_add(user=user)}
    return render(request, "account/passkey.html", context)


def _added(request: HttpRequest, *, first: bool) -> HttpResponseBase:
    """End what was opened without the new factor; with the first one, show recovery codes."""
    user, at = _user(request), clock.now()
    session.mark_stepped(request)
    if first:
        why, own = SignIn.Ended.FACTOR, session.sign_in_of(request)
        sign_ins.end_all(user=user, why=why, at=at, but=own)
        return _codes(request)
    messages.success(request, _("The second step is added."))
    return redirect("account:account")


def _codes(request: HttpRequest) -> HttpResponseBase:
    context = {"codes": recovery_codes.make(user=_user(request)), "onward": ""}
    return render(request, "account/recovery_codes.html", context)


@require_POST
def new_codes(request: HttpRequest) -> HttpResponseBase:
    """Make new recovery codes and show them, once."""
    if not second_factor_selectors.has_any(user=_user(request)):
        return redirect("account:account")
    return _codes(request)


@require_POST
def remove(request: HttpRequest, factor_id: int) -> HttpResponseBase:
    """Take a factor away, and end the other sessions."""
    user, at = _user(request), clock.now()
    try:
        second_factors.remove(user=user, factor_id=factor_id)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        own = session.sign_in_of(request)
        sign_ins.end_all(user=user, why=SignIn.Ended.FACTOR, at=at, but=own)
        messages.success(request, _("The second step is removed; your other sessions ended."))
    return redirect("account:account")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponseBase:
    """Change the sign-in password; every other session ends."""
    user, at = _user(request), clock.now()
    form = PasswordForm(data=request.POST if request.method == "POST" else None, user=user)
    own = session.sign_in_of(request)
    if request.method == "POST" and form.is_valid() and _chosen(form, user, at, keep=own):
        update_session_auth_hash(request, user)
        session.moved(request)
        messages.success(request, _("The password is changed; your other sessions ended."))
        return redirect("account:account")
    return render(request, "account/password.html", {"form": form})


def _chosen(
    form: PasswordForm, user: User, at: datetime, *, due: bool = False, keep: int | None = None
) -> bool:
    """Set the password and end every session but `keep`; or say beside the field why not."""
    try:
        with transaction.atomic():
            actor.stamp_transaction()
            passwords.choose(user=user, password=form.cleaned_data["new"], at=at, due=due)
            second_factors.record(user, "account.password")
            sign_ins.end_all(user=user, why=SignIn.Ended.PASSWORD, at=at, but=keep)
    except DomainError as refusal:
        form.add_error("new", str(refusal))
        return False
    return True


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def renew(request: HttpRequest, waiting: session.Waiting) -> HttpResponseBase:
    """
    Let who must choose another password do so, before he is signed in; nothing else is open to him.

    Rule: SIG-15, SIG-16.
    """
    user, at = waiting.user, clock.now()
    due = password_selectors.standing(user=user, at=at).due
    unproved = not waiting.proved and second_factor_selectors.has_any(user=user)
    if waiting.proved is None or unproved or not due:
        return session.begin(request, user, door=waiting.door, onward=waiting.onward)
    form = PasswordForm(data=request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST" and form.is_valid() and _chosen(form, user, at, due=True):
        return session.complete(request, waiting, factor=waiting.proved, at=at)
    return render(request, "account/renew.html", {"form": form, "due": due})


@require_POST
def end(request: HttpRequest, sign_in_id: int) -> HttpResponseBase:
    """End one session of the reader."""
    try:
        sign_ins.end(
            user=_user(request),
            sign_in_id=sign_in_id,
            why=SignIn.Ended.ELSEWHERE,
            at=clock.now(),
        )
    except NotFound as unknown:
        raise Http404 from unknown
    messages.success(request, _("The session ended."))
    return redirect("account:account")


@require_POST
def end_others(request: HttpRequest) -> HttpResponseBase:
    """End every session of the reader but this one."""
    own = session.sign_in_of(request)
    why, at = SignIn.Ended.ELSEWHERE, clock.now()
    count = sign_ins.end_all(user=_user(request), why=why, at=at, but=own)
    messages.success(request, _("%(count)s other sessions ended.") % {"count": count})
    return redirect("account:account")


_open: Callable[..., Any] = session.for_signed_in
_sensitive: Callable[..., Any] = partial(session.for_signed_in, sensitive=True)

urlpatterns = [
    path("", _open(account), name="account"),
    path("confirm", _open(confirm), name="confirm"),
    path("app", _sensitive(app), name="app"),
    path("passkey", _sensitive(passkey), name="passkey"),
    path("recovery-codes", _sensitive(new_codes), name="recovery_codes"),
    path("factors/<int:factor_id>/remove", _sensitive(remove), name="remove"),
    path("password/renew", session.for_waiting(renew), name="renew"),
    path("password", _sensitive(password), name="password"),
    path("sessions/<int:sign_in_id>/end", _open(end), name="end"),
    path("sessions/end-others", _open(end_others), name="end_others"),
]

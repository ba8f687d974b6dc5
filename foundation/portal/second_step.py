"""The second step of signing in, and making one where a role asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from config.errors import DomainError
from foundation import clock, crypto
from foundation.models import User
from foundation.portal import session
from foundation.selectors import second_factor as selectors
from foundation.services import passkey as passkeys
from foundation.services import recovery_code as recovery_codes
from foundation.services import totp

_DIGITS: Final = 6  # of a code by time; a recovery code has eight
_SECRET: Final = "second_step.secret"


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        widget=forms.TextInput(
            attrs={
                "class": "form-control form-control-lg",
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autofocus": True,
            }
        ),
    )


class CredentialField(forms.JSONField):
    """What a browser's key answered: an object of text, small and flat; all else is no answer."""

    widget = forms.HiddenInput
    most: Final = 20_000  # letters; a browser sends about a thousand

    def to_python(self, value: Any) -> Any:
        """Read it. Raises ValidationError for what no browser sends, however it is nested."""
        try:
            if len(str(value or "")) > self.most:
                raise ValueError
            found = super().to_python(value)
            if found is not None and not isinstance(found, dict):
                raise ValueError
            str(found).encode()  # half characters cannot be shown nor stored
        except (ValueError, RecursionError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show nothing of it again: a challenge is answered once."""
        return InvalidJSONInput("")


class ProofForm(CodeForm):
    """A code, or what a passkey signed."""

    credential = CredentialField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].required = False

    def clean(self) -> dict[str, Any]:
        """Ask for one of the two."""
        given = super().clean() or {}
        if not given.get("code") and not given.get("credential") and not self.errors:
            self.add_error("code", _("Please give a code."))
        return given

    def prove(self, user: User, at: datetime) -> str:
        """
        Check what was given against the account's factors; return the kind that was good, or ""
        with the refusal beside the field.
        """
        code, credential = self.cleaned_data["code"], self.cleaned_data.get("credential")
        digits = sum(char.isdigit() for char in code)
        try:
            if credential:
                passkeys.check(user=user, credential=credential, at=at)
                return "webauthn"
            if digits > _DIGITS:
                recovery_codes.check(user=user, code=code, at=at)
                return "recovery_codes"
            totp.check_totp(user, code, at)
        except DomainError as refusal:
            self.add_error("code", str(refusal))
            return ""
        return "totp"


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest, waiting: session.Waiting) -> HttpResponseBase:
    """Ask for a code or a passkey of who gave the right password, then sign him in."""
    at = clock.now()
    if not selectors.has_any(user=waiting.user):  # taken away meanwhile
        return session.begin(request, waiting.user, door=waiting.door, onward=waiting.onward)
    form = ProofForm(data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and (kind := form.prove(waiting.user, at)):
        return session.complete(request, waiting, factor=kind, at=at)
    return render(request, "account/second_step.html", ask(form, waiting.user))


def ask(form: forms.Form, user: User) -> dict[str, Any]:
    """Return what a page that asks for the second step needs."""
    kinds = {factor.kind for factor in selectors.of_user(user=user)}
    return {
        "form": form,
        "kinds": kinds,
        "passkey_options": passkeys.options_to_check(user=user) if "webauthn" in kinds else None,
    }


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: HttpRequest, waiting: session.Waiting) -> HttpResponseBase:
    """
    Let who must have a second step and has none make one; nothing else is open to him.

    Once it is made he is signed in, and sees his recovery codes, once.
    """
    at = clock.now()
    if selectors.has_any(user=waiting.user):  # made in another window meanwhile
        return session.begin(request, waiting.user, door=waiting.door, onward=waiting.onward)
    form = CodeForm(data=request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and enrolled(request, form, waiting.user, at):
        codes = recovery_codes.make(user=waiting.user)
        onward = session.signed_in(request, waiting, factor="totp", at=at)
        context: dict[str, Any] = {"codes": codes, "onward": onward}
        return session.with_device(request, render(request, "account/recovery_codes.html", context))
    context = {"form": form, "must": True, **invitation(request, waiting.user)}
    return render(request, "account/enrol.html", context)


def invitation(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return the secret to be enrolled, as a picture and as text; it waits in the session."""
    secret = _kept_secret(request, user)
    groups = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return {"picture": totp.picture(user, secret), "secret": groups}


def enrolled(request: HttpRequest, form: forms.Form, user: User, at: datetime) -> bool:
    """Enrol the secret of this session by the form's code; say beside the field what was wrong."""
    try:
        totp.enrol(
            user=user, secret=_kept_secret(request, user), code=form.cleaned_data["code"], at=at
        )
    except DomainError as refusal:
        form.add_error("code", str(refusal))
        return False
    request.session.pop(_SECRET, None)
    return True


def _kept_secret(request: HttpRequest, user: User) -> str:
    """Return the secret offered in this session; it lies there encrypted for this account."""
    associated = user.pk.bytes + _SECRET.encode()
    kept = request.session.get(_SECRET)
    if kept:
        try:
            return crypto.decrypt(kept, associated)
        except (crypto.Tampered, crypto.KeyUnknown):
            pass  # of another account, or of a key that has gone: a new one is offered
    secret = totp.new_secret()
    request.session[_SECRET] = crypto.encrypt(secret, associated)
    return secret


urlpatterns = [
    path("second-step", session.for_waiting(second_step), name="second_step"),
    path("enrol", session.for_waiting(enrol), name="enrol"),
]

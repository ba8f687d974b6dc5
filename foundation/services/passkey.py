"""
Passkeys (WebAuthn): a key in a telephone, a computer or on a key ring that signs our challenge.

The challenge waits in the session of the present request, where `allauth.mfa` keeps it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from foundation.models import User
from foundation.services import second_factor as second_factors

MOST = 10  # passkeys of one account
# What the library raises for an answer that no browser would give.
_GARBAGE = (ValidationError, TypeError, ValueError, KeyError, IndexError, AttributeError)


def options_to_add(*, user: User) -> dict[str, Any]:
    """Return what the browser needs to make a key for this account."""
    return dict(auth.begin_registration(user, passwordless=False))


def options_to_check(*, user: User) -> dict[str, Any]:
    """Return what the browser needs to sign with one of the account's keys."""
    return dict(auth.begin_authentication(user))


def add(*, user: User, name: str, credential: Any) -> None:
    """
    Keep a key that the browser made for the challenge of `options_to_add`.

    The caller has proved who the person is. Raises: CodeWrong for an answer that does not fit;
    FactorExists for too many. Rule: SIG-2.
    """
    try:
        auth.parse_registration_response(credential)
        auth.complete_registration(credential)
    except _GARBAGE:
        raise second_factors.CodeWrong(_("The passkey was not made; try again.")) from None
    with transaction.atomic():
        second_factors.locked(user)
        kept = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
        if kept.count() >= MOST:
            raise second_factors.FactorExists(
                _("An account has at most %(most)s passkeys.") % {"most": MOST}
            )
        auth.WebAuthn.add(user, name.strip()[:100] or _("Passkey"), credential)
        second_factors.record(user, "second_factor.add", kind="webauthn")


def check(*, user: User, credential: Any, at: datetime) -> None:
    """
    Pass when one of the account's keys signed the challenge of `options_to_check`, which is used
    up; else count the failure.

    Raises: CodeWrong, CodesLocked. Rule: SIG-3.
    """
    second_factors.counted(user=user, at=at, attempt=lambda _guard: _fits(user, credential, at))


def _fits(user: User, credential: Any, at: datetime) -> bool:
    try:
        auth.parse_authentication_response(credential)
        row = auth.complete_authentication(user, credential)
    except _GARBAGE:
        return False
    finally:
        auth.clear_state()
    row.last_used_at = at
    row.save(update_fields=["last_used_at"])
    return True

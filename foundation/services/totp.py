"""One-time codes by time (TOTP, RFC 6238): enrolled by the account's owner, each good once."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Final

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from django.db import transaction
from django.utils.translation import gettext as _

from foundation import mfa
from foundation.models import SecondFactorGuard, User
from foundation.services import second_factor as second_factors

DRIFT: Final = 1  # time steps that a telephone's clock may be off, both ways


def new_secret() -> str:
    """Return a secret that is nobody's yet: 160 random bits in base32."""
    return str(auth.generate_totp_secret())


def address(user: User, secret: str) -> str:
    """Return the `otpauth:` address that an app on a telephone takes in as a QR code."""
    return str(get_adapter().build_totp_url(user, secret))


def picture(user: User, secret: str) -> str:
    """Return the address as a QR code: an SVG element to be put into a page."""
    svg = str(get_adapter().build_totp_svg(address(user, secret)))
    return svg[svg.index("<svg") :]


def enrol(*, user: User, secret: str, code: str, at: datetime) -> None:
    """
    Give an account its TOTP factor, once a code shows that the telephone has the secret.

    The caller has proved who the person is. Raises: FactorExists, CodeWrong. Rule: SIG-2, SIG-4.
    """
    step = _step_of(secret, code, at, above=0)
    if step is None:
        raise second_factors.CodeWrong(
            _("This is not the code of this key. Look at the telephone's clock, and try again.")
        )
    with transaction.atomic():
        guard = second_factors.locked(user)
        if _of(user) is not None:
            raise second_factors.FactorExists(_("There is an authenticator app already."))
        with mfa.secrets_of(user.pk):
            auth.TOTP.activate(user, secret)
        guard.last_step = max(guard.last_step, step)
        guard.save()
        second_factors.record(user, "second_factor.add", kind="totp")


def check_totp(user: User, code: str, at: datetime) -> None:
    """
    Pass when `code` is the account's present one-time code and was never used; else count it.

    A code of the step before or after is taken too, for clocks that are off. Each passes once, for
    whatever it was asked for. Commits by itself: never call it inside a transaction that may roll
    back.

    Raises: FactorNotSet, CodeUsed (not counted), CodeWrong, CodesLocked.
    Rule:   SIG-3, SIG-4 (docs/rules/sign_in.md).
    """
    second_factors.counted(user=user, at=at, attempt=lambda guard: _fits(guard, user, code, at))


def _fits(guard: SecondFactorGuard, user: User, code: str, at: datetime) -> bool:
    found = _of(user)
    if found is None:
        raise second_factors.FactorNotSet(_("There is no authenticator app for this account."))
    with mfa.secrets_of(user.pk):
        secret = get_adapter().decrypt(found.data["secret"])
    step = _step_of(secret, code, at, above=guard.last_step)
    if step is not None:
        guard.last_step = step
        found.last_used_at = at
        found.save(update_fields=["last_used_at"])
        return True
    if _step_of(secret, code, at, above=0) is not None:
        raise second_factors.CodeUsed(_("This code was used already: wait for the next one."))
    return False


def _of(user: User) -> Authenticator | None:
    found: Authenticator | None = Authenticator.objects.filter(
        user=user, type=Authenticator.Type.TOTP
    ).first()
    return found


def _step_of(secret: str, code: str, at: datetime, *, above: int) -> int | None:
    """Return the time step whose code this is, later than step `above`; None for no step."""
    given = unicodedata.normalize("NFKC", code)  # digits of a Chinese keyboard may be full-width
    now = int(at.timestamp()) // app_settings.TOTP_PERIOD
    for step in range(max(now - DRIFT, above + 1), now + DRIFT + 1):
        expected = auth.format_hotp_value(auth.hotp_value(secret, step))
        if compare_user_code(actual=given, expected=expected):
            return step
    return None

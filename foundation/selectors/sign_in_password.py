"""Reading how long a sign-in password is good, and whether another one is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from foundation.models import SignInPassword, User

WARNED_FOR: Final = timedelta(days=14)  # before the end, on the screen


@dataclass(frozen=True, slots=True)
class Standing:
    """Why another password is due now ("given", "expired", "" for none), and when one will be."""

    due: str
    expires_at: datetime | None


def standing(*, user: User, at: datetime) -> Standing:
    """
    Return how an account's password stands. Rule: SIG-15, SIG-16 (docs/rules/sign_in.md).

    PASSWORD_STAFF_DAYS and PASSWORD_PORTAL_DAYS say how long one is good, 0 for ever;
    PASSWORD_CHANGE_GIVEN whether one that another person set is changed at the first sign-in.
    """
    latest = SignInPassword.objects.filter(user=user).order_by("-id").first()
    staff = user.is_staff or user.is_superuser
    days = settings.PASSWORD_STAFF_DAYS if staff else settings.PASSWORD_PORTAL_DAYS
    since = user.date_joined if latest is None else latest.set_at
    expires_at = since + timedelta(days=days) if days else None
    if latest is not None and latest.given and settings.PASSWORD_CHANGE_GIVEN:
        return Standing("given", expires_at)
    expired = expires_at is not None and at >= expires_at
    return Standing("expired" if expired else "", expires_at)


def days_left(*, user: User, at: datetime) -> int | None:
    """Return for how many days the password is good, begun ones too; None when it is too early."""
    expires_at = standing(user=user, at=at).expires_at
    if expires_at is None or expires_at - at > WARNED_FOR:
        return None
    return max(-((at - expires_at) // timedelta(days=1)), 0)

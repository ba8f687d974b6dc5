"""Reading sign-ins: sessions that are open, and whether somebody came from a new place lately."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet

from foundation.models import SignIn, User

WATCHED_FOR: Final = timedelta(hours=24)


def open_of(*, user: User, at: datetime) -> QuerySet[SignIn]:
    """Return the account's sessions that may still live, latest first."""
    return SignIn.objects.filter(living(at), user=user).order_by("-signed_in_at", "-id")


def living(at: datetime) -> Q:
    """Return what the row of a session meets that is not over."""
    return Q(
        ended_at=None,
        signed_in_at__gt=at - timedelta(seconds=settings.SESSION_COOKIE_AGE),
        last_seen_at__gt=at - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
    )


def lately_new(*, user: User, at: datetime) -> QuerySet[SignIn]:
    """Return the sign-ins of the last 24 hours from a new device or place, latest first."""
    return SignIn.objects.filter(
        Q(new_device=True) | Q(new_place=True),
        user=user,
        signed_in_at__gt=at - WATCHED_FOR,
        signed_in_at__lte=at,
    ).order_by("-signed_in_at", "-id")


def recently_new_device(user: User, at: datetime) -> bool:
    """
    Return whether the account was signed in from a new device or place in the 24 hours before.

    Verification asks for a higher level then. The first sign-in of an account is not new: there is
    nothing to compare it with. Rule: SIG-8.
    """
    return lately_new(user=user, at=at).exists()

"""Every sign-in password is set here: by its owner, or by another person for him."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.utils.translation import gettext as _

from config.errors import DomainError, Malformed
from foundation.models import SignInPassword, User

NOT_AGAIN: Final = 4  # the present one and the three before it
MOST_IN_A_DAY: Final = 4  # so that nobody comes back to an old one within the day
_DAY: Final = timedelta(hours=24)


class PasswordUsedBefore(Malformed):
    """The new password is one of the last four."""

    code = "sign_in_password_used_before"


class PasswordChangedTooOften(DomainError):
    """Its owner changed it four times within 24 hours."""

    code = "sign_in_password_changed_too_often"
    http_status = 429


def choose(*, user: User, password: str, at: datetime, due: bool = False) -> None:
    """
    Set the password that its owner chose, inside the caller's stamped transaction.

    There is no least age: who fears that somebody knows it changes it at once. When another one is
    `due`, it is never too often. Whether it is easy to guess the form has judged.

    Raises: PasswordUsedBefore, PasswordChangedTooOften. Rule: SIG-15 (docs/rules/sign_in.md).
    """
    with transaction.atomic():
        present = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
        former = SignInPassword.objects.filter(user=user)
        today = former.filter(given=False, set_at__gt=at - _DAY).count()
        if today >= MOST_IN_A_DAY and not due:
            raise PasswordChangedTooOften(
                _("You changed it %(count)s times within a day: try again tomorrow.")
                % {"count": today}
            )
        hashes = former.order_by("-id").values_list("password_hash", flat=True)[:NOT_AGAIN]
        if any(check_password(password, known) for known in {present.password, *hashes}):
            raise PasswordUsedBefore(
                _("You had this password before: choose one that is none of your last four.")
            )
        _set(user, password, given=False, at=at)


def give(*, user: User, password: str, at: datetime) -> None:
    """
    Set a password for somebody else, new accounts too; he changes it at his first sign-in.

    Inside the caller's stamped transaction. Rule: SIG-16.
    """
    with transaction.atomic():
        _set(user, password, given=True, at=at)


def begin(*, user: User, password: str, at: datetime) -> None:
    """Save a new account with the password its owner chose, in the caller's transaction."""
    with transaction.atomic():
        _set(user, password, given=False, at=at)


def _set(user: User, password: str, *, given: bool, at: datetime) -> None:
    user.set_password(password)
    user.save(update_fields=None if user._state.adding else ["password"])
    SignInPassword.objects.create(user=user, password_hash=user.password, given=given, set_at=at)

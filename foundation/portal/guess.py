"""Guesses at one account's sign-in password come one after the other, over all processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from foundation import clock, crypto
from foundation.models import User
from foundation.portal.session import DEVICE_COOKIE
from foundation.services import guess_count as guess_counts

T = TypeVar("T")
_LOCK_NOT_AVAILABLE = "55P03"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('foundation.guess:' || %s, 0))"


def one_by_one(request: HttpRequest, username: str, guess: Callable[[], T]) -> T:
    """
    Return what the guess returns, with every other guess at this account waiting meanwhile.

    Without this a hundred guesses sent at once are all compared before the first failure counts.
    A refusal by ValidationError is a wrong guess and keeps what was counted; so is it refused when
    the wait is too long, and when too many were wrong, from whatever addresses.
    Rule: SIG-13, SIG-14 (docs/rules/sign_in.md).
    """
    refusal: ValidationError | None = None
    with transaction.atomic():
        _wait(username)
        try:
            return _counted(request, username, guess)
        except ValidationError as refused:
            refusal = refused
    raise refusal


def counted_name(request: HttpRequest, credentials: Mapping[str, str] | None = None) -> str | None:
    """
    Return under which name failures from an address are counted (AXES_USERNAME_CALLABLE): that of
    an account, else a keyed hash of what was typed. Some type their password there; it is not kept.
    """
    name = (credentials or {}).get("username") or request.POST.get("username")
    known: dict[str, str] = request.__dict__.setdefault("counted_names", {})
    if name and name not in known:
        there = User.objects.filter(username=name.replace("\0", "")).exists()
        known[name] = name if there else f"? {crypto.lookup_hash(f'guess:{name}').hex()[:32]}"
    return known[name] if name else None


def is_right(request: HttpRequest, *, username: str, password: str) -> bool:
    """
    Return whether it is the account's password; nobody is told that too many guesses wait.

    A failure is recorded without what else was typed: the form may carry other secrets.
    """
    typed = request.POST
    request.POST = QueryDict()
    try:
        return one_by_one(request, username, lambda: _compared(request, username, password))
    except ValidationError:
        return False
    finally:
        request.POST = typed


def _compared(request: HttpRequest, username: str, password: str) -> bool:
    if authenticate(request, username=username, password=password) is None:
        raise ValidationError(_("The password is not right."))
    return True


def _counted(request: HttpRequest, username: str, guess: Callable[[], T]) -> T:
    """Guess, unless it is locked for this device; count what came of it."""
    if not AxesProxyHandler.is_allowed(request, {"username": username}):
        return guess()  # refused by the address's own lock: nothing is compared, nothing counted
    at, token = clock.now(), request.COOKIES.get(DEVICE_COOKIE, "")
    key = guess_counts.key_of(username=username, device_token=token)
    until = guess_counts.locked_until(key=key, at=at)
    if until is not None:
        raise _locked(request, until)
    try:
        found = guess()
    except ValidationError:
        until = guess_counts.wrong(key=key, username=username, at=at)
        if until is not None:
            raise _locked(request, until) from None
        raise
    guess_counts.right(key=key)
    return found


def _locked(request: HttpRequest, until: datetime) -> ValidationError:
    """Let the answer be the page of the lock, as for one address (AXES_LOCKOUT_CALLABLE)."""
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.guess_locked_until = until  # type: ignore[attr-defined]
    return ValidationError(
        _("Too many wrong passwords: locked until %(until)s.")
        % {"until": f"{timezone.localtime(until):%Y-%m-%d %H:%M}"}
    )


def _wait(username: str) -> None:
    """Wait for one's turn, as long as any lock is waited for. Raises ValidationError."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [username.replace("\0", "")])
    except OperationalError as late:
        if getattr(late.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
            raise
        raise ValidationError(_("Too many tries at once: wait a moment.")) from late


class GuessedOneByOne(AuthenticationForm):
    """A sign-in form whose check waits for the other guesses at the same account."""

    def clean(self) -> dict[str, Any]:
        """Check name and password in turn; one of them alone is no guess."""
        username = self.cleaned_data.get("username")
        if not username or not self.cleaned_data.get("password"):
            return super().clean()
        assert self.request is not None
        return one_by_one(self.request, username, super().clean)

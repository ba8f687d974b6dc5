"""Guesses at one account's sign-in password come one after the other, over all processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

T = TypeVar("T")
_LOCK_NOT_AVAILABLE = "55P03"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('foundation.guess:' || %s, 0))"


def one_by_one(username: str, guess: Callable[[], T]) -> T:
    """
    Return what the guess returns, with every other guess at this account waiting meanwhile.

    Without this a hundred guesses sent at once are all compared before the first failure counts.
    A refusal by ValidationError keeps what was counted; so is it refused when the wait is too long.
    Rule: SIG-11 (docs/rules/sign_in.md).
    """
    refusal: ValidationError | None = None
    with transaction.atomic():
        _wait(username)
        try:
            return guess()
        except ValidationError as refused:
            refusal = refused
    raise refusal


def is_right(request: HttpRequest, *, username: str, password: str) -> bool:
    """
    Return whether it is the account's password; nobody is told that too many guesses wait.

    A failure is recorded without what else was typed: the form may carry other secrets.
    """
    typed = request.POST
    request.POST = QueryDict()
    try:
        return one_by_one(
            username,
            lambda: authenticate(request, username=username, password=password) is not None,
        )
    except ValidationError:
        return False
    finally:
        request.POST = typed


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
        """Check name and password in turn."""
        return one_by_one(self.cleaned_data.get("username", ""), super().clean)

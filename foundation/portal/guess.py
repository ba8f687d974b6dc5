"""Guesses at one account's sign-in password come one after the other, over all processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db import connection, transaction

T = TypeVar("T")
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('foundation.guess:' || %s, 0))"


def one_by_one(username: str, guess: Callable[[], T]) -> T:
    """
    Return what the guess returns, with every other guess at this account waiting meanwhile.

    Without this a hundred guesses sent at once are all compared before the first failure counts.
    A refusal by ValidationError keeps what was counted. Rule: SIG-11 (docs/rules/sign_in.md).
    """
    refusal: ValidationError | None = None
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [username.replace("\0", "")])
        try:
            return guess()
        except ValidationError as refused:
            refusal = refused
    raise refusal


class GuessedOneByOne(AuthenticationForm):
    """A sign-in form whose check waits for the other guesses at the same account."""

    def clean(self) -> dict[str, Any]:
        """Check name and password in turn."""
        return one_by_one(self.cleaned_data.get("username", ""), super().clean)

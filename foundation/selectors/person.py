"""How people are called on screens of the house."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef

from foundation.models import User


def names(keys: Iterable[Any]) -> dict[str, str]:
    """
    Return, by the key of an account, the name of its person, in one statement.

    The user name stands behind it where another account of staff has the same name, and always for
    who is none of the house's: outside anybody may be called anything.
    """
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    alike = User.objects.filter(is_staff=True, person__name=OuterRef("person__name"))
    found = User.objects.filter(pk__in=wanted).annotate(
        repeated=Exists(alike.exclude(pk=OuterRef("pk")))
    )
    rows = found.values_list("pk", "username", "person__name", "is_staff", "repeated")
    return {
        str(key): name
        if name and (name == username or (is_staff and not repeated))
        else f"{name} ({username})".strip()
        for key, username, name, is_staff, repeated in rows
    }


def name(user: User) -> str:
    """Return how one account is called. See `names`."""
    return names([user.pk]).get(str(user.pk), user.username)

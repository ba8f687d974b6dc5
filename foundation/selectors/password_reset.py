"""Reading about sign-in passwords that were forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from foundation.models import AuditEvent, User
from foundation.selectors.house import house_id

ACTION: Final = "account.password_reset"
LATELY: Final = timedelta(hours=24)


def accounts(*, email: str | None = None) -> QuerySet[User]:
    """Return the accounts that reset their own password by e-mail: those of merchants' people."""
    found = User.objects.filter(is_active=True, is_staff=False, is_superuser=False).exclude(
        email=""
    )
    return found if email is None else found.filter(email__iexact=email.strip()).order_by("pk")


def lately(user: User, at: datetime) -> bool:
    """
    Return whether the sign-in password was reset by e-mail in the 24 hours before.

    Whoever has the mailbox alone has this and every code too, so more is asked then (SIG-12).
    """
    return AuditEvent.objects.filter(
        merchant_id=house_id(),
        object_kind="user",
        object_id=str(user.pk),
        action=ACTION,
        occurred_at__gt=at - LATELY,
    ).exists()

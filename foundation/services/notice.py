"""Notices about an account to the person it belongs to."""

from __future__ import annotations

from foundation.models import SignIn
from foundation.services import mail


def new_device(*, sign_in_id: int) -> None:
    """Tell of a sign-in from a new device or place; an account without e-mail sees it on screen."""
    row = SignIn.objects.select_related("user").filter(id=sign_in_id).first()
    if row is None or not row.user.email:
        return
    mail.send(
        to=row.user.email,
        language=row.user.language,
        template="new_device",
        context={"sign_in": row},
    )

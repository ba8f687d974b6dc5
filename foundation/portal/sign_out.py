"""Whoever signs out, by whichever door, ends the record of his session too."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from foundation import clock
from foundation.models import SignIn, User
from foundation.portal import session
from foundation.services import sign_in as sign_ins


@receiver(user_logged_out)
def close(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    """Note the end of the session that signs out."""
    own = session.sign_in_of(request)
    if own is not None and isinstance(user, User):
        sign_ins.end(user=user, sign_in_id=own, why=SignIn.Ended.SIGNED_OUT, at=clock.now())

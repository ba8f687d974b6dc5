"""Notices about an account to the person it belongs to."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from foundation.models import SignIn, User
from foundation.services import mail

ACTS: Final = {
    "second_factor.add": _("a second step was added"),
    "second_factor.remove": _("a second step was removed"),
    "second_factor.reset": _("the second step was taken away by the institution"),
    "second_factor.lock": _("codes were locked after too many wrong ones"),
    "second_factor.recovery_codes": _("new recovery codes were made"),
    "second_factor.recovery_code_used": _("a recovery code was used"),
    "sign_in.lock": _("signing in was locked for a while after many wrong passwords"),
    "account.first_password": _("its first password was set by the link sent to this address"),
    "account.password": _("the password was changed"),
    "account.password_reset": _("a new password was set by a link sent to this address"),
}


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


def account_change(*, user_id: str, act: str) -> None:
    """Tell of a change of how an account is protected; nothing for an account without e-mail."""
    user = User.objects.filter(pk=user_id).first()
    if user is None or not user.email:
        return
    mail.send(
        to=user.email,
        language=user.language,
        template="account_change",
        context={"name": user.username, "act": ACTS[act]},
    )

"""A forgotten sign-in password of a merchant's person: a link by e-mail, good once and briefly."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import actor
from foundation.models import SignIn, User
from foundation.selectors import password_reset as selectors
from foundation.selectors.house import house_id
from foundation.services import guess_count as guess_counts
from foundation.services import mail, outbox
from foundation.services import second_factor as second_factors
from foundation.services import sign_in as sign_ins
from foundation.services import sign_in_password as sign_in_passwords

MAIL: Final = "foundation.mail_password_reset"
PAUSE_SECONDS: Final = 600  # between two links for one account
_KEY: Final = re.compile(r"[0-9a-f]{32}")
MOST: Final = 3  # accounts of one address that are written to


class LinkRefused(DomainError):
    """The link is not good (any more): used, too old, altered, or of an account of staff."""

    code = "password_reset_refused"
    http_status = 410

    def __init__(self) -> None:
        super().__init__(_("This link is not valid (any more): ask for a new one."))


class _Links(PasswordResetTokenGenerator):
    """Links signed over password, address and last sign-in: what changes one of these ends them."""

    key_salt = "foundation.password_reset"


LINKS: Final = _Links()


def ask(*, email: str, at: datetime) -> None:
    """
    Promise a link to each account of an address, at most once in ten minutes.

    Whether there is one is neither said nor shown by what is done: nobody is written to as well.
    Rule: SIG-12 (docs/rules/sign_in.md).
    """
    users = [str(user.pk) for user in selectors.accounts(email=email)[:MOST]]
    turn = int(at.timestamp()) // PAUSE_SECONDS
    with transaction.atomic():
        for user_id in users or [""]:
            payload = {"user_id": user_id}
            outbox.add(MAIL, merchant_id=house_id(), payload=payload, key=f"{user_id}:{turn}")


def mail_link(*, user_id: str) -> None:
    """Send the link, made only now, so that it is kept nowhere; nothing for nobody."""
    user = selectors.accounts().filter(pk=user_id).first() if user_id else None
    if user is None:
        return
    path = reverse("portal:password_link", args=[f"{user.pk.hex}.{LINKS.make_token(user)}"])
    context = {"name": user.username, "link": settings.SITE_URL.rstrip("/") + path}
    mail.send(to=user.email, language=user.language, template="password_reset", context=context)


def opened(*, token: str, lock: bool = False) -> User:
    """
    Return the account a link is for; with `lock`, while nobody else changes it. Raises LinkRefused.
    """
    key, _dot, proof = token.partition(".")
    users = selectors.accounts().select_for_update(of=("self",)) if lock else selectors.accounts()
    user = users.filter(pk=key).first() if _KEY.fullmatch(key) else None
    if user is None or not LINKS.check_token(user, proof):
        raise LinkRefused
    return user


def reset(*, token: str, password: str, at: datetime) -> User:
    """
    Set a new sign-in password by the link; every session ends, the owner is told, and the second
    step is asked for as ever.

    Raises: LinkRefused, also for the second of two who come with the same link; PasswordUsedBefore,
            PasswordChangedTooOften. Rule: SIG-12.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        user = opened(token=token, lock=True)
        sign_in_passwords.choose(user=user, password=password, at=at)
        second_factors.record(user, selectors.ACTION)
        sign_ins.end_all(user=user, why=SignIn.Ended.PASSWORD, at=at)
        guess_counts.forget(username=user.username)
    return user

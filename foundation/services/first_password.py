"""The first password of an account of staff: a link by e-mail, good once, for three days."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from config.errors import DomainError
from foundation import actor
from foundation.models import SignIn, User
from foundation.selectors import staff_account as selectors
from foundation.selectors.house import house_id
from foundation.services import guess_count as guess_counts
from foundation.services import mail, outbox
from foundation.services import second_factor as second_factors
from foundation.services import sign_in as sign_ins
from foundation.services import sign_in_password as sign_in_passwords

MAIL: Final = "foundation.mail_first_password"
GOOD_FOR: Final = timedelta(hours=72)
MOST: Final = 400  # characters of a link's token; ours are far shorter
_SALT: Final = "foundation.first_password"
_KEY: Final = re.compile(r"[0-9a-f]{32}")


class LinkRefused(DomainError):
    """The link is not good (any more): used, too old, altered, or replaced by a newer one."""

    code = "first_password_refused"
    http_status = 410

    def __init__(self) -> None:
        super().__init__(_("This link is not valid (any more): ask a colleague for a new one."))


def promise(*, user: User, at: datetime) -> None:
    """
    Take the password of an account away and promise a link to its owner, in the caller's stamped
    transaction. Every link of before is dead: each one is signed over the password it replaces.

    Rule: SIG-17 (docs/rules/sign_in.md).
    """
    user.set_unusable_password()
    user.save(update_fields=["password"])
    until = int((at + GOOD_FOR).timestamp())
    payload: dict[str, int | str] = {"user_id": str(user.pk), "until": until}
    outbox.add(MAIL, merchant_id=house_id(), payload=payload)


def mail_link(*, user_id: str, until: int) -> None:
    """Send the link, made only now, so that it is kept nowhere; nothing to who needs none."""
    user = User.objects.filter(pk=user_id).first()
    if user is None or not selectors.waits_for_password(user) or not user.email:
        return
    path = reverse("account:first_password_link", args=[token_of(user, until)])
    context = {"name": user.username, "link": settings.SITE_URL.rstrip("/") + path}
    mail.send(to=user.email, language=user.language, template="first_password", context=context)


def token_of(user: User, until: int) -> str:
    """Return what the link carries: whose account, until when (Unix seconds), and the proof."""
    return Signer(salt=_SALT).sign(f"{user.pk.hex}.{until}.{_state(user)}")


def opened(*, token: str, at: datetime, lock: bool = False) -> User:
    """
    Return the account a link is for; with `lock`, while nobody else changes it. Raises LinkRefused.
    """
    try:
        key, until, state = Signer(salt=_SALT).unsign(token[:MOST]).split(".")
    except (BadSignature, ValueError) as altered:
        raise LinkRefused from altered
    users = User.objects.select_for_update() if lock else User.objects.all()
    user = users.filter(pk=key).first() if _KEY.fullmatch(key) else None
    if user is None or not selectors.waits_for_password(user):
        raise LinkRefused
    late = at >= datetime.fromtimestamp(int(until), UTC)
    if late or not constant_time_compare(state, _state(user)):
        raise LinkRefused
    return user


def choose(*, token: str, password: str, at: datetime) -> User:
    """
    Set the password that the owner of the account chose; nobody is signed in by it.

    Raises: LinkRefused, also for the second of two who come with the same link; PasswordUsedBefore.
    Rule: SIG-17.
    """
    with transaction.atomic():
        actor.stamp_transaction()
        user = opened(token=token, at=at, lock=True)
        sign_in_passwords.choose(user=user, password=password, at=at, due=True)
        second_factors.record(user, "account.first_password")
        sign_ins.end_all(user=user, why=SignIn.Ended.PASSWORD, at=at)
        guess_counts.forget(username=user.username)
    return user


def _state(user: User) -> str:
    """Return a digest of all whose change ends a link."""
    text = "\n".join((user.password, user.email, str(user.last_login), str(user.is_superuser)))
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()

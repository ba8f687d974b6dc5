"""How often an account's sign-in password is guessed in vain, wherever the guesses come from."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from axes.handlers.proxy import AxesProxyHandler

from foundation.models import GuessCount, SignIn, User
from foundation.models.guess_count import FREE
from foundation.services import second_factor as second_factors

AGAIN: Final = 5  # wrong ones after a lock, before the next
FIRST: Final = timedelta(hours=1)  # of the first lock; each further one lasts twice as long
LONGEST: Final = timedelta(hours=24)
FORGOTTEN_AFTER: Final = timedelta(days=7)  # without a wrong one


def key_of(*, username: str, device_token: str) -> str:
    """
    Return under which count a guess falls: that of the device, if somebody signed in to this
    account with it before, else the one that all other devices share.

    Only who once gave password and second step has the cookie of a known device, so whoever
    guesses from elsewhere cannot lock the owner's own browsers.
    Rule: SIG-14 (docs/rules/sign_in.md).
    """
    known = ""
    user = User.objects.filter(username=username).first() if device_token else None
    if user is not None:
        device = SignIn.device_hash_of(user.pk, device_token)
        if SignIn.objects.filter(user=user, device_hash=device).exists():
            known = device.hex()
    return _key(username, known)


def locked_until(*, key: str, at: datetime) -> datetime | None:
    """Return until when nothing is compared; None when it is."""
    row = GuessCount.objects.filter(key=key).first()
    until = None if row is None else row.locked_until
    return until if until is not None and at < until else None


def wrong(*, key: str, username: str, at: datetime) -> datetime | None:
    """
    Count one wrong password; return until when this locks, None when it does not.

    A lock is told to the account's owner. The caller holds the account's turn
    (foundation.portal.guess). Rule: SIG-14.
    """
    row = GuessCount.objects.filter(key=key).first()
    if row is None or at - row.failed_at > FORGOTTEN_AFTER:
        row = GuessCount(key=key)
    row.failed_at = at
    row.failed_count += 1
    if row.failed_count >= (AGAIN if row.locks else FREE):
        row.locked_until = at + min(FIRST * 2 ** min(row.locks, 10), LONGEST)
        row.failed_count, row.locks = 0, min(row.locks + 1, 1000)
    row.save()
    if row.failed_count:
        return None
    _tell(username, row.locked_until)
    return row.locked_until


def right(*, key: str) -> None:
    """Begin this count anew: the password was right."""
    GuessCount.objects.filter(key=key).delete()


def forget(*, username: str) -> None:
    """
    Begin the counts of unknown devices and of addresses anew: the account has another password,
    for which its owner need not wait an hour (SIG-12, SIG-13).
    """
    right(key=_key(username, ""))
    AxesProxyHandler.reset_attempts(username=username)


def purge(*, at: datetime) -> int:
    """Delete the counts that count for nothing any more; return how many."""
    return GuessCount.objects.filter(failed_at__lt=at - FORGOTTEN_AFTER).delete()[0]


def _tell(username: str, until: datetime | None) -> None:
    user = User.objects.filter(username=username).first()
    if user is not None:
        second_factors.record(user, "sign_in.lock", until=str(until))


def _key(username: str, device: str) -> str:
    return hashlib.sha256(f"{username}\0{device}".encode()).hexdigest()

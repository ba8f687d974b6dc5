"""
The steps from a right password to a session: what waits, what was proved, and since when.

Until the second step is done nobody is signed in: the password's proof waits in an anonymous
session of its own, for ten minutes, and only the pages of this package look at it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from foundation import actor, clock, crypto, session_store
from foundation.models import SignIn, User
from foundation.portal.page import page
from foundation.selectors import second_factor as second_factors
from foundation.selectors import sign_in_password as passwords
from foundation.services import sign_in as sign_ins

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
DEVICE_COOKIE: Final = "device"
WAITS_FOR: Final = timedelta(minutes=10)  # for the second step, after the password
CONFIRMED_FOR: Final = timedelta(minutes=10)  # before a sensitive act asks for the proofs again
SEEN_EVERY: Final = timedelta(minutes=1)
CARRIED: Final = ("invitation.token",)  # goes along from before signing in to after it
_HOMES: Final = {SignIn.Door.ADMIN: "admin:index", SignIn.Door.PORTAL: "portal:start"}
_WAITING, _STEP, _CONFIRMED = "sign_in.waiting", "sign_in.step", "sign_in.confirmed_at"
_SIGN_IN, _SEEN, _ONWARD = "sign_in.id", "sign_in.seen_at", "sign_in.onward"
_SINCE: Final = "sign_in.since"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who gave the right password at which door, and where he wanted to go."""

    user: User
    door: str
    onward: str
    proved: str | None = None  # the second step, once it was done ("" where none is needed)


def begin(request: HttpRequest, user: User, *, door: str, onward: str) -> HttpResponseBase:
    """
    Go on after a right password: in, or to the second step, or to making one. Rule: SIG-1, SIG-5.
    """
    onward = own_address(request, onward, home=_HOMES[SignIn.Door(door)])
    known = second_factors.has_any(user=user)
    if not known and not second_factors.must_have(user=user):
        answer = complete(request, Waiting(user, door, onward), factor="", at=clock.now())
        if not second_factors.has_any(user=user):
            return answer
        logout(request)  # the first one was made this very moment: it is asked for, too
        known = True
    _wait(request, Waiting(user, door, onward))
    return redirect("account:second_step" if known else "account:enrol")


def _wait(request: HttpRequest, waiting: Waiting) -> None:
    """Keep the proof in an anonymous session of its own."""
    _renew(request)
    request.session[_WAITING] = {
        "user": str(waiting.user.pk),
        "password": waiting.user.get_session_auth_hash(),  # another password ends the waiting
        "door": waiting.door,
        "onward": waiting.onward,
        "proved": waiting.proved,
        "since": clock.now().isoformat(),
    }


def own_address(request: HttpRequest, target: str | None, *, home: str) -> str:
    """Return an address of this host to go on to; whatever leads elsewhere becomes `home`."""
    if (
        target
        and target.startswith("/")
        and url_has_allowed_host_and_scheme(
            target, {request.get_host()}, require_https=request.is_secure()
        )
    ):
        return target
    return resolve_url(home)


def complete(
    request: HttpRequest, waiting: Waiting, *, factor: str, at: datetime
) -> HttpResponseBase:
    """Sign in under a new session, record it, and go on to the page that was asked for."""
    onward = signed_in(request, waiting, factor=factor, at=at)
    return with_device(request, HttpResponseRedirect(onward))


def signed_in(request: HttpRequest, waiting: Waiting, *, factor: str, at: datetime) -> str:
    """
    Make the session and return where to go on; the answer still wants `with_device`.

    Who must choose another password first goes on waiting, and is led there (SIG-15, SIG-16).
    """
    if passwords.standing(user=waiting.user, at=at).due:
        _wait(request, replace(waiting, proved=factor))
        return reverse("account:renew")
    token = request.COOKIES.get(DEVICE_COOKIE, "")
    if not 20 <= len(token) <= 64:
        token = secrets.token_urlsafe(24)
    _renew(request)
    login(request, waiting.user, backend=BACKEND)
    actor.become(f"user:{waiting.user.pk}")
    arrival = sign_ins.Arrival(
        door=waiting.door,
        address=request.META.get("REMOTE_ADDR", ""),
        agent=request.headers.get("User-Agent", "")[:500],
        device_token=token,
    )
    opened = sign_ins.open_session(
        user=waiting.user,
        arrival=arrival,
        factor=factor,
        session_key=request.session.session_key or "",
        at=at,
    )
    request.session[_SIGN_IN] = opened.id
    request.session[_SINCE] = request.session[_SEEN] = at.isoformat()
    request.session[_STEP] = bool(factor)
    request.session[_CONFIRMED] = at.isoformat()
    request.session["sign_in.device"] = token
    _warn(request, waiting.user, at)
    return waiting.onward


def _warn(request: HttpRequest, user: User, at: datetime) -> None:
    """Say ahead that the password ends, in the person's language."""
    left = passwords.days_left(user=user, at=at)
    if left is not None:
        with translation.override(user.language):
            told = ngettext(
                "Your password ends in %(days)s day: choose another one under My account.",
                "Your password ends in %(days)s days: choose another one under My account.",
                left,
            )
        messages.warning(request, told % {"days": left})


def _renew(request: HttpRequest) -> None:
    """Begin a session with nothing of the one before but what a stranger brought with a link."""
    brought = {name: request.session[name] for name in CARRIED if name in request.session}
    request.session.flush()
    request.session.update(brought)


def with_device(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    """Leave the cookie by which this browser is known again; it opens nothing."""
    token = request.session.pop("sign_in.device", "")
    if token:
        answer.set_cookie(
            DEVICE_COOKIE,
            token,
            max_age=400 * 24 * 3600,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure() or settings.SESSION_COOKIE_SECURE,
        )
    return answer


def waiting_of(request: HttpRequest, at: datetime) -> Waiting | None:
    """Return who waits for the second step in this session; None when nobody does any more."""
    kept = request.session.get(_WAITING)
    if not kept or at - datetime.fromisoformat(kept["since"]) > WAITS_FOR:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not constant_time_compare(kept["password"], user.get_session_auth_hash()):
        return None
    return Waiting(user, kept["door"], kept["onward"], kept.get("proved"))


def keep_link(request: HttpRequest, name: str, token: str) -> None:
    """
    Keep what an e-mail's link carries, out of the address and encrypted: whoever reads the rows of
    sessions, or a copy of them, finds no link that still opens something.
    """
    request.session[name] = crypto.encrypt(token, name.encode())


def kept_link(request: HttpRequest, name: str) -> str:
    """Return what `keep_link` kept in this session, "" for nothing that can be read."""
    try:
        return crypto.decrypt(str(request.session.get(name, "")), name.encode())
    except (crypto.Tampered, crypto.KeyUnknown):
        return ""


def stepped(request: HttpRequest) -> bool:
    """Return whether this session was opened with a second step."""
    return request.session.get(_STEP) is True


def mark_stepped(request: HttpRequest) -> None:
    """Note that the reader has just made a second factor, and so proved it in this session."""
    request.session[_STEP] = True


def confirm(request: HttpRequest, at: datetime) -> str:
    """Note that the reader has just proved again who he is; return where he was going, or ""."""
    request.session[_CONFIRMED] = at.isoformat()
    onward: str = request.session.pop(_ONWARD, "")
    return onward


def confirmed(request: HttpRequest, at: datetime) -> bool:
    """Return whether the reader proved who he is in the last ten minutes."""
    since = request.session.get(_CONFIRMED)
    return since is not None and at - datetime.fromisoformat(since) < CONFIRMED_FOR


def sign_in_of(request: HttpRequest) -> int | None:
    """Return the id of the sign-in that this session belongs to."""
    found = request.session.get(_SIGN_IN)
    return found if isinstance(found, int) else None


def over(request: HttpRequest, user: User, at: datetime) -> bool:
    """
    End the session when it was not used for too long, or is too old however much it was used;
    return whether it ended. Rule: SIG-7.
    """
    since, seen = request.session.get(_SINCE), request.session.get(_SEEN)
    if since is None or seen is None:
        return False
    age, idle = at - datetime.fromisoformat(since), at - datetime.fromisoformat(seen)
    if (
        age.total_seconds() < settings.SESSION_COOKIE_AGE
        and idle.total_seconds() < settings.SESSION_IDLE_SECONDS
    ):
        return False
    own = sign_in_of(request)
    if own is not None:
        sign_ins.end(user=user, sign_in_id=own, why=SignIn.Ended.TIMED_OUT, at=at)
    logout(request)
    messages.warning(request, _("Your session has ended. Please sign in again."))
    return True


def touch(request: HttpRequest, at: datetime) -> None:
    """Note, at most once a minute, that the session is in use."""
    own, since = sign_in_of(request), request.session.get(_SEEN)
    if own is None or (since and at - datetime.fromisoformat(since) < SEEN_EVERY):
        return
    request.session[_SEEN] = at.isoformat()
    sign_ins.seen(sign_in_id=own, at=at)


def moved(request: HttpRequest) -> None:
    """Let the record follow when the session got another key (after a new password)."""
    own = sign_in_of(request)
    if own is not None:
        SignIn.objects.filter(id=own, ended_at=None).update(
            session_hash=session_store.stored(request.session.session_key or "")
        )


def sign_in_page(door: str) -> str:
    """Return the name of the page at which one signs in by this door."""
    return "admin:login" if door == SignIn.Door.ADMIN else "portal:sign_in"


def for_waiting(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who gave the right password and has not gone on; speak his language."""

    @page
    @wraps(view)
    def inner(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        waiting = waiting_of(request, clock.now())
        if waiting is None:
            kept = request.session.pop(_WAITING, None) or {}
            return redirect(sign_in_page(kept.get("door", "")))
        translation.activate(waiting.user.language)
        with actor.acting(f"user:{waiting.user.pk}", actor.current().request_id,
                          origin=actor.current().origin):  # fmt: skip
            return view(request, waiting, **kwargs)

    return inner


def for_signed_in(
    view: Callable[..., HttpResponseBase], *, sensitive: bool = False
) -> Callable[..., HttpResponseBase]:
    """Let in who is signed in, by either door; for `sensitive` pages only who proved it lately."""

    @page
    @wraps(view)
    def inner(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return redirect("portal:sign_in")
        if sensitive and not confirmed(request, clock.now()):
            if request.method in ("GET", "HEAD"):
                request.session[_ONWARD] = request.path
            return redirect("account:confirm")
        return view(request, **kwargs)

    return inner

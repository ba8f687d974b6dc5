"""What every request carries: a request id, who acts, and the reader's language."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Final, cast

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from foundation import actor, clock
from foundation.models import SignIn, User

HEADER: Final = "X-Request-ID"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestMiddleware:
    """
    Take or make the request id, act as the signed-in user, speak his language.

    Stands after the authentication middleware. A program's request acts as `anonymous` until its
    key is proved; the API's authentication then names the key.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        user = request.user if isinstance(request.user, User) else None
        name = f"user:{user.pk}" if user is not None else "anonymous"
        if user is not None and translation.check_for_language(user.language):
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language()
        with actor.acting(name, request_id, origin=request.META.get("REMOTE_ADDR", "")):
            response = self.get_response(request)
        response[HEADER] = request_id
        if user is not None:
            response["Content-Language"] = user.language
        return response


class ClientAddressMiddleware:
    """
    Put the caller's network address in the place of the proxy's, before anybody reads it.

    PROXY_COUNT proxies of ours each append the address they were called from to X-Forwarded-For;
    what stands further left was written by the caller and says nothing. A request with fewer
    entries did not come through them: it keeps the address of its socket.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        count = settings.PROXY_COUNT
        if count > 0:
            seen = request.headers.get("X-Forwarded-For", "").split(",")
            if len(seen) >= count and seen[-count].strip():
                request.META["REMOTE_ADDR"] = seen[-count].strip()
        return self.get_response(request)


class SecondStepMiddleware:
    """
    Let nobody in by a session without the second step that his roles make compulsory (SIG-5).

    Such a session was opened before the role was given, or before the step was compulsory: it
    ends, and its owner goes on where he would be after giving his password. Neither by one that is
    over (SIG-7). Stands after
    RequestMiddleware, and after the messages it may leave.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        from foundation.portal import session
        from foundation.selectors import second_factor as second_factors

        user = request.user
        if isinstance(user, User) and not session.over(request, user, clock.now()):
            if not session.stepped(request) and second_factors.must_have(user=user):
                door = SignIn.Door.ADMIN if user.is_staff else SignIn.Door.PORTAL
                onward = request.get_full_path() if request.method == "GET" else "/"
                logout(request)
                return cast(HttpResponse, session.begin(request, user, door=door, onward=onward))
            session.touch(request, clock.now())
        return self.get_response(request)
